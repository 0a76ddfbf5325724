"""Apply claims to registers, and keep the marks up to which older claims are retired.

Pure. A register keeps its newest claim; a mark is a maximum. So both do not depend on the order in which events arrive.
Knows nothing of precedence, freshness or states: see ``resolve``.

The retirement table below is part of the contract (docs/reference/states.md, retire). docs/retirement.md is drawn from
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from agtmuxd.core.model import LEVELS, MS, NS, Claim, Phase, Source, Strength, WaitingFor, Write
from agtmuxd.core.state.ordering import Stamp

SCREEN_LAG = 300 * MS
"""How long a screen may lag behind a hook before it counts against it."""
STATUS_LAG = 500 * MS
"""The same for a status file: it was seen on disk up to 457 ms after the hook of the same change."""
TURN_START = "turn_start"
"""The mark of the newest turn start."""
OVERRUN = 3000 * MS
"""If a level still claims running this long after a turn's end, it shows the next turn."""
BLIP = 500 * MS
"""How long a level must claim running before a completion from before that counts as the last turn's."""
UNDRAWN = 1000 * MS
"""How long a level must go on claiming running, after a wait was reported, before it retires that wait.

By then the wait was answered, or its dialog never appeared. A busy machine draws a dialog up to 0.8 s after the hook
that reports it.
"""
REDRAW = UNDRAWN - SCREEN_LAG
"""A turn that was reported as interrupted or cleared may stay on the screen for UNDRAWN more.

It may also appear once more behind a dialog that was refused: on a busy machine one did so for half a second.
"""
LATEST = 3600 * NS
"""The longest delay between an event's moment and its arrival, in cases where no mark retires the event."""
MANY = 40
"""Up to this many registers of one runtime are kept without checking which of them still matter."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The claim of one event about one subject."""

    claim: Claim | None
    phase: Phase
    strength: Strength
    rule: str
    since: int  # effective time of the event
    stamp: Stamp
    seq: int | None = None
    waiting_for: WaitingFor | None = None
    accepts_input: bool | None = None
    background_tasks: int | None = None
    detail: str | None = None
    late: int = 0  # ns: additional lag of this agent's screen


@dataclass(frozen=True, slots=True)
class Register:
    """The newest claim for one ``(source, subject)``.

    ``last_seen`` moves when a level is read again with the same claim.
    """

    source: Source
    subject: str
    entry: Entry
    last_seen: int
    shadow: Entry | None = None
    """The newest entry by time, while ``entry`` is the newest by ``source_seq``.

    Replaces it once an event without a seq arrives.
    """
    ordered_by_seq: bool = False

    @property
    def is_level(self) -> bool:
        """Whether this is a level. Otherwise it is an edge."""
        return self.source in LEVELS

    @property
    def holds_until(self) -> int:
        """The moment up to which this claim is proven. For an edge: its time.

        For a level: its lag before it was last read.
        """
        if not self.is_level:
            return self.entry.since
        return max(self.entry.since, self.last_seen - self.lag)

    @property
    def lag(self) -> int:
        """How long this level may lag behind an event, in ns."""
        return lag(self.source, self.entry)


def lag(source: Source, entry: Entry) -> int:
    """Return how long (ns) a level with this entry may lag behind an event.

    ``late`` counts only for a quiet claim: an agent that draws its turn late leaves a screen without a turn. A turn
    that is on the screen is really there.
    """
    late = entry.late if entry.claim in QUIET else 0
    return (STATUS_LAG if source is Source.STATUS else SCREEN_LAG) + late


Registers = Mapping[tuple[Source, str], Register]
Marks = Mapping[str, int]

WAITS = frozenset({Claim.WAITING_APPROVAL, Claim.WAITING_INPUT})
WORKS = WAITS | {Claim.RUNNING}
ENDS = frozenset({Claim.COMPLETED, Claim.IDLE, Claim.ERROR})
QUIET = ENDS | {Claim.NOT_RUNNING}


