"""When a changed sample of a level becomes its claim: flickers are waited out, changes to waiting are not.

Pure. The observer keeps one ``DebounceState`` per (runtime, level source) and passes each sample in. The result is what
the register is told. docs/reference/states.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agtmuxd.core.model import MS, WAITING, Claim, Phase, Source, State, Strength, Write
from agtmuxd.core.screen.motion import LOOK, STILL, Motion, follow, moved

SETTLE: dict[Source, int] = {Source.POLLER: 80 * MS, Source.STATUS: 80 * MS}
"""How long a change must last before it is a claim at all: two samples. Of the real CLIs, sampled every 25 ms, no
screen that was quiet for an instant in mid-turn was seen, and one of 26 ms that matched no rule; of a status file, 17
and 53 ms. That a screen also lags behind a newer hook is another matter: ``registers.lag``."""

UNMATCHED = 300 * MS
"""The same for a screen that matches no rule: one that is drawn anew, or cleared by an agent that is about to end."""

AFTER_WAIT = 150 * MS
"""The same for running on a screen that waited: an agent whose request was refused works on for an instant."""

FIRST_RUNNING = 400 * MS
"""The same for a screen whose first word is that a turn runs: Codex shows its spinner for an instant as it starts."""

_LESS: dict[Claim | None, tuple[Claim, ...]] = {
    Claim.COMPLETED: (Claim.COMPLETED, Claim.NOT_RUNNING),
    Claim.ERROR: (Claim.ERROR,),
}
"""What a level says of an end whose words go out of sight: it says less, but no turn ran since."""

_WAITING_CLAIMS = frozenset(Claim(s.value) for s in WAITING if isinstance(s, State))
_QUIET = frozenset({Claim.COMPLETED, Claim.IDLE, Claim.ERROR, Claim.NOT_RUNNING})
_AT_ONCE = _WAITING_CLAIMS | {Claim.RUNNING}
"""Claims that count at once. A screen shows a spinner only for a turn; what flickers is its absence."""


MOVES = "words go on coming above the field"
"""What ``explain`` says of a screen that shows no sign of a turn, but moves."""


@dataclass(frozen=True, slots=True)
class DebounceState:
    """``told``: the write that the register holds. ``pending``: a newer one that has not lasted long enough yet.

    ``motion``: what moves above the field. ``quiet``: what was told before movement alone showed a turn.
    """

    told: Write | None = None
    told_since: int = 0
    pending: Write | None = None
    pending_since: int = 0
    motion: Motion | None = None
    quiet: Write | None = None


@dataclass(frozen=True, slots=True)
class DebounceResult:
    """Outcome of one sample. ``changed``: what to tell the register as of ``since``; else ``refreshed`` or nothing."""

    steady: DebounceState
    changed: Write | None
    since: int
    refreshed: bool
    again_at: int | None  # sample again then, at the latest


_NOTHING = Write(claim=None, rule="no rule matched")


def _same(a: Write, b: Write) -> bool:
    """Whether two writes are one claim: same words apart from fleeting detail."""
    if a is b:
        return True
    return (
        a.claim is b.claim and a.rule == b.rule and a.subject == b.subject and a.phase is b.phase
        and a.strength is b.strength and a.waiting_for == b.waiting_for and a.accepts_input is b.accepts_input
        and a.background_tasks == b.background_tasks
    )  # fmt: skip


def _patience(source: Source, told: Write | None, seen: Write) -> int:
    """How long (ns) this change must last before it is believed."""
    before = told.claim if told is not None else None
    if told is not None and before is not seen.claim and seen.settle > SETTLE[source]:
        return seen.settle
    if before is None and seen.claim is Claim.RUNNING and source is Source.POLLER and seen.phase is not Phase.START:
        return FIRST_RUNNING
    if told is None or (before is seen.claim and before is not None):
        return 0  # the first word; or the same claim in other words: another prompt, a draft in the composer
    if before in _WAITING_CLAIMS and seen.claim is Claim.RUNNING and source is Source.POLLER:
        return AFTER_WAIT
    if seen.claim is None:
        return UNMATCHED
    if told.strength is Strength.HINT and before in _QUIET and seen.claim in _QUIET:
        return 0  # a guess that gives way to a word
    return 0 if seen.claim in _AT_ONCE else SETTLE[source]


def sample(steady: DebounceState, source: Source, write: Write | None, at: int) -> DebounceResult:
    """Take one sample in. ``write`` None: no rule matched (a claim of its own, which says nothing)."""
    seen = write if write is not None else _NOTHING
    again: int | None = None
    if seen.scene is not None:
        steady, seen, again = _without_signs(steady, seen, at)
        if again is not None and seen.claim is not Claim.RUNNING:
            return DebounceResult(steady, None, at, False, again)
    elif steady.quiet is not None:
        steady = replace(steady, quiet=None)
    settled = _settle(steady, source, seen, at)
    return settled if again is None else replace(settled, again_at=again)


def _without_signs(steady: DebounceState, seen: Write, at: int) -> tuple[DebounceState, Write, int | None]:
    """What a sample says that only misses the signs of a turn, and when to look again while it moves.

    A turn whose sign stands for the whole turn is over. Any other goes on while words come above the field, and for
    STILL after. Where none was shown, words that go on coming show one, and words that just came prove nothing: a turn
    that a hook or a file told of may show no other sign.
    """
    told = steady.told
    scene = seen.scene or ()
    showed = told is not None and told.claim is Claim.RUNNING
    if told is not None and showed and told.rule != MOVES:
        if told.lasting and not seen.hides:
            return replace(steady, motion=follow(steady.motion, scene, at)), seen, None
        moves = Write(Claim.RUNNING, MOVES, strength=Strength.HINT, accepts_input=seen.accepts_input)
        return replace(steady, motion=moved(steady.motion, scene, at)), moves, at + LOOK
    motion = follow(steady.motion, scene, at)
    if motion is not steady.motion:
        steady = replace(steady, motion=motion)
    if showed:
        if motion.moves(at):
            moves = Write(Claim.RUNNING, MOVES, strength=Strength.HINT, accepts_input=seen.accepts_input)
            return steady, moves, min(at + LOOK, motion.moved_at + STILL)
        if steady.quiet is not None:  # no turn was ever seen: what was told before stands
            seen = replace(seen, claim=steady.quiet.claim, strength=steady.quiet.strength)
        return steady, seen, None
    if steady.quiet is not None:
        steady = replace(steady, quiet=None)
    if told is None or told.claim not in _QUIET or not motion.moves(at):
        return steady, seen, None
    if motion.lasts(at):
        moves = Write(Claim.RUNNING, MOVES, strength=Strength.HINT, accepts_input=seen.accepts_input)
        return replace(steady, quiet=told), moves, at + LOOK
    return steady, seen, min(at + LOOK, motion.moved_at + STILL)


def _settle(steady: DebounceState, source: Source, seen: Write, at: int) -> DebounceResult:
    told = steady.told
    if told is not None and seen.claim in _LESS.get(told.claim, ()):
        seen = replace(seen, claim=told.claim, strength=told.strength)
    if told is not None and _same(told, seen):
        calm = steady if steady.pending is None else replace(steady, pending=None, pending_since=0)
        return DebounceResult(calm, None, steady.told_since, True, None)
    since = at
    patience = _patience(source, told, seen)
    if patience:
        if steady.pending is None or steady.pending.claim is not seen.claim:
            waiting = replace(steady, pending=seen, pending_since=at)
            return DebounceResult(waiting, None, at, False, at + patience)
        if at - steady.pending_since < patience:
            waiting = replace(steady, pending=seen)
            return DebounceResult(waiting, None, steady.pending_since, False, steady.pending_since + patience)
        since = steady.pending_since
    if told is not None and told.claim is seen.claim and seen.claim is not None:
        since = steady.told_since if seen.waiting_for == told.waiting_for else at
    kept = replace(steady, told=seen, told_since=since, pending=None, pending_since=0)
    return DebounceResult(kept, seen, since, False, None)
