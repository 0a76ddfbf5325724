"""Decide the one state of a runtime from its registers: freshness, precedence, demotion, and why.

Pure: ``resolve(registers, marks, life, now)`` returns the same result for the same arguments. Knows no agent by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from agtmuxd.core.model import MS, NS, WAITING, Claim, Source, State, Strength, WaitingFor
from agtmuxd.core.state.ordering import Stamp
from agtmuxd.core.state.registers import SCREEN_LAG, WAITS, Marks, Register, Registers, retired

DEMOTE_AFTER = 120 * NS
PANE_FRESH = 10 * NS
HOLD_BACK = SCREEN_LAG + 300 * MS
"""How long a completion waits for the screen to contradict it: until a reading may count against it, and one more."""
LOOK = 60 * MS
"""How soon the screen is sampled again while a completion waits for it."""
STARTING = 15 * NS
TTL: dict[Claim, int] = {
    Claim.WAITING_APPROVAL: 600 * NS,
    Claim.WAITING_INPUT: 600 * NS,
    Claim.ERROR: 600 * NS,
    Claim.RUNNING: 60 * NS,
    Claim.COMPLETED: 0,
    Claim.IDLE: 0,
    Claim.NOT_RUNNING: 0,
}
"""How long a claim outlives the last reading of its pane, in addition to PANE_FRESH."""
HINT_TTL = 5 * NS

_ORDER = {c: i for i, c in enumerate(Claim)}
_PAST = WAITS | {Claim.IDLE}
"""Claims of a screen or status that, if newer than a failure, show that the failure is over."""
_HELD_BACK = frozenset({Claim.COMPLETED, Claim.NOT_RUNNING})
_STATE = {
    Claim.ERROR: State.ERROR,
    Claim.WAITING_APPROVAL: State.WAITING_APPROVAL,
    Claim.WAITING_INPUT: State.WAITING_INPUT,
    Claim.RUNNING: State.RUNNING,
    Claim.COMPLETED: State.COMPLETED,
    Claim.IDLE: State.IDLE,
    Claim.NOT_RUNNING: State.IDLE,
}


@dataclass(frozen=True, slots=True)
class RuntimeFacts:
    """Facts about the runtime that no source claims."""

    started_at: int
    pane_read_at: int  # last good reading of its pane (ns), 0 for none
    target_down: bool = False
    suspended: bool = False
    unread: bool = False  # tmux lists its pane in a way that cannot be read


@dataclass(frozen=True, slots=True)
class Evidence:
    """One register as ``resolve`` used it. ``discarded_because`` is None if it decided the state or agreed with it."""

    register: Register
    fresh: bool
    retired_by: str | None
    retired_at: int | None
    used: bool
    discarded_because: str | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """The state and its reasons.

    ``next_wake``: when time alone may change the state (ns), None for never. ``fixed_wake``: the same if the pane goes
    on being read without a change, so that nothing goes stale.
    """

    state: State
    reason_code: str | None
    confidence: str
    since: int
    source: Source | None
    waiting_for: WaitingFor | None
    accepts_input: bool | None
    background_tasks: int
    next_wake: int | None
    fixed_wake: int | None
    considered: tuple[Evidence, ...]


def _expires(register: Register, life: RuntimeFacts) -> int:
    """Return when this claim goes stale (ns) if the pane is not read again.

    A level depends on its own readings: reading the pane does not refresh a status file that is gone.
    """
    read = register.last_seen if register.is_level else max(life.pane_read_at, register.last_seen)
    if register.entry.strength is Strength.HINT:
        return read + HINT_TTL
    claim = register.entry.claim
    return read + PANE_FRESH + (TTL[claim] if claim is not None else 0)


def _unknown(reason: str, since: int, considered: tuple[Evidence, ...], wake: int | None, tasks: int) -> Resolution:
    return Resolution(State.UNKNOWN, reason, "low", since, None, None, None, tasks, wake, wake, considered)


def resolve(registers: Registers, marks: Marks, life: RuntimeFacts, now: int) -> Resolution:
    """Return the state of one living runtime at ``now`` (ns)."""
    standing: list[Register] = []
    facts: dict[tuple[Source, str], tuple[bool, tuple[str, int] | None]] = {}
    wakes: list[int] = []
    stale: list[int] = []  # each further reading moves these
    for key, register in registers.items():
        gone = retired(register, marks)
        expires = _expires(register, life)
        fresh = now < expires
        facts[key] = (fresh, gone)
        read_on = not register.is_level or register.last_seen == life.pane_read_at
        if fresh and register.source is Source.POLLER and register.entry.accepts_input is not None:
            (stale if read_on else wakes).append(expires)
        if register.entry.claim is None or gone is not None:
            continue
        if fresh:
            standing.append(register)
            (stale if read_on else wakes).append(expires)
    tasks = _background(registers)
    strong = [r for r in standing if r.entry.strength is Strength.DEFINITIVE]
    claims = strong or standing
    if life.target_down:
        return _unknown("target_unreachable", now, _explain(registers, facts, (), "target is down"), None, tasks)
    if life.unread:
        return _unknown("pane_unreadable", now, _explain(registers, facts, (), "pane cannot be read"), None, tasks)
    if life.suspended:
        return _unknown("suspended", now, _explain(registers, facts, (), "process is stopped"), None, tasks)
    if not claims:
        reason, wake = _why_nothing(registers, facts, life, now)
        return _unknown(reason, now, _explain(registers, facts, (), "stale"), wake, tasks)
    claim, wake = _decide(claims, now)
    held = _held_back(claim, claims, registers, now)
    if held is not None:
        claim, claims, wake = Claim.RUNNING, [held[0]], held[1]
    if wake is not None:
        wakes.append(wake)
    winners = [r for r in claims if _claim_at(r, now) is claim]
    first = min(winners, key=lambda r: (_claimed_since(r, now), r.source, r.subject))
    since = _claimed_since(first, now)
    state = _STATE[claim]
    return Resolution(
        state=state,
        reason_code="agent_error" if state is State.ERROR else None,
        confidence=_confidence(winners),
        since=since,
        source=first.source,
        waiting_for=_waiting_for(state, winners),
        accepts_input=_accepts_input(registers, facts, state),
        background_tasks=tasks,
        next_wake=min((w for w in (*wakes, *stale) if w > now), default=None),
        fixed_wake=min((w for w in wakes if w > now), default=None),
        considered=_explain(registers, facts, winners, f"outranked by {claim}"),
    )


def _claim_at(register: Register, now: int) -> Claim | None:
    """Return what a register claims at this time. A completion older than DEMOTE_AFTER is idle."""
    entry = register.entry
    demoted = entry.claim is Claim.COMPLETED and now >= entry.since + DEMOTE_AFTER
    return Claim.IDLE if demoted else entry.claim


def _claimed_since(register: Register, now: int) -> int:
    entry = register.entry
    return entry.since if _claim_at(register, now) is entry.claim else entry.since + DEMOTE_AFTER


def _decide(claims: list[Register], now: int) -> tuple[Claim, int | None]:
    """Return the claim that wins by precedence, and when (ns) the next completion is demoted.

    A dialog that opened after a failure goes before it; the failure shows again after the dialog. If a screen or status
    since then shows that there is nothing to look at (cleared, interrupted), the failure is over.
    """
    failed = max((r.entry.since for r in claims if r.entry.claim is Claim.ERROR), default=None)
    if failed is not None and any(r.is_level and r.entry.claim in _PAST and r.entry.since > failed for r in claims):
        claims = [r for r in claims if r.entry.claim is not Claim.ERROR]
    values = [claim for r in claims if (claim := _claim_at(r, now)) is not None]
    due = [r.entry.since + DEMOTE_AFTER for r in claims if _claim_at(r, now) is Claim.COMPLETED]
    return min(values, key=_ORDER.__getitem__), min(due, default=None)


def _held_back(claim: Claim, claims: list[Register], registers: Registers, now: int) -> tuple[Register, int] | None:
    """Return ``(level, until)`` while a completion waits for the screen.

    A queued prompt starts its turn without an event.

    An end of unknown kind waits the same way: the screen shows the kind, or another event right after it reports it.
    The wait lasts only while a level that showed the turn has not turned quiet since, and never longer than HOLD_BACK.
    """
    if claim not in _HELD_BACK:
        return None
    edges = [r for r in claims if r.entry.claim is claim and not r.is_level]
    if not edges:
        return None
    ended = max(r.entry.since for r in edges)
    if now >= ended + HOLD_BACK:
        return None
    levels = [r for r in registers.values() if r.is_level and r.subject == "turn"]
    for register in levels:
        if register.entry.claim is not Claim.RUNNING and register.last_seen > ended:
            return None
    busy = [r for r in levels if r.entry.claim is Claim.RUNNING and r.last_seen > ended - PANE_FRESH]
    return (max(busy, key=_by_reading), ended + HOLD_BACK) if busy else None


def _by_reading(register: Register) -> tuple[int, Stamp, str, str]:
    """Return a sort key that is total: among equals the same register is chosen, whatever arrived first."""
    return register.last_seen, register.entry.stamp, register.source, register.subject


def _background(registers: Registers) -> int:
    """Return the number of background tasks: the newest count of any source. A level counts at its last reading."""
    counting = [r for r in registers.values() if r.entry.background_tasks is not None]
    if not counting:
        return 0
    newest = max(counting, key=lambda r: (r.holds_until, *_by_reading(r)))
    return newest.entry.background_tasks or 0


def _why_nothing(
    registers: Registers,
    facts: dict[tuple[Source, str], tuple[bool, tuple[str, int] | None]],
    life: RuntimeFacts,
    now: int,
) -> tuple[str, int | None]:
    claims = [k for k, r in registers.items() if r.entry.claim is not None]
    if any(facts[k][1] is None and not facts[k][0] for k in claims):
        return "stale_signal", None
    if now < life.started_at + STARTING:
        return "starting", life.started_at + STARTING
    if any(r.source is Source.POLLER for r in registers.values()):
        return "unsupported_signal", None
    return "no_signal", None


def _confidence(winners: list[Register]) -> str:
    if all(r.entry.strength is Strength.HINT for r in winners):
        return "low"
    if any(r.source is not Source.POLLER for r in winners):
        return "high"
    return "medium"


def _waiting_for(state: State, winners: Iterable[Register]) -> WaitingFor | None:
    """Return the prompt, merged from all registers that describe it: the screen knows its text, the hook its tool.

    If hooks reported several requests, nothing says which one the screen shows. Then only the screen counts.
    """
    if state not in WAITING:
        return None
    prompts = [r for r in winners if r.entry.waiting_for is not None]
    prompts.sort(key=lambda r: (r.source is not Source.POLLER, -r.entry.since, r.source, r.subject))
    shown = [r for r in prompts if r.is_level]
    if shown and len(prompts) > len(shown) + 1:
        prompts = shown
    merged: WaitingFor | None = None
    for register in prompts:
        prompt = register.entry.waiting_for
        if prompt is None:
            continue
        if merged is None:
            merged = prompt
        else:
            merged = replace(
                merged,
                subject=merged.subject or prompt.subject,
                text=merged.text or prompt.text,
                options=merged.options or prompt.options,
                fingerprint=merged.fingerprint or prompt.fingerprint,
            )
    if merged is None:
        return WaitingFor("approval" if state is State.WAITING_APPROVAL else "dialog")
    if state is State.WAITING_APPROVAL and merged.kind != "approval":
        return replace(merged, kind="approval")
    return merged


def _accepts_input(
    registers: Registers, facts: dict[tuple[Source, str], tuple[bool, tuple[str, int] | None]], state: State
) -> bool | None:
    """Return what the screen last showed about the input field.

    None if the screen was not read in time, or if it does not show the dialog yet that a hook or the status file
    reported.
    """
    screens = [r for r in registers.values() if r.source is Source.POLLER and r.entry.accepts_input is not None]
    if not screens:
        return None
    newest = max(screens, key=_by_reading)
    if state in WAITING and newest.entry.claim not in WAITS:
        return None
    return newest.entry.accepts_input if facts[(newest.source, newest.subject)][0] else None


def _explain(
    registers: Registers,
    facts: dict[tuple[Source, str], tuple[bool, tuple[str, int] | None]],
    winners: Iterable[Register],
    otherwise: str,
) -> tuple[Evidence, ...]:
    chosen = {(r.source, r.subject) for r in winners}
    out = []
    for key, register in registers.items():
        fresh, gone = facts[key]
        why: str | None = None
        if register.entry.claim is None:
            why = "claims nothing"
        elif gone is not None:
            why = f"retired: {gone[0]}"
        elif not fresh:
            why = "stale"
        elif key not in chosen:
            why = otherwise if register.entry.strength is Strength.DEFINITIVE else "only a hint"
        out.append(Evidence(register, fresh, gone[0] if gone else None, gone[1] if gone else None, why is None, why))
    return tuple(out)


def recheck_at(registers: Registers, now: int) -> int | None:
    """Return when a level that contradicts a newer edge may count, so that it is sampled again then.

    None if no level does.

    While a completion waits for the screen, the screen is sampled as often as possible.
    """
    edges = [r for r in registers.values() if not r.is_level and r.entry.claim is not None]
    if not edges:
        return None
    last = max(edges, key=lambda r: r.entry.since)
    newest = last.entry.since
    if last.entry.claim in _HELD_BACK and now < newest + HOLD_BACK:
        busy = (r for r in registers.values() if r.is_level and r.entry.claim is Claim.RUNNING)
        if any(r.last_seen > newest - PANE_FRESH for r in busy):
            return now + LOOK
    due = [
        newest + r.lag + MS
        for r in registers.values()
        if r.is_level and r.entry.claim is not None and r.holds_until <= newest < now + r.lag
    ]
    pending = [d for d in due if d > now]
    return min(pending, default=None)