@dataclass(frozen=True, slots=True)
class Retirement:
    """One row of the table: which claims (``by_*``) retire which older claims of which subjects.

    ``at`` selects the moment that older claims are compared with. "First claimed" is when the retiring source began to
    make its claim.

    - ``since``: first claimed.
    - ``redraw``: REDRAW after that.
    - ``redrawn``: UNDRAWN before it, so that it does not count while ``redraw`` retires it.
    - ``began``: the level's lag before it, so that a lagging screen of the turn that ended does not count as the next
      turn.
    - ``stayed``: the same as ``began``, once the claim has lasted for BLIP.
    - ``holds``: up to when the claim is proven. It grows with each reading of a level.
    - ``overrun``, ``undrawn``: ``holds`` less OVERRUN or UNDRAWN, once the claim has lasted longer than that.
    """

    mark: str
    summary: str
    by_level: bool
    by_phases: frozenset[Phase]
    by_claims: frozenset[Claim]
    retires: frozenset[Claim]
    subjects: tuple[str, ...]  # exact names, or a prefix ending in ":*"
    of_levels: bool | None  # True: retires levels only, False: edges only, None: both
    at: str = "since"


FROM_SINCE = {"since": 0, "redraw": REDRAW, "redrawn": -UNDRAWN}
"""The values of ``at`` that lie at a fixed distance (ns) from when the retiring source first made its claim."""
_LATER = {"overrun": OVERRUN, "undrawn": UNDRAWN}
_ANY_PHASE = frozenset(Phase)
_MAIN = ("turn", "approval:main", "tool:*")

RETIREMENTS: tuple[Retirement, ...] = (
    Retirement(
        TURN_START, "the start of a turn retires all older claims about the main agent",
        by_level=False, by_phases=frozenset({Phase.START}), by_claims=frozenset(Claim),
        retires=frozenset(Claim), subjects=_MAIN, of_levels=None,
    ),
    Retirement(
        "turn_end", "the end of a turn retires running, waits of the main agent and open tools",
        by_level=False, by_phases=frozenset({Phase.END}), by_claims=frozenset(Claim),
        retires=WORKS, subjects=_MAIN, of_levels=None,
    ),
    Retirement(
        "clear", "the end of a cleared or interrupted turn retires older ends",
        by_level=False, by_phases=frozenset({Phase.END}), by_claims=frozenset({Claim.IDLE}),
        retires=ENDS, subjects=("turn",), of_levels=False,
    ),
    Retirement(
        "cut_short", "the end of a cleared or interrupted turn retires what a screen still shows of that turn",
        by_level=False, by_phases=frozenset({Phase.END}), by_claims=frozenset({Claim.IDLE}),
        retires=frozenset({Claim.RUNNING, Claim.COMPLETED}), subjects=("turn",), of_levels=True, at="redraw",
    ),
    Retirement(
        # Not an older `idle`: it is the same claim, and it must remain while a screen is in doubt (cut_short).
        "cleared_ends", "a screen or status of a cleared or interrupted turn retires other ends",
        by_level=True, by_phases=_ANY_PHASE, by_claims=frozenset({Claim.IDLE}),
        retires=frozenset({Claim.COMPLETED, Claim.ERROR}), subjects=("turn",), of_levels=False,
    ),
    Retirement(
        "quiet_edges", "a screen or status without a turn retires earlier events about a turn or a wait",
        by_level=True, by_phases=_ANY_PHASE, by_claims=QUIET,
        retires=WORKS, subjects=("*",), of_levels=False, at="holds",
    ),
    Retirement(
        "quiet_levels", "a screen or status that stops showing a turn retires what another one showed before",
        by_level=True, by_phases=_ANY_PHASE, by_claims=QUIET,
        retires=WORKS, subjects=("*",), of_levels=True,
    ),
    Retirement(
        "busy_waits", "a screen or status that starts to show a turn retires earlier events about a wait",
        by_level=True, by_phases=_ANY_PHASE, by_claims=frozenset({Claim.RUNNING}),
        retires=WAITS, subjects=("*",), of_levels=False, at="began",
    ),
    Retirement(
        "busy_undrawn", "a screen or status that shows a turn long after an event about a wait retires that wait",
        by_level=True, by_phases=_ANY_PHASE, by_claims=frozenset({Claim.RUNNING}),
        retires=WAITS, subjects=("*",), of_levels=False, at="undrawn",
    ),
    Retirement(
        "busy_wait_levels", "a screen or status that starts to show a turn retires a wait that another one showed",
        by_level=True, by_phases=_ANY_PHASE, by_claims=frozenset({Claim.RUNNING}),
        retires=WAITS, subjects=("*",), of_levels=True,
    ),
    Retirement(
        "busy_failed", "a screen or status that starts to show a turn after a failure shows the next turn",
        by_level=True, by_phases=_ANY_PHASE, by_claims=frozenset({Claim.RUNNING}),
        retires=frozenset({Claim.ERROR}), subjects=("turn",), of_levels=False, at="began",
    ),
    Retirement(
        "busy_cut_short", "one that starts to show a turn some time after an interrupt shows the next turn",
        by_level=True, by_phases=_ANY_PHASE, by_claims=frozenset({Claim.RUNNING}),
        retires=frozenset({Claim.IDLE}), subjects=("turn",), of_levels=False, at="redrawn",
    ),
    Retirement(
        "busy_completed", "one that shows a turn for a while after a completion shows the next turn",
        by_level=True, by_phases=_ANY_PHASE, by_claims=frozenset({Claim.RUNNING}),
        retires=frozenset({Claim.COMPLETED}), subjects=("turn",), of_levels=False, at="stayed",
    ),
    Retirement(
        "busy_overrun", "a screen or status that still shows a turn long after an end shows the next turn",
        by_level=True, by_phases=_ANY_PHASE, by_claims=frozenset({Claim.RUNNING}),
        retires=ENDS, subjects=("turn",), of_levels=False, at="overrun",
    ),
)  # fmt: skip


