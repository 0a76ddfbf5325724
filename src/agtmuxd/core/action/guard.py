"""Decide whether an action may be done to what a pane shows now. None means yes; otherwise the answer is a Refusal.

Pure. The request, the pane that it names, what the daemon knows and what was just read come in as values. The table
NEEDS says what each action needs. runbooks/actions.md shows what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from agtmuxd.core.action.keys import submits
from agtmuxd.core.action.request import Kind, Request, SendParams, Snapshot
from agtmuxd.core.model import NS, WAITING, Claim, PaneRow, State, WaitingFor
from agtmuxd.core.screen.controls import InputField
from agtmuxd.core.screen.field_mode import FieldMode, TextMethod


@dataclass(frozen=True, slots=True)
class KnownState:
    """What the daemon knows about the pane. Without an agent everything is None.

    ``fingerprint``: of its open prompt.
    """

    runtime_id: str | None = None
    state: State | None = None
    state_version: int | None = None
    updated_at: int | None = None
    agent_type: str | None = None
    headless: bool = False
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class CurrentPane:
    """What was read right before the action. ``row`` None: the server has no such pane.

    - ``alive``: the runtime's own process lives in this pane.
    - ``other``: an agent that has no runtime yet.
    - ``stopped``: that process, a part of it or its parent there is stopped (SIGSTOP, Ctrl-Z) and reads nothing.
    - ``holds``: although stopped, its process group is still the foreground one of its terminal: nothing took it over.
    """

    row: PaneRow | None
    same_server: bool = True
    synchronized: bool = False
    input_off: bool = False
    alive: bool = False
    foreground: bool = False
    stopped: bool = False
    holds: bool = False
    other: str | None = None
    claim: Claim | None = None
    rule: str | None = None
    waiting: WaitingFor | None = None
    field: InputField = InputField.ABSENT
    modes: tuple[FieldMode, ...] = ()  # modes of the input field in which keys are not simply text
    at_end: bool = False  # the cursor is at the end of the typed text
    has_field_rules: bool = True  # the rules describe this agent's input field
    takes_text: bool = False  # the rule of this screen says that text goes to the input field


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an action is refused. ``reason`` is one word for programs. ``message`` says what to do."""

    code: str
    reason: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Requirements:
    """What one kind of action needs."""

    agent: bool  # an active runtime whose process lives
    version: bool = True  # the state has not changed since the request was resolved
    writes: bool = False  # the action puts something into the pane
    front: bool = False  # the agent is in the foreground of its terminal
    turning: bool = False  # a turn is in progress: at an idle prompt the key would do something else
    prompt: frozenset[Claim] = frozenset()  # such a dialog is on the screen, with the fingerprint that the caller saw


_APPROVAL: Final = frozenset({Claim.WAITING_APPROVAL})
_WAITS: Final = frozenset({Claim.WAITING_APPROVAL, Claim.WAITING_INPUT})

NEEDS: Final[dict[Kind, Requirements]] = {
    Kind.ATTACH: Requirements(agent=False),
    Kind.VIEW: Requirements(agent=False, version=False),
    Kind.SEND: Requirements(agent=False, writes=True),
    Kind.KILL: Requirements(agent=False),
    Kind.APPROVE: Requirements(agent=True, writes=True, front=True, prompt=_APPROVAL),
    Kind.DENY: Requirements(agent=True, writes=True, front=True, prompt=_APPROVAL),
    Kind.ANSWER: Requirements(agent=True, writes=True, front=True, prompt=_WAITS),
    Kind.INTERRUPT: Requirements(agent=True, writes=True, front=True, turning=True),
    Kind.ACK: Requirements(agent=False),
}

_TURNING: Final = WAITING | {State.RUNNING}
_QUIET: Final = frozenset({Claim.NOT_RUNNING, Claim.IDLE, Claim.COMPLETED, Claim.ERROR})


