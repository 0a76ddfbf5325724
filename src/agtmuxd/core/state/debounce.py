"""Decide when a changed sample of a level becomes its claim.

Short flickers are waited out. Changes to a waiting state count at once. Pure. The observer keeps one ``DebounceState``
per (runtime, level source) and passes each sample in. The result goes into the register. Source:
docs/reference/states.md, settle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agtmuxd.core.model import MS, WAITING, Claim, Phase, Source, State, Strength, Write
from agtmuxd.core.screen.motion import LOOK, STILL, Motion, follow, moved

SETTLE: dict[Source, int] = {Source.POLLER: 80 * MS, Source.STATUS: 80 * MS}
"""How long a change must last before it is a claim at all: two samples.

Measured on the real CLIs, sampled every 25 ms: no screen was quiet for an instant in the middle of a turn, and one
matched no rule for 26 ms. Two flickers of status files were seen, of 17 and 53 ms. The lag of a screen behind a newer
hook is a separate matter: see ``registers.lag``.
"""

UNMATCHED = 300 * MS
"""The same for a screen that matches no rule: it is being redrawn, or an agent that is about to exit cleared it."""

AFTER_WAIT = 80 * MS
"""The same for running after a wait on the screen: an agent whose request was refused works on for an instant.

``Write.after_wait`` makes it longer for agents that take longer.
"""

FIRST_RUNNING = 400 * MS
"""The same for a screen whose first claim is running: Codex shows its spinner for an instant as it starts."""

_WEAKER: dict[Claim | None, tuple[Claim, ...]] = {
    Claim.COMPLETED: (Claim.COMPLETED, Claim.NOT_RUNNING),
    Claim.ERROR: (Claim.ERROR,),
}
"""Claims of a level that do not replace its earlier claim of an end.

The text that showed the end only went out of sight. No turn has run since.
"""

_WAITING_CLAIMS = frozenset(Claim(s.value) for s in WAITING if isinstance(s, State))
_QUIET = frozenset({Claim.COMPLETED, Claim.IDLE, Claim.ERROR, Claim.NOT_RUNNING})
_AT_ONCE = _WAITING_CLAIMS | {Claim.RUNNING}
"""Claims that count at once. A screen shows a spinner only during a turn; only its absence flickers."""


MOVES = "text keeps appearing above the input field"
"""The rule name that ``explain`` prints for a screen that moves but shows no other sign of a turn."""


@dataclass(frozen=True, slots=True)
class DebounceState:
    """What is remembered between two samples of one level.

    - ``current``: the write that the register holds, since ``current_since`` (ns).
    - ``pending``: a newer write that has not lasted long enough yet, since ``pending_since`` (ns).
    - ``motion``: what moves above the input field.
    - ``quiet``: the write from before movement alone showed a turn.
    """

    current: Write | None = None
    current_since: int = 0
    pending: Write | None = None
    pending_since: int = 0
    motion: Motion | None = None
    quiet: Write | None = None


@dataclass(frozen=True, slots=True)
class DebounceResult:
    """The result of one sample.

    ``changed``: the write that goes into the register, valid from ``since`` (ns). Without it, ``refreshed`` says that
    the sample confirms the register.
    """

    steady: DebounceState
    changed: Write | None
    since: int
    refreshed: bool
    again_at: int | None  # sample again then at the latest (ns)


_NOTHING = Write(claim=None, rule="no rule matched")


def _same(a: Write, b: Write) -> bool:
    """Return whether two writes make the same claim, apart from ``detail`` and other passing fields."""
    if a is b:
        return True
    return (
        a.claim is b.claim and a.rule == b.rule and a.subject == b.subject and a.phase is b.phase
        and a.strength is b.strength and a.waiting_for == b.waiting_for and a.accepts_input is b.accepts_input
        and a.background_tasks == b.background_tasks
    )  # fmt: skip


def _settle_time(source: Source, current: Write | None, seen: Write) -> int:
    """Return how long (ns) this change must last before it is believed."""
    before = current.claim if current is not None else None
    if current is not None and before is not seen.claim and seen.settle > SETTLE[source]:
        return seen.settle
    if before is None and seen.claim is Claim.RUNNING and source is Source.POLLER and seen.phase is not Phase.START:
        return FIRST_RUNNING
    if current is None or (before is seen.claim and before is not None):
        return 0  # the first claim, or the same claim with another prompt or a draft
    if before in _WAITING_CLAIMS and seen.claim is Claim.RUNNING and source is Source.POLLER:
        return max(AFTER_WAIT, seen.after_wait)
    if seen.claim is None:
        return UNMATCHED
    if current.strength is Strength.HINT and before in _QUIET and seen.claim in _QUIET:
        return 0  # a hint gives way to a definitive claim
    return 0 if seen.claim in _AT_ONCE else SETTLE[source]


def sample(steady: DebounceState, source: Source, write: Write | None, at: int) -> DebounceResult:
    """Process one sample. ``write`` None: no rule matched, which is a change too, but claims nothing."""
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
    """Decide what a sample claims that only lacks the signs of a turn, and when to look again while the screen moves.

    - A turn whose sign stands for the whole turn is over.
    - Any other turn that was shown goes on while new words appear above the field, and for STILL after that.
    - If no turn was shown, text that keeps appearing shows one. Text that appeared only now proves nothing: it may
      belong to a turn that a hook or a file reported and that shows no other sign.
    """
    current = steady.current
    scene = seen.scene or ()
    showed = current is not None and current.claim is Claim.RUNNING
    if current is not None and showed and current.rule != MOVES:
        if current.lasting and not seen.hides:
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
        if steady.quiet is not None:  # no turn was ever seen: the earlier claim stands
            seen = replace(seen, claim=steady.quiet.claim, strength=steady.quiet.strength)
        return steady, seen, None
    if steady.quiet is not None:
        steady = replace(steady, quiet=None)
    if current is None or current.claim not in _QUIET or not motion.moves(at):
        return steady, seen, None
    if motion.lasts(at):
        moves = Write(Claim.RUNNING, MOVES, strength=Strength.HINT, accepts_input=seen.accepts_input)
        return replace(steady, quiet=current), moves, at + LOOK
    return steady, seen, min(at + LOOK, motion.moved_at + STILL)


def _settle(steady: DebounceState, source: Source, seen: Write, at: int) -> DebounceResult:
    """Compare a sample with the register's write, and decide whether it changes, confirms or must wait."""
    current = steady.current
    if current is not None and seen.claim in _WEAKER.get(current.claim, ()):
        seen = replace(seen, claim=current.claim, strength=current.strength)
    if current is not None and _same(current, seen):
        unchanged = steady if steady.pending is None else replace(steady, pending=None, pending_since=0)
        return DebounceResult(unchanged, None, steady.current_since, True, None)
    since = at
    settle_time = _settle_time(source, current, seen)
    if settle_time:
        if steady.pending is None or steady.pending.claim is not seen.claim:
            waiting = replace(steady, pending=seen, pending_since=at)
            return DebounceResult(waiting, None, at, False, at + settle_time)
        if at - steady.pending_since < settle_time:
            waiting = replace(steady, pending=seen)
            return DebounceResult(waiting, None, steady.pending_since, False, steady.pending_since + settle_time)
        since = steady.pending_since
    if current is not None and current.claim is seen.claim and seen.claim is not None:
        since = steady.current_since if seen.waiting_for == current.waiting_for else at
    kept = replace(steady, current=seen, current_since=since, pending=None, pending_since=0)
    return DebounceResult(kept, seen, since, False, None)