HIDDEN = "session:"
"""Prefix of subjects of a session that may not be the one on the screen. Only that session's own events change them."""


def _covers(patterns: tuple[str, ...], subject: str) -> bool:
    for pattern in patterns:
        if pattern == subject or (pattern == "*" and not subject.startswith(HIDDEN)):
            return True
        if pattern.endswith(":*") and subject.startswith(pattern[:-1]):
            return True
    return False


def _marks_of(source: Source, entry: Entry, last_seen: int) -> Iterator[tuple[str, int]]:
    """Yield the marks that one claim sets, as ``(mark, at)``."""
    if entry.claim is None or entry.strength is Strength.HINT:
        return
    level = source in LEVELS
    for row in RETIREMENTS:
        if row.by_level != level or entry.claim not in row.by_claims or entry.phase not in row.by_phases:
            continue
        if row.at in FROM_SINCE:
            yield row.mark, entry.since + FROM_SINCE[row.at]
        elif row.at in ("began", "stayed"):
            if row.at == "began" or last_seen - entry.since >= BLIP:
                yield row.mark, entry.since - lag(source, entry)
        else:
            holds = max(entry.since, last_seen - lag(source, entry)) if level else entry.since
            if row.at == "holds":
                yield row.mark, holds
            elif holds - _LATER[row.at] > entry.since:
                yield row.mark, holds - _LATER[row.at]


def raise_marks(marks: Marks, source: Source, entry: Entry, last_seen: int) -> dict[str, int] | None:
    """Return ``marks`` with those that this claim raises, or None if it raises none."""
    out: dict[str, int] | None = None
    for name, at in _marks_of(source, entry, last_seen):
        if at > (out or marks).get(name, -1):
            if out is None:
                out = dict(marks)
            out[name] = at
    return out