@dataclass(frozen=True, slots=True)
class GuardInput:
    """Everything that one decision is based on.

    ``resolved``: the pane and runtime of the request. ``known``: what the daemon knows. ``current``: what was just
    read. ``snapshot``: the snapshot of the caller's nonce. ``now`` is in ns.
    """

    request: Request
    resolved: Snapshot
    known: KnownState
    current: CurrentPane
    now: int
    snapshot: Snapshot | None = None
    used: int | None = None  # the version of a waiting state whose prompt already received keys
    own_draft: int | None = None  # the characters of the field's text, if it is one that agtmux typed

    @property
    def needs(self) -> Requirements:
        """The requirements of the requested action."""
        return NEEDS[self.request.kind]


def may_be_asked(request: Request) -> Refusal | None:
    """Return why the request is invalid whatever the pane shows, or None."""
    guards, kind = request.guards, request.kind
    if NEEDS[kind].prompt:
        if guards.force_stale:
            text = f"force_stale cannot be used with {kind}, which acts only on the prompt that you saw: leave it out"
            return Refusal("E_INVALID_REQUEST", "force_stale", text)
        if guards.if_state_version is None or guards.if_fingerprint is None:
            text = f"{kind} needs if_state_version and if_fingerprint of the prompt that you saw"
            return Refusal("E_INVALID_REQUEST", "unseen", text)
    return None


def can_answer(request: Request) -> bool:
    """Return whether the request could answer a dialog: by its kind, or by keys, or because it names a state."""
    params = request.params
    return bool(NEEDS[request.kind].prompt) or (
        isinstance(params, SendParams) and bool(params.keys or request.guards.if_state)
    )


def decide(case: GuardInput) -> Refusal | None:
    """Return the first reason against the action, or None."""
    for check in (_identity, _stopped, _used, _caller_guards, _prompt, _pane, _agent, _kind):
        refusal = check(case)
        if refusal is not None:
            return refusal
    return None


def decide_unread(case: GuardInput) -> Refusal | None:
    """Return the same for actions that do not read the pane: only what the daemon knows counts."""
    refusal = same_runtime(case) or _caller_guards(case)
    wanted = case.request.guards.if_fingerprint
    if refusal is None and wanted is not None and wanted != case.known.fingerprint:
        return _unmet("fingerprint", "this is not the prompt that you saw: look again")
    return refusal


def same_runtime(case: GuardInput) -> Refusal | None:
    """Return a refusal if the pane or the runtime is no longer the one that the request was for."""
    wanted = case.request.guards.if_runtime
    if case.known.runtime_id != case.resolved.runtime_id:
        return _stale("another agent runs in that pane now")
    if wanted is not None and wanted != case.known.runtime_id:
        holds = f"if_runtime does not match: runtime {case.known.runtime_id} is in the pane"
        return _stale(holds if case.known.runtime_id else "no agent runs in that pane any more")
    return None


def _stale(why: str) -> Refusal:
    return Refusal(
        "E_RUNTIME_STALE", "runtime", f"the request was for another runtime: {why}; run agtmux ls to see what runs now"
    )


def _unmet(reason: str, message: str, **details: Any) -> Refusal:
    return Refusal("E_PRECONDITION_FAILED", reason, message, details)


def _identity(case: GuardInput) -> Refusal | None:
    fresh, known = case.current, case.known
    if fresh.row is None or not fresh.same_server:
        if case.resolved.runtime_id is not None:
            return _stale("its pane is gone")
        return Refusal(
            "E_REF_NOT_FOUND",
            "gone",
            f"the pane {case.resolved.pane_id} is gone: run agtmux list panes --all to see panes",
        )
    refusal = same_runtime(case)
    if refusal is not None:
        return refusal
    if known.runtime_id is not None and not fresh.alive:
        return _stale("its process has ended")
    if case.needs.agent and known.runtime_id is None:
        return _unmet("no_agent", f"no agent runs in {case.resolved.pane_id}: there is nothing to {case.request.kind}")
    return None


