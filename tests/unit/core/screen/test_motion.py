"""A screen that shows no sign of a turn: what moves above its field is work, what stands still for long is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmuxd.core.model import MS, NS, Claim, Phase, Source, State, Strength, Write
from agtmuxd.core.screen.motion import STILL
from agtmuxd.core.state.debounce import MOVES, DebounceResult, DebounceState, sample
from agtmuxd.core.state.ordering import Stamp
from agtmuxd.core.state.registers import Marks, Register, put, raise_marks, refresh, to_entry
from agtmuxd.core.state.resolve import RuntimeFacts, resolve

T0 = 1_800_000_000 * NS
SPINS = Write(Claim.RUNNING, "title", lasting=True)
ROW = Write(Claim.RUNNING, "working row")
ENDED = Write(Claim.COMPLETED, "ended", scene=())
FIELD = Write(Claim.NOT_RUNNING, "composer", accepts_input=True, scene=())


def over(write: Write, *rows: str) -> Write:
    """``write`` of a screen with these rows above its field."""
    return replace(write, scene=tuple(hash(row) for row in rows))


def play(*shown: tuple[int, Write], steady: DebounceState | None = None) -> list[DebounceResult]:
    """``(ms, what the screen shows)``, sample by sample."""
    steady, out = steady or DebounceState(), []
    for at, write in shown:
        settled = sample(steady, Source.POLLER, write, T0 + at * MS)
        steady = settled.steady
        out.append(settled)
    return out


def claims(results: list[DebounceResult]) -> list[Claim | None]:
    return [one.changed.claim for one in results if one.changed is not None]


def streams(write: Write, first: int, last: int, every: int = 250) -> list[tuple[int, Write]]:
    """One more row each time."""
    return [
        (at, over(write, *[f"row {i}" for i in range(first, at + 1, every)])) for at in range(first, last + 1, every)
    ]


WORKED = DebounceState(current=ROW, current_since=T0)
SPUN = DebounceState(current=SPINS, current_since=T0)
QUIET = DebounceState(current=FIELD, current_since=T0 - 60 * NS)


@pytest.mark.tc("TC-180")
def test_a_sign_that_stands_for_the_whole_turn_ends_it_when_it_goes() -> None:
    result = play((1000, over(ENDED, "x")), (1080, over(ENDED, "x")), steady=SPUN)
    assert claims(result) == [Claim.COMPLETED]


@pytest.mark.tc("TC-180")
def test_a_sign_that_goes_while_words_stream_ends_nothing_before_the_screen_is_still() -> None:
    result = play(*streams(ENDED, 1000, 6000), steady=WORKED)
    assert claims(result) == [Claim.RUNNING]  # a hint from then on
    assert result[-1].steady.current is not None
    assert (result[-1].steady.current.rule, result[-1].steady.current.strength) == (MOVES, Strength.HINT)
    last = streams(ENDED, 1000, 6000)[-1][1]
    soon = play((6000 + STILL // MS - 50, last), steady=result[-1].steady)
    assert claims(soon) == []
    assert soon[-1].again_at == T0 + 6000 * MS + STILL
    later = play((6000 + STILL // MS, last), (6100 + STILL // MS, last), steady=soon[-1].steady)
    assert claims(later) == [Claim.COMPLETED]


@pytest.mark.tc("TC-181")
def test_words_that_go_on_coming_are_a_turn_though_nothing_shows_one() -> None:
    result = play((0, over(FIELD, "old")), *streams(FIELD, 1000, 4000), steady=QUIET)
    assert claims(result) == [Claim.RUNNING]
    still = play(*[(4000 + ms, over(FIELD, "row 4000")) for ms in (2000, 2300)], steady=result[-1].steady)
    assert claims(still) == [Claim.NOT_RUNNING]


@pytest.mark.tc("TC-181")
@pytest.mark.parametrize("changes", [1, 2, 3])
def test_a_few_new_rows_are_no_turn_and_leave_what_was_told(changes: int) -> None:
    done = Write(Claim.COMPLETED, "still done", scene=())
    shown = [(1000 + 400 * i, over(done, *[f"row {n}" for n in range(i + 1)])) for i in range(changes)]
    result = play((0, over(done, "old")), *shown, steady=DebounceState(current=done, current_since=T0))
    assert claims(result) == []
    assert not result[-1].refreshed  # nothing is proven while it moves


@pytest.mark.tc("TC-181")
def test_rows_that_scroll_pictures_and_marks_are_no_words() -> None:
    rows = [f"row {i}" for i in range(30)]
    result = play(*[(250 * i, over(FIELD, *rows[: 30 - i])) for i in range(12)], steady=QUIET)
    assert claims(result) == []


@pytest.mark.tc("TC-181")
def test_a_turn_that_movement_alone_showed_leaves_an_end_of_before_as_it_was() -> None:
    done = Write(Claim.COMPLETED, "still done", scene=())
    before = DebounceState(current=done, current_since=T0)
    result = play((0, over(done, "old")), *streams(ENDED, 1000, 4000), steady=before)
    assert claims(result) == [Claim.RUNNING]
    assert claims(play(*[(ms, over(FIELD, "row 4000")) for ms in (6000, 6300)], steady=result[-1].steady)) == [
        Claim.COMPLETED
    ]


class Pane:
    """Registers of one runtime, as the daemon keeps them."""

    def __init__(self, steady: DebounceState, claim: Write) -> None:
        self.steady = steady
        self.registers: dict[tuple[Source, str], Register] = {}
        self.marks: Marks = {}
        self._put(Source.POLLER, claim, T0 - 60 * NS)

    def _put(self, source: Source, write: Write, at: int) -> None:
        entry = to_entry(write, at, Stamp(at, at, f"{source}{at}"), None)
        self.marks = raise_marks(self.marks, source, entry, at) or self.marks
        new = put(self.registers.get((source, write.subject)), source, write.subject, entry)
        if new is not None:
            self.registers[source, write.subject] = new

    def told(self, source: Source, write: Write, ms: int) -> None:
        self._put(source, write, T0 + ms * MS)

    def look(self, ms: int, write: Write) -> State:
        at = T0 + ms * MS
        settled = sample(self.steady, Source.POLLER, write, at)
        self.steady = settled.steady
        if settled.changed is not None:
            self._put(Source.POLLER, settled.changed, settled.since)
        if settled.changed is not None or settled.refreshed:
            seen = refresh(self.registers[Source.POLLER, "turn"], at)
            self.registers[Source.POLLER, "turn"] = seen
            self.marks = raise_marks(self.marks, Source.POLLER, seen.entry, at) or self.marks
        return resolve(self.registers, self.marks, RuntimeFacts(T0 - 600 * NS, at), at).state


BEGAN = Write(Claim.RUNNING, "UserPromptSubmit", phase=Phase.START)
STOPPED = Write(Claim.COMPLETED, "Stop", phase=Phase.END)


@pytest.mark.tc("TC-181")
@pytest.mark.parametrize("source", [Source.HOOK, Source.TRANSCRIPT])
def test_a_turn_that_was_told_to_begin_runs_while_words_come_and_ends_by_its_end(source: Source) -> None:
    pane = Pane(QUIET, FIELD)
    pane.look(-250, over(FIELD, "old"))
    pane.told(source, BEGAN, 0)
    states = {pane.look(ms, write) for ms, write in streams(FIELD, 60, 9000, 240)}
    assert states == {State.RUNNING}
    pane.told(source, STOPPED, 9100)
    last = streams(FIELD, 60, 9000, 240)[-1][1]
    assert pane.look(9150, last) in (State.RUNNING, State.COMPLETED)  # held back for a queued prompt
    assert pane.look(9900, last) is State.COMPLETED


@pytest.mark.tc("TC-181")
def test_a_turn_that_was_told_to_begin_is_over_once_the_screen_stood_still_for_two_seconds() -> None:
    pane = Pane(QUIET, FIELD)
    pane.look(-250, over(FIELD, "old"))
    pane.told(Source.HOOK, BEGAN, 0)
    shown = over(FIELD, "old", "the prompt")
    assert [pane.look(ms, shown) for ms in (60, 1000, 2000)] == [State.RUNNING] * 3
    assert pane.look(60 + STILL // MS + 400, shown) is State.IDLE