def retired(register: Register, marks: Marks) -> tuple[str, int] | None:
    """Return ``(mark, at)`` of the newest mark that retires this register, or None if it is not retired."""
    claim = register.entry.claim
    if claim is None:
        return None
    best: tuple[str, int] | None = None
    newest = register.holds_until
    if register.is_level and claim in WAITS:  # a dialog disappears as late as it appears
        newest = max(register.entry.since, register.last_seen - UNDRAWN)
    for mark in _retiring(claim, register.subject, register.is_level):
        at = marks.get(mark, 0)
        if at > newest:
            best, newest = (mark, at), at
    return best


@lru_cache(maxsize=1024)  # called for every register whenever a runtime's state is decided
def _retiring(claim: Claim, subject: str, level: bool) -> tuple[str, ...]:
    """Return the marks that retire such a claim, in the order of the table."""
    return tuple(
        row.mark
        for row in RETIREMENTS
        if claim in row.retires and row.of_levels in (None, level) and _covers(row.subjects, subject)
    )


def to_entry(write: Write, since: int, stamp: Stamp, seq: int | None) -> Entry:
    """Return the register entry for a write. ``since``: its effective time, in ns."""
    return Entry(
        claim=write.claim, phase=write.phase, strength=write.strength, rule=write.rule, since=since, stamp=stamp,
        seq=seq, waiting_for=write.waiting_for, accepts_input=write.accepts_input,
        background_tasks=write.background_tasks, detail=write.detail, late=write.late,
    )  # fmt: skip


def put(current: Register | None, source: Source, subject: str, entry: Entry) -> Register | None:
    """Return the register after this claim, or None if the claim is older and changes nothing.

    ``source_seq`` orders a register only while all its events have one. The newest entry by time is kept beside it
    (``shadow``). So the result does not depend on when the first event without a seq arrives.
    """
    if current is None:
        return Register(source, subject, entry, entry.since, shadow=entry if entry.seq is not None else None,
                        ordered_by_seq=entry.seq is not None)  # fmt: skip
    by_time = current.shadow or current.entry
    newest_by_time = entry if entry.stamp > by_time.stamp else by_time
    if current.ordered_by_seq and entry.seq is not None:
        held = current.entry
        newer = (entry.seq, entry.stamp) > (held.seq or 0, held.stamp)
        chosen, shadow, by_seq = (entry if newer else held), newest_by_time, True
    else:
        chosen, shadow, by_seq = newest_by_time, None, False
    if chosen is current.entry:
        if shadow is current.shadow and by_seq == current.ordered_by_seq:
            return None
        return replace(current, shadow=shadow, ordered_by_seq=by_seq)
    return Register(source, subject, chosen, chosen.since, shadow=shadow, ordered_by_seq=by_seq)


def refresh(register: Register, at: int) -> Register:
    """Return the register of a level that was read again at ``at`` with the same claim."""
    return register if at <= register.last_seen else replace(register, last_seen=at)


def find_obsolete(registers: Registers, marks: Marks) -> list[tuple[Source, str]]:
    """Return the registers that claim nothing any more, and would not if their events arrived again.

    Only for a runtime with many registers: agents use a new subject for each request, and a long session has thousands.
    An event's claim about a request is over once a level without a turn was read later. The mark of that level retires
    everything older, whenever it arrives. No mark covers a hidden session, so an answer there is kept until no event
    that old can arrive any more (LATEST).
    """
    if len(registers) <= MANY:
        return []
    quiet = marks.get("quiet_edges", 0)
    passing = [r for r in registers.values() if r.subject.startswith(_PASSING_SUBJECTS) and not r.is_level]
    return [
        (r.source, r.subject)
        for r in passing
        if r.entry.since < quiet - (LATEST if r.subject.startswith(HIDDEN) else 0)
        and (r.entry.claim is None or (r.entry.claim in WORKS and not r.subject.startswith(HIDDEN)))
        and r.entry.background_tasks is None
    ]


_PASSING_SUBJECTS = ("tool:", "approval:", "agent:", HIDDEN)
"""Prefixes of subjects that come and go, such as one tool call or one request."""