def _writes(case: GuardInput) -> bool:
    return case.needs.writes or (case.request.kind is Kind.KILL and getattr(case.request.params, "mode", "") == "key")


def _stopped(case: GuardInput) -> Refusal | None:
    """Refuse to type at a stopped agent: the keys would wait in its terminal for whatever it shows when it resumes."""
    params = case.request.params
    to_shell = isinstance(params, SendParams) and params.shell and not case.current.holds
    if not case.current.stopped or to_shell or not _writes(case):
        return None
    text = f"{case.known.agent_type} in {case.resolved.pane_id} is suspended; resume it in its pane with fg"
    return _unmet("suspended", text)


def _used(case: GuardInput) -> Refusal | None:
    """Refuse a prompt that already received keys, by the version of its state: the next prompt may look the same."""
    known, guards = case.known, case.request.guards
    if case.used is None or known.state not in WAITING:
        return None
    named = guards.if_state_version if case.needs.prompt else known.state_version
    if named != case.used or not (case.needs.prompt or (case.request.kind is Kind.SEND and not guards.force_stale)):
        return None
    return _unmet(
        "answered", f"this prompt was already answered (state version {named}): look again at what it asks now"
    )


def _caller_guards(case: GuardInput) -> Refusal | None:
    """Check version, age and state. ``force_stale`` skips version and age, but not ``if_state``."""
    guards, known, force = case.request.guards, case.known, case.request.guards.force_stale
    for given, what in ((case.snapshot, "the snapshot given"), (case.resolved, "the request")):
        if given is None or force:
            continue
        if case.now > given.expires_at:
            text = f"{what} is older than 30 s: look at the pane again, then repeat the action"
            return Refusal("E_SNAPSHOT_EXPIRED", "expired", text)
        if (given is case.snapshot or case.needs.version) and given.state_version != known.state_version:
            return _version(given.state_version, known)
    if guards.if_state_version is not None and not force and guards.if_state_version != known.state_version:
        return _version(guards.if_state_version, known)
    if guards.if_updated_within is not None and not force:
        age = None if known.updated_at is None else max(0.0, (case.now - known.updated_at) / NS)
        if age is None or age > guards.if_updated_within:
            change = "has no state" if age is None else f"changed {age:.1f} s ago"
            return _unmet("age", f"if_updated_within {guards.if_updated_within:g} does not hold: the pane {change}")
    if guards.if_state and str(known.state or "") not in guards.if_state:
        return _unmet(
            "state", f"if_state {','.join(guards.if_state)}: the pane is {known.state or 'without an agent'}",
            state=None if known.state is None else str(known.state),
        )  # fmt: skip
    return None


def _version(wanted: int | None, known: KnownState) -> Refusal:
    return _unmet(
        "state_version",
        f"the state changed: the request was for version {wanted}, it is now {known.state_version} "
        f"({known.state or 'no agent'}): look again",
        state_version=known.state_version, state=None if known.state is None else str(known.state),
    )  # fmt: skip


def _prompt(case: GuardInput) -> Refusal | None:
    wanted = case.request.guards.if_fingerprint
    seen = case.current.waiting.fingerprint if case.current.waiting is not None else None
    need = case.needs.prompt
    if need and case.current.claim not in need:
        what = "approval" if need == _APPROVAL else "question or dialog"
        return _unmet("no_prompt", f"there is no open {what} on the screen of {case.resolved.pane_id}")
    if wanted is not None and wanted != seen:
        found = "no prompt is open now" if seen is None else "another one is on the screen"
        return _unmet("fingerprint", f"this is not the prompt that you saw: {found}; look again")
    return None


