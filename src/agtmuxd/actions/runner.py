"""The one path of every action: resolve, row and snapshot, read again, decide, act once, result, audit event, answer.

Owns idempotency (also across replays at once, restarts and crashes), the lock of each pane, and the stored answer. What
an action does is in its own module; whether it may is decided in ``core.guard``.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import Failpoints, Reach
from agtmuxd.actions.audit import action_item
from agtmuxd.actions.callers import Callers
from agtmuxd.actions.context import Context, Result, known_of, refused, screen_claim
from agtmuxd.actions.pane_check import Reader, Reading
from agtmuxd.core import ref as refs
from agtmuxd.core.action.guard import Case, Fresh, decide, decide_unread, may_be_asked
from agtmuxd.core.action.request import Caller, Kind, Request, Snapshot, ViewParams, read_nonce
from agtmuxd.core.ids import dedupe_key, uuid7
from agtmuxd.core.model import WAITING, RawEvent, Source
from agtmuxd.ingest.pipeline import Door
from agtmuxd.repository import PaneKey
from agtmuxd.store import actions as rows
from agtmuxd.store.actions import ActionRow
from agtmuxd.store.db import Store
from agtmuxd.stream.published import View
from agtmuxd.tmux.onepane import OnePane

_LOG = structlog.get_logger("execute")
_FAILED = frozenset({"E_TARGET_UNREACHABLE", "E_STORE_UNAVAILABLE", "E_INTERNAL"})
_KEPT_OUTPUTS = 16
"""Outputs that a replay can still be given; they are never stored."""
_KEPT_USED = 64
"""Runtimes that have ended, of which it is still known what was answered, before they are forgotten."""
_DRAWN_AGAIN = (0.1, 0.2)
"""Seconds before another look at a pane whose input field is not to be seen."""
_UNSTORED = ("output", "snapshot")
_UNREAD = frozenset({Kind.ACK})
"""Kinds that do nothing to a pane, so that none is read."""

Act = Callable[[Context], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Meant:
    """What a request resolved to. ``snapshot`` names pane, runtime and version; ``session`` the one of the ref."""

    key: PaneKey
    snapshot: Snapshot
    session: str | None


class Actions:
    """``perform`` a request, once."""

    def __init__(
        self,
        *,
        store: Store,
        door: Door,
        view: View,
        reader: Reader,
        reach: Reach,
        callers: Callers,
        acts: Mapping[Kind, Act],
        key: bytes,
        clock: Callable[[], int],
        failpoint: Failpoints | None = None,
    ) -> None:
        self._store = store
        self._door = door
        self._view = view
        self._reader = reader
        self._reach = reach
        self._callers = callers
        self._acts = acts
        self._key = key
        self._clock = clock
        self._failpoint = failpoint or Failpoints()
        self._running: dict[tuple[str, str], tuple[str, asyncio.Task[tuple[ActionRow, bool]]]] = {}
        self._locks: WeakValueDictionary[PaneKey, asyncio.Lock] = WeakValueDictionary()  # as long as one is held
        self._used: dict[str, int] = {}  # by runtime: the newest version of a waiting state that got keys
        self._outputs: OrderedDict[str, Result] = OrderedDict()

    # ---------------------------------------------------------------- asking

    async def perform(self, request: Request, uid: int | None, pid: int | None) -> dict[str, Any]:
        """The answer. Raises AgtmuxError: what was refused or failed, now or when it was asked first."""
        if isinstance(request.params, ViewParams) and request.params.again is not None:
            return await self._once_more(request, request.params.again)
        digest = request.digest(self._key)
        name = (str(request.kind), request.request_ref)
        running = self._running.get(name)
        if running is not None:
            if running[0] != digest:
                raise _conflict(request)
            row, _ = await asyncio.shield(running[1])
            return self._answer(row, replayed=True)
        task = asyncio.create_task(self._once(request, digest, uid, pid), name=f"{request.kind} {request.request_ref}")
        self._running[name] = digest, task
        task.add_done_callback(lambda _: self._running.pop(name, None))
        row, replayed = await asyncio.shield(task)
        return self._answer(row, replayed=replayed)

    async def permit(self, uid: int | None, pid: int | None) -> None:
        """Raises E_FORBIDDEN for a caller who may only read and report."""
        _, why_not = await self._callers.meet(uid, pid)
        if why_not is not None:
            text = f"a supervised agent may only read and report ({why_not}): allow_agent_actions in the config lets it"
            raise AgtmuxError("E_FORBIDDEN", text, {"reason": "agent"})

    async def _once_more(self, request: Request, action_id: str) -> dict[str, Any]:
        """Another look of a view-output that was recorded. Raises E_ACTION_NOT_FOUND, E_RUNTIME_STALE."""
        row = await self._store.read(lambda c: rows.get(c, action_id))
        if row is None or row.action_type != Kind.VIEW:
            raise AgtmuxError("E_ACTION_NOT_FOUND", f"again: there is no view-output {action_id}")
        meant = await self._resolve(request)
        if (*meant.key, meant.snapshot.runtime_id) != (row.target_id, row.pane_id, row.runtime_id):
            raise AgtmuxError("E_RUNTIME_STALE", "again: another agent runs there now", {"reason": "runtime"})
        _, result = await self._act(request, meant)
        return {**self._answer(row, replayed=False), "result": result}

    async def _once(self, request: Request, digest: str, uid: int | None, pid: int | None) -> tuple[ActionRow, bool]:
        """The row of this request with its result, and whether it was there already."""
        found = await self._store.read(lambda c: rows.find(c, request.kind, request.request_ref))
        if found is not None:
            if found.payload_digest != digest:
                raise _conflict(request)
            return found, True
        refusal = may_be_asked(request)
        if refusal is not None:
            raise refused(refusal)
        caller, why_not = await self._callers.meet(uid, pid)
        meant = await self._resolve(request)
        row = await self._begin(request, digest, caller, meant)
        return await self._finish(row, request, meant, why_not if request.kind is not Kind.VIEW else None), False

    async def _resolve(self, request: Request) -> Meant:
        """Raises E_REF_*, E_RUNTIME_STALE for a runtime that was."""
        parsed = refs.parse(request.ref)
        try:
            key = self._view.resolve(request.ref)
        except AgtmuxError as error:
            if error.code == "E_REF_NOT_FOUND" and isinstance(parsed, refs.RuntimeRef):
                await self._was(parsed.runtime_id)
            raise
        identity = self._view.panes[key]["identity"]
        target = self._door.world.target_named(identity["target"])
        if target is None:
            raise AgtmuxError("E_REF_NOT_FOUND", f"there is no target {identity['target']}")
        where = (target.target_id, identity["pane_id"])
        known = known_of(self._door.world, where, crashed=request.kind is Kind.ACK)
        if isinstance(parsed, refs.RuntimeRef) and known.runtime_id != parsed.runtime_id:
            await self._was(parsed.runtime_id)
        snapshot = Snapshot(*where, known.runtime_id, known.state_version, self._clock())
        return Meant(where, snapshot, parsed.session if isinstance(parsed, refs.PaneRef) else None)

    async def _was(self, runtime_id: str) -> None:
        """Raises E_RUNTIME_STALE for a runtime that is known to have been."""
        known = await self._store.read(
            lambda c: c.execute("SELECT ended_at FROM runtimes WHERE runtime_id = ?", (runtime_id,)).fetchone()
        )
        if known is not None:
            text = f"runtime {runtime_id} has ended: agtmux ls shows what runs now"
            raise AgtmuxError("E_RUNTIME_STALE", text, {"reason": "runtime"})

    async def _begin(self, request: Request, digest: str, caller: Caller, meant: Meant) -> ActionRow:
        now = self._clock()
        metadata = {
            "caller": {"uid": caller.uid, "pid": caller.pid, "command": caller.command},
            "ref": request.ref,
            "request": request.told(self._key),
            "state_version": meant.snapshot.state_version,
        }
        row = ActionRow(
            uuid7(now), request.kind, request.request_ref, digest, *meant.key, meant.snapshot.runtime_id, now, None,
            None, None, None, metadata,
        )  # fmt: skip
        self._failpoint("before_row")
        nonce, snapshot_id = meant.snapshot.nonce(self._key), uuid7(now)
        try:
            await self._store.run(lambda c: rows.begin(c, row, meant.snapshot, snapshot_id, nonce), power_safe=True)
        except sqlite3.IntegrityError as error:
            raise AgtmuxError("E_INTERNAL", "the action could not be recorded, so nothing was done") from error
        self._failpoint("after_row")
        return row

    # ---------------------------------------------------------------- doing

    async def _finish(self, row: ActionRow, request: Request, meant: Meant, forbidden: str | None) -> ActionRow:
        """Do it and keep what came of it. Whatever happens, the row gets its result."""
        started: int | None = None
        error: AgtmuxError | None = None
        result: Result = {}
        try:
            if forbidden is not None:
                text = f"a supervised agent may not act ({forbidden}): allow_agent_actions in the config would let it"
                raise AgtmuxError("E_FORBIDDEN", text, {"reason": "agent"})
            started, result = await self._do(request, meant)
        except AgtmuxError as caught:
            error = caught
        except Exception as caught:  # noqa: BLE001 told below: nobody can say how far it came
            _LOG.exception("action failed", action_id=row.action_id, kind=row.action_type)
            error = AgtmuxError(
                "E_ACTION_INDETERMINATE", f"the daemon failed while it acted: {type(caught).__name__} (see its log)"
            )
        self._failpoint("before_result")
        done = self._outcome(row, started, result, error)
        try:
            await self._store.run(lambda c: rows.finish(c, done), power_safe=True)
        except AgtmuxError as caught:
            raise AgtmuxError(
                "E_ACTION_INDETERMINATE", f"what came of it could not be recorded ({caught.message}): look at the pane"
            ) from caught
        self._failpoint("after_result")
        await self._audit(done)
        self._failpoint("after_event")
        self._keep(done.action_id, {name: result[name] for name in _UNSTORED if name in result})
        return done

    def _keep(self, action_id: str, result: Result) -> None:
        if result:
            self._outputs[action_id] = result
            while len(self._outputs) > _KEPT_OUTPUTS:
                self._outputs.popitem(last=False)

    def _outcome(self, row: ActionRow, started: int | None, result: Result, error: AgtmuxError | None) -> ActionRow:
        metadata = dict(row.metadata)
        code = "done"
        if error is None:
            metadata["result"] = {k: v for k, v in result.items() if k not in _UNSTORED}
        else:
            metadata["error"] = {"message": error.message, "details": error.details}
            code = "failed" if error.code in _FAILED else "refused"
            if error.code == "E_ACTION_INDETERMINATE":
                code = "indeterminate"
        return replace(
            row, started_at=started, completed_at=self._clock(), result_code=code,
            error_code=error.code if error is not None else None, metadata=metadata,
        )  # fmt: skip

    async def _do(self, request: Request, meant: Meant) -> tuple[int, Result]:
        if request.kind is Kind.VIEW:  # it changes nothing: nobody need wait for it
            return await self._act(request, meant)
        lock = self._locks.setdefault(meant.key, asyncio.Lock())
        async with lock:
            return await self._act(request, meant)

    async def _act(self, request: Request, meant: Meant) -> tuple[int, Result]:
        """Read again, decide, act. Raises what speaks against it, or what went wrong."""
        world, key = self._door.world, meant.key
        pane = world.panes.get(key)
        boot_id = pane.boot_id if pane is not None else ""
        crashed = request.kind is Kind.ACK
        known = known_of(world, key, crashed=crashed)
        runtime = world.runtimes.get(known.runtime_id) if known.runtime_id is not None else None
        shown = self._shown(request, meant)
        reached = self._reach(key[0])
        used = await self._used_version(key, known.runtime_id) if known.state in WAITING else None
        reading = Reading(Fresh(None), OnePane(None))
        self._failpoint("before_read")
        for pause in (*_DRAWN_AGAIN, None):
            if request.kind not in _UNREAD:
                reading = await self._reader.read(reached, key[1], boot_id, runtime, screen_claim(world, runtime))
            self._failpoint("after_read")
            # the read took a moment: what the daemon knows may have moved meanwhile
            known = known_of(world, key, crashed=crashed)
            case = Case(request, meant.snapshot, known, reading.fresh, self._clock(), shown, used)
            refusal = decide_unread(case) if request.kind in _UNREAD else decide(case)
            if refusal is None:
                break
            if refusal.reason != "no_composer" or pause is None:
                raise refused(refusal)
            await asyncio.sleep(pause)  # a screen that is being drawn anew; nothing was done yet, so look once more
        context = Context(
            key, boot_id, runtime, case, reading, reached, self._reader, world, self._clock, self._failpoint,
            meant.session,
        )  # fmt: skip
        started = self._clock()
        self._failpoint("before_act")
        try:
            result = await self._acts[request.kind](context)
        except AgtmuxError as error:
            if not context.put or error.code == "E_ACTION_INDETERMINATE":
                raise
            text = f"keys were pressed in {key[1]}, and then: {error.message}"  # who is refused takes nothing for done
            raise AgtmuxError("E_ACTION_INDETERMINATE", text, error.details) from error
        finally:
            if context.put and known.state in WAITING and known.runtime_id and known.state_version is not None:
                self._use(known.runtime_id, known.state_version)
        if request.kind is Kind.ATTACH:  # who goes there, or is told how, has seen the pane as it was checked
            result["snapshot"] = self.nonce_of(key, known.runtime_id, known.state_version)
        self._failpoint("after_act")
        return started, result

    async def _used_version(self, key: PaneKey, runtime_id: str | None) -> int | None:
        """The version of a waiting state of this runtime that got keys last, also from a daemon before this one."""
        if runtime_id is None:
            return None
        if runtime_id not in self._used:
            found = await self._store.read(lambda c: rows.answered_version(c, *key, runtime_id))
            if runtime_id not in self._used:
                self._use(runtime_id, -1 if found is None else found)
        return self._used[runtime_id]

    def _use(self, runtime_id: str, state_version: int) -> None:
        """Note the version. Now and then those of runtimes that have ended are forgotten."""
        alive = self._door.world.runtimes
        if len(self._used) >= len(alive) + _KEPT_USED:
            self._used = {one: version for one, version in self._used.items() if one in alive}
        self._used[runtime_id] = state_version

    def _shown(self, request: Request, meant: Meant) -> Snapshot | None:
        nonce = request.guards.snapshot
        if nonce is None:
            return None
        made = read_nonce(nonce, self._key, *meant.key, meant.snapshot.runtime_id)
        if made is None:
            text = "the snapshot given is not one of this pane and runtime: look again"
            raise AgtmuxError("E_RUNTIME_STALE", text, {"reason": "snapshot"})
        return made

    async def _audit(self, row: ActionRow) -> None:
        """The audit event, by the same door as everything else that is known of a runtime."""
        if row.runtime_id is None:
            return
        now = self._clock()
        runtime = self._door.world.runtimes.get(row.runtime_id)
        kind = f"action:{row.action_type}"
        event = RawEvent(
            event_id=uuid7(now), event_type=kind, source=Source.ACTION,
            agent_type=runtime.agent_type if runtime is not None else "unknown", event_time=row.completed_at or now,
            ingested_at=now, dedupe_key=dedupe_key(Source.ACTION, row.action_id, kind), source_event_id=row.action_id,
            runtime_id=row.runtime_id, target_id=row.target_id, pane_id=row.pane_id, action_id=row.action_id,
            payload={
                "action_id": row.action_id, "result_code": row.result_code, "error_code": row.error_code,
                "uses_up": self._used.get(row.runtime_id),
            },
        )  # fmt: skip
        try:
            await self._door.submit([event])
        except AgtmuxError as error:  # the action row is the record; the event is its echo
            _LOG.warning("audit event not kept", action_id=row.action_id, error=error.message)

    # ---------------------------------------------------------------- telling

    def nonce(self, key: PaneKey) -> str:
        """A nonce that stands for what is known of a pane now."""
        known = known_of(self._door.world, key)
        return self.nonce_of(key, known.runtime_id, known.state_version)

    def nonce_of(self, key: PaneKey, runtime_id: str | None, state_version: int | None) -> str:
        """A nonce that stands for a pane as it is shown now: with this runtime, in this version of its state."""
        return Snapshot(*key, runtime_id, state_version, self._clock()).nonce(self._key)

    def _answer(self, row: ActionRow, *, replayed: bool) -> dict[str, Any]:
        """Raises the error that the action ended with."""
        told = row.metadata.get("error")
        if row.result_code is None or (row.result_code == "indeterminate" and told is None):
            raise AgtmuxError(
                "E_ACTION_INDETERMINATE",
                f"the daemon ended while {row.action_type} ran: nobody can tell whether it was done, look at "
                f"{row.pane_id}",
                {"action_id": row.action_id, "replayed": replayed},
            )
        if told is not None:
            details = {**told["details"], "action_id": row.action_id, "replayed": replayed}
            raise AgtmuxError(row.error_code or "E_INTERNAL", told["message"], details)
        target = self._door.world.targets.get(row.target_id or "")
        item = action_item(row, target.name if target is not None else None)
        result = {**row.metadata.get("result", {}), **self._outputs.get(row.action_id, {})}
        return {**item, "replayed": replayed, "result": result}


def _conflict(request: Request) -> AgtmuxError:
    return AgtmuxError(
        "E_IDEMPOTENCY_CONFLICT",
        f"request_ref {request.request_ref} was used for another {request.kind}: take a new one for a new request",
    )
