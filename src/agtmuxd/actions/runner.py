"""Run every action: resolve, record, read the pane again, decide, act once, record the result, answer.

Owns that order and the lock of each pane. The ledger owns what is recorded and returned again. Each action's module
owns what it does. ``core.action.guard`` decides whether it may be done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import Failpoints, Reach
from agtmuxd.actions.callers import Callers, FoundCaller
from agtmuxd.actions.context import ActionContext, known_state, refused, screen_claim
from agtmuxd.actions.kinds import Act
from agtmuxd.actions.ledger import Ledger, Outcome
from agtmuxd.actions.pane_check import PaneReader, PaneReading
from agtmuxd.core import ref as refs
from agtmuxd.core.action.guard import (
    CurrentPane,
    GuardInput,
    KnownState,
    can_answer,
    decide,
    decide_unread,
    may_be_asked,
)
from agtmuxd.core.action.request import Caller, Kind, Request, Snapshot, ViewParams, read_nonce
from agtmuxd.core.actor import Actor
from agtmuxd.core.model import WAITING
from agtmuxd.core.screen.controls import InputField
from agtmuxd.policy.policy import Policy
from agtmuxd.policy.rules import UNKNOWN_AGENT, denied
from agtmuxd.repository import PaneKey, Repository
from agtmuxd.store import history
from agtmuxd.store.actions import ActionRow
from agtmuxd.store.db import Store
from agtmuxd.stream.published import PublishedRows
from agtmuxd.tmux.onepane import OnePane

_LOG = structlog.get_logger("actions")
LOOK_AGAIN_AFTER = (0.1, 0.2)
"""Seconds before each further reading of a pane whose input field is not visible."""
_UNREAD = frozenset({Kind.ACK})
"""Kinds that do nothing to a pane, so that none is read."""


@dataclass(frozen=True, slots=True)
class ResolvedRequest:
    """What a request names. ``snapshot``: the pane, runtime and version known now. ``session``: the session
    in the ref.
    """

    request: Request
    key: PaneKey
    snapshot: Snapshot
    session: str | None


async def _no_name(_runtime_id: str) -> Actor | None:
    """Name no agent: until the directory is there, rules for single agents do not count."""


class ActionRunner:
    """Performs requests, each one once."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: Store,
        repository: Repository,
        view: PublishedRows,
        reader: PaneReader,
        reach: Reach,
        callers: Callers,
        policy: Policy,
        acts: Mapping[Kind, Act],
        key: bytes,
        clock: Callable[[], int],
        failpoint: Failpoints | None = None,
    ) -> None:
        """``key``: of nonces."""
        self.name_agent: Callable[[str], Awaitable[Actor | None]] = _no_name
        """``await name_agent(runtime_id)``: the agent that this runtime is now. Set by the directory of agents."""
        self._ledger = ledger
        self._store = store
        self._repository = repository
        self._view = view
        self._reader = reader
        self._reach = reach
        self._callers = callers
        self._policy = policy
        self._acts = acts
        self._key = key
        self._clock = clock
        self._failpoint = failpoint or Failpoints()
        self._locks: WeakValueDictionary[PaneKey, asyncio.Lock] = (
            WeakValueDictionary()
        )  # a lock exists while somebody holds it

    async def find_caller(self, uid: int | None, pid: int | None) -> FoundCaller:
        """Find out which agent sends a request, if one does. Raises E_FORBIDDEN if that cannot be found out."""
        return await self._callers.identify_agent(uid, pid)

    async def permit(self, uid: int | None, pid: int | None) -> None:
        """Check a caller of a request that only operators may send. Raises E_FORBIDDEN, E_POLICY_DENIED."""
        found = await self._identify(Caller(uid, pid))
        refusal = await self._refusal(found, "admin", ("*",), "only read and report")
        if refusal is not None:
            raise refusal

    async def _identify(self, caller: Caller, *, into_dialog: bool = False) -> FoundCaller:
        """Find out who asks. A caller with an actor was checked by its server.

        ``into_dialog``: the action could answer a dialog, so it always matters which agent asks.
        """
        if caller.actor is not None:
            return FoundCaller(caller)
        name_only = self._policy.is_open and not into_dialog
        return await self._callers.identify_agent(caller.uid, caller.pid, name_only=name_only)

    async def _refusal(
        self, found: FoundCaller, verb: str, objects: tuple[str, ...], default: str, *, into_dialog: bool = False
    ) -> AgtmuxError | None:
        """Return why the caller may not do this. ``default``: what agents may do without a rule that allows more."""
        actor = await self._actor_of(found)
        decision = self._policy.decide(actor, verb, objects, into_dialog=into_dialog)
        if decision.allowed:
            return None
        if decision.rule is not None or decision.own_dialog:
            return denied(decision, actor, verb, objects[0])
        text = (
            f"a supervised agent may {default} ({found.why}): set allow_agent_actions = true, or add a rule to "
            "[[policies]], to allow this"
        )
        return AgtmuxError("E_FORBIDDEN", text, {"reason": "agent"})

    async def _actor_of(self, found: FoundCaller) -> Actor:
        if found.why is None:
            return Actor(found.caller)
        named = await self.name_agent(found.runtime.runtime_id) if found.runtime is not None else None
        return replace(named or UNKNOWN_AGENT, caller=found.caller)

    # ---------------------------------------------------------------- one request, from top to bottom

    async def perform(self, request: Request, caller: Caller) -> dict[str, Any]:
        """Perform the request and return the answer. Raises AgtmuxError: the refusal or failure, now or of the first
        request.
        """
        if isinstance(request.params, ViewParams) and request.params.again is not None:
            return await self._view_again(request, request.params.again)
        row, replayed = await self._ledger.once(request, lambda digest: self._run(request, digest, caller))
        return self._ledger.answer(row, replayed=replayed)

    async def _run(self, request: Request, digest: str, caller: Caller) -> ActionRow:
        """Perform a request that is new. Once its row exists, every end of it is recorded as its result."""
        refusal = may_be_asked(request)
        if refusal is not None:
            raise refused(refusal)
        into_dialog = can_answer(request)
        found = await self._identify(caller, into_dialog=into_dialog)
        resolved = await self._resolve(request)
        row = await self._ledger.begin(request, digest, found.caller, resolved.snapshot)
        verb = "read" if request.kind is Kind.VIEW else f"act.{request.kind}"
        objects = await self._objects(resolved)
        denial = await self._refusal(found, verb, objects, "not act", into_dialog=into_dialog)
        outcome = Outcome(error=denial) if denial is not None else await self._outcome(row, resolved)
        return await self._ledger.finish(row, outcome)

    async def _objects(self, resolved: ResolvedRequest) -> tuple[str, ...]:
        """Return what rules call the pane: its target, and the agent in it."""
        target_id, runtime_id = resolved.key[0], resolved.snapshot.runtime_id
        target = self._repository.targets.get(target_id)
        names = [f"target:{target.name if target is not None else target_id}"]
        agent = await self.name_agent(runtime_id) if runtime_id is not None else None
        if agent is not None:
            names += [f"agent:{agent.name}", *([f"agent:{agent.team}/{agent.name}"] if agent.team else ())]
        return tuple(names)

    async def _resolve(self, request: Request) -> ResolvedRequest:
        """Resolve what the request names. Raises E_REF_*, E_AGENT_*, E_RUNTIME_STALE for a runtime that has ended.

        An agent's name stands for the runtime that it is now. Whatever is bound to the name later, the request is for
        this one.
        """
        request = replace(request, ref=self._view.full_ref(request.ref))
        parsed = refs.parse(request.ref)
        try:
            key = self._view.resolve(request.ref)
        except AgtmuxError as error:
            if error.code == "E_REF_NOT_FOUND" and isinstance(parsed, refs.RuntimeRef):
                await self._refuse_ended(parsed.runtime_id)
            raise
        identity = self._view.panes[key]["identity"]
        target = self._repository.target_named(identity["target"])
        if target is None:
            raise AgtmuxError("E_REF_NOT_FOUND", f"there is no target {identity['target']}")
        where = (target.target_id, identity["pane_id"])
        known = known_state(self._repository, where, crashed=request.kind is Kind.ACK)
        if isinstance(parsed, refs.RuntimeRef) and known.runtime_id != parsed.runtime_id:
            await self._refuse_ended(parsed.runtime_id)
        snapshot = Snapshot(*where, known.runtime_id, known.state_version, self._clock())
        return ResolvedRequest(request, where, snapshot, parsed.session if isinstance(parsed, refs.PaneRef) else None)

    async def _refuse_ended(self, runtime_id: str) -> None:
        """Raise E_RUNTIME_STALE if the runtime is known and has ended."""
        if await self._store.read(lambda c: history.has_runtime(c, runtime_id)):
            text = f"runtime {runtime_id} has ended: run agtmux ls to see what runs now"
            raise AgtmuxError("E_RUNTIME_STALE", text, {"reason": "runtime"})

    async def _outcome(self, row: ActionRow, resolved: ResolvedRequest) -> Outcome:
        """Do it, one action at a time in each pane. Raises only a cancellation: errors are outcomes too."""
        try:
            if resolved.request.kind is Kind.VIEW:  # it changes nothing, so no other action has to wait for it
                return await self._check_and_act(resolved)
            lock = self._locks.setdefault(resolved.key, asyncio.Lock())
            async with lock:
                return await self._check_and_act(resolved)
        except AgtmuxError as error:
            return Outcome(error=error)
        except Exception as error:  # noqa: BLE001 - reported below as indeterminate
            _LOG.exception("action failed", action_id=row.action_id, kind=row.action_type)
            text = f"the daemon failed during the action: {type(error).__name__}; see agtmux daemon logs"
            return Outcome(error=AgtmuxError("E_ACTION_INDETERMINATE", text))

    async def _check_and_act(self, resolved: ResolvedRequest) -> Outcome:
        context = await self._check(resolved)
        return await self._act(resolved.request.kind, context)

    async def _check(self, resolved: ResolvedRequest) -> ActionContext:
        """Read the pane again and decide. Raises the reason for a refusal."""
        request, key, repository = resolved.request, resolved.key, self._repository
        pane = repository.panes.get(key)
        boot_id = pane.boot_id if pane is not None else ""
        crashed = request.kind is Kind.ACK
        known = known_state(repository, key, crashed=crashed)
        runtime = repository.runtimes.get(known.runtime_id) if known.runtime_id is not None else None
        shown = self._shown(resolved)
        reached = self._reach(key[0])
        answered = None
        if known.state in WAITING and known.runtime_id is not None:
            answered = await self._ledger.answered_version(key, known.runtime_id)
        reading = PaneReading(CurrentPane(None), OnePane(None))
        self._failpoint("before_read")
        for pause in (*LOOK_AGAIN_AFTER, None):
            if request.kind not in _UNREAD:
                reading = await self._reader.read(reached, key[1], boot_id, runtime, screen_claim(repository, runtime))
            self._failpoint("after_read")
            # the reading took a moment: what the daemon knows may have changed since
            known = known_state(repository, key, crashed=crashed)
            own = await self._own_draft(request, key, known, reading)
            case = GuardInput(request, resolved.snapshot, known, reading.current, self._clock(), shown, answered, own)
            refusal = decide_unread(case) if request.kind in _UNREAD else decide(case)
            if refusal is None:
                break
            if refusal.reason != "no_composer" or pause is None:
                raise refused(refusal)
            await asyncio.sleep(pause)  # the screen is being redrawn and nothing was done yet, so read it again
        return ActionContext(
            key, boot_id, runtime, case, reading, reached, self._reader, repository, self._clock, self._failpoint,
            resolved.session,
        )  # fmt: skip

    async def _own_draft(self, request: Request, key: PaneKey, known: KnownState, reading: PaneReading) -> int | None:
        """Return how many characters of a text that agtmux typed the input field holds, and nothing else. Else None."""
        held = reading.current.field in (InputField.DRAFT, InputField.UNSURE)
        runtime = self._repository.runtimes.get(known.runtime_id or "")
        if request.kind is not Kind.SEND or not held or runtime is None or reading.sample is None:
            return None
        shown = self._reader.controls(runtime).drawn_text(reading.sample)
        return await self._ledger.own_draft(key, runtime.runtime_id, shown)

    async def _act(self, kind: Kind, context: ActionContext) -> Outcome:
        """Act after the decision. Raises what went wrong."""
        key, known = context.key, context.case.known
        started = self._clock()
        self._failpoint("before_act")
        try:
            result = await self._acts[kind](context)
        except AgtmuxError as error:
            if not context.put or error.code == "E_ACTION_INDETERMINATE":
                raise
            text = f"keys were sent to {key[1]}, then it failed: {error.message}"  # not a refusal: keys arrived
            raise AgtmuxError("E_ACTION_INDETERMINATE", text, error.details) from error
        finally:
            if context.put and known.state in WAITING and known.runtime_id and known.state_version is not None:
                self._ledger.mark_answered(known.runtime_id, known.state_version)
        if (
            kind is Kind.ATTACH
        ):  # a caller who attaches, or gets the command for it, has seen the pane as it was checked
            result["snapshot"] = self.nonce_of(key, known.runtime_id, known.state_version)
        self._failpoint("after_act")
        return Outcome(started, result)

    async def _view_again(self, request: Request, action_id: str) -> dict[str, Any]:
        """Read a pane again for a recorded view-output. Raises E_ACTION_NOT_FOUND, E_RUNTIME_STALE."""
        row = await self._ledger.view_output(action_id)
        resolved = await self._resolve(request)
        if (*resolved.key, resolved.snapshot.runtime_id) != (row.target_id, row.pane_id, row.runtime_id):
            raise AgtmuxError("E_RUNTIME_STALE", "again: another agent runs there now", {"reason": "runtime"})
        outcome = await self._check_and_act(resolved)
        return {**self._ledger.answer(row, replayed=False), "result": outcome.result}

    # ---------------------------------------------------------------- snapshots

    def nonce(self, key: PaneKey) -> str:
        """Return a nonce for what is known of a pane now."""
        known = known_state(self._repository, key)
        return self.nonce_of(key, known.runtime_id, known.state_version)

    def nonce_of(self, key: PaneKey, runtime_id: str | None, state_version: int | None) -> str:
        """Return a nonce for a pane as it is shown now: with this runtime, at this state version."""
        return Snapshot(*key, runtime_id, state_version, self._clock()).nonce(self._key)

    def _shown(self, resolved: ResolvedRequest) -> Snapshot | None:
        """Return the snapshot that the caller's nonce stands for. Raises E_RUNTIME_STALE if it is of another pane or
        runtime.
        """
        nonce = resolved.request.guards.snapshot
        if nonce is None:
            return None
        made = read_nonce(nonce, self._key, *resolved.key, resolved.snapshot.runtime_id)
        if made is None:
            text = "the snapshot is of another pane or runtime: get a new one with agtmux explain --json"
            raise AgtmuxError("E_RUNTIME_STALE", text, {"reason": "snapshot"})
        return made