def _pane(case: GuardInput) -> Refusal | None:
    request, fresh = case.request, case.current
    row = fresh.row
    if row is None or not _writes(case):
        return None
    if row.dead:
        return _unmet("dead", f"the program in {row.pane_id} has ended: its pane is dead")
    if not row.pid:
        return _unmet("dead", f"no program runs in {row.pane_id}, so nothing would read the keys")
    if row.in_mode and not (isinstance(request.params, SendParams) and request.params.leave_mode):
        way = ": add --leave-mode to leave it" if request.kind is Kind.SEND else ": leave it first (press q)"
        return _unmet("copy_mode", f"{row.pane_id} is in copy mode, which would receive the keys{way}")
    if fresh.synchronized:
        return _unmet(
            "synchronized",
            f"{row.pane_id} sends its keys to other panes too: run tmux set-option -p synchronize-panes off first",
        )
    if fresh.input_off:
        text = f"input to {row.pane_id} is switched off: run tmux select-pane -e -t {row.pane_id} first"
        return _unmet("input_off", text)
    return None


def _agent(case: GuardInput) -> Refusal | None:
    """Check what is in the foreground: the agent that was meant, or a shell if a shell was meant."""
    fresh, known, request = case.current, case.known, case.request
    if case.needs.front and not fresh.foreground:
        return _unmet(
            "background",
            f"{known.agent_type} is not in the foreground of {case.resolved.pane_id}: bring it there with fg",
        )
    if not isinstance(request.params, SendParams):
        return None
    there = known.runtime_id is not None and fresh.foreground
    name = fresh.other or (known.agent_type if there else None)
    if request.params.shell:
        if name is not None:
            return _unmet(
                "agent_there",
                f"--shell was given, but {name} is in the foreground of {case.resolved.pane_id}: leave --shell out",
            )
        return None
    if not there:
        who = f"{name} has just started there" if name else "no agent is in its foreground"
        text = f"{case.resolved.pane_id}: {who}, and a shell would run the text: add --shell if you want that"
        return _unmet("shell", text)
    if known.headless:
        text = f"{known.agent_type} runs without a terminal interface and reads no keys"
        return Refusal("E_UNSUPPORTED", "headless", text)
    return None


def _kind(case: GuardInput) -> Refusal | None:
    checks: dict[Kind, Callable[[GuardInput], Refusal | None]] = {
        Kind.SEND: _send, Kind.INTERRUPT: _turning, Kind.KILL: _turning
    }  # fmt: skip
    check = checks.get(case.request.kind)
    return None if check is None else check(case)


def _turning(case: GuardInput) -> Refusal | None:
    known = case.known
    if known.runtime_id is None or getattr(case.request.params, "mode", "key") == "signal":
        return None
    if known.state not in _TURNING or case.current.claim in _QUIET:
        text = f"{known.agent_type} is {known.state} and no turn runs: the key would quit it or change its input"
        if case.request.kind is Kind.KILL:
            text += "; to end it, use --mode signal --signal TERM"
        return _unmet("not_running", text, state=None if known.state is None else str(known.state))
    if not case.current.foreground:
        return _unmet(
            "background",
            f"{known.agent_type} is not in the foreground of {case.resolved.pane_id}: bring it there with fg",
        )
    return None


def _send(case: GuardInput) -> Refusal | None:
    params, fresh, known = case.request.params, case.current, case.known
    if not isinstance(params, SendParams) or params.shell:
        return None
    named = str(known.state or "") in case.request.guards.if_state
    if (fresh.claim in _WAITS or known.state in WAITING) and (named or not asks_for_text(known, fresh)):
        # The dialog on the screen must be the one that the caller named, not one that has just opened.
        meant = named and known.state in WAITING and (fresh.claim is None or str(fresh.claim) == str(known.state))
        what = f"{fresh.claim or known.state}"
        if params.clear_own_draft:
            text = f"a dialog is open ({what}), keys would answer it: answer it first, then remove the text"
            return _unmet("dialog_open", text, state=what)
        if not meant:
            return _unmet(
                "dialog_open", f"a dialog is open ({what}), keys would answer it: add --if-state {what} to do that",
                state=what,
            )  # fmt: skip
        return None
    if params.clear_own_draft:
        return _clear(case)
    puts = params.text is not None or params.enter or any(submits(key) for key in params.keys)
    if not puts:
        return None
    if fresh.field is InputField.ABSENT:
        typed = params.text is not None or params.enter
        if named and not (typed and fresh.has_field_rules):  # keys alone may be meant for what is on the screen
            return None
        what = f"the input field of {known.agent_type} is not on the screen"
        way = "agtmux attach" if fresh.has_field_rules else "--if-state if meant for"
        return _unmet("no_composer", f"{what}: {way} {case.resolved.pane_id}")
    where = case.resolved.pane_id
    for mode in fresh.modes:
        refusal = _mode(params, mode, fresh.field, where)
        if refusal is not None:
            return refusal
    if fresh.field is InputField.OFFERED and params.text is None and not params.over_draft:
        text = "the input field shows a text that Enter may submit: add --over-draft if you want that"
        return _unmet("draft", text)
    if fresh.field not in (InputField.FREE, InputField.OFFERED) and not params.over_draft:
        if case.own_draft is not None:
            text = "the input field holds a text that agtmux itself typed and did not submit"
            return _unmet("draft", f"{text}: run agtmux send {where} --clear-own-draft to remove it", own=True)
        held = "a draft" if fresh.field is InputField.DRAFT else "what may be a draft"
        return _unmet("draft", f"the input field holds {held}: use --over-draft to add to it")
    if fresh.field is InputField.DRAFT and params.text is not None and not fresh.at_end:
        text = f"the text would go into the middle of the draft in {where}, not to its end"
        return _unmet("draft", f"{text}; agtmux attach {where}")
    return None


def asks_for_text(known: KnownState, fresh: CurrentPane) -> bool:
    """Return whether the agent asks something that a text in its input field answers. There is no dialog then."""
    return known.state is State.WAITING_INPUT and fresh.claim is Claim.WAITING_INPUT and fresh.takes_text


def _clear(case: GuardInput) -> Refusal | None:
    """Refuse to remove anything but a whole text that agtmux typed."""
    fresh, where = case.current, case.resolved.pane_id
    if fresh.field is InputField.ABSENT:
        text = f"the input field of {case.known.agent_type} is not on the screen"
        return _unmet("no_composer", f"{text}: agtmux attach {where}")
    if fresh.field in (InputField.FREE, InputField.OFFERED):
        return _unmet("no_draft", f"the input field in {where} is empty: there is nothing to remove")
    if case.own_draft is None:
        text = f"the input field in {where} holds a text that agtmux did not type, or that was changed since"
        return _unmet("draft", f"{text}: agtmux attach {where}", own=False)
    mode = next((mode for mode in fresh.modes if mode.text is not TextMethod.KEYS), None)
    if mode is not None:
        text = f"the input field is in {mode.name}, where keys may be commands"
        return _unmet("field_mode", f"{text}: agtmux attach {where}", mode=mode.name)
    if not fresh.at_end:
        text = f"the cursor is not at the end of the text in {where}, so only a part would be removed"
        return _unmet("draft", f"{text}: agtmux attach {where}", own=True)
    return None


def _mode(params: SendParams, mode: FieldMode, field: InputField, where: str) -> Refusal | None:
    """Refuse text that would not be a prompt in this mode of the input field."""
    if mode.text is TextMethod.NONE:
        text = f"the input field is in {mode.name}, where the text would not be a prompt; leave that mode first"
        return _unmet("field_mode", f"{text}: agtmux attach {where}", mode=mode.name)
    if mode.enter and params.text is not None and field in (InputField.DRAFT, InputField.UNSURE):
        text = f"the input field is in {mode.name} and takes no text there; its draft stays"
        return _unmet("field_mode", f"{text}: agtmux attach {where}", mode=mode.name)
    if mode.text is TextMethod.PASTE and params.text is not None and params.paste is False:
        return _unmet("field_mode", f"in {mode.name}, letters are commands: leave --no-paste out", mode=mode.name)
    return None
