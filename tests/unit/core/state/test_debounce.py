"""What shows on a screen for an instant only is no change."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmuxd.core.model import MS, NS, Claim, Source, Strength, WaitingFor, Write
from agtmuxd.core.state.debounce import SETTLE, UNMATCHED, DebounceResult, DebounceState, sample

T0 = 1_000_000 * NS
BOUNDED = settings(deadline=None, max_examples=80, print_blob=True)


BUSY = Write(Claim.RUNNING, "spinner")
QUIET = Write(Claim.NOT_RUNNING, "composer", accepts_input=True)
SHELL = Write(Claim.NOT_RUNNING, "status shell", background_tasks=1)


def box(fingerprint: str) -> Write:
    return Write(Claim.WAITING_APPROVAL, "box", waiting_for=WaitingFor("approval", fingerprint=fingerprint))


RUNS = DebounceState(current=BUSY, current_since=T0)


def play(source: Source, *shown: tuple[int, Write | None], steady: DebounceState | None = None) -> list[DebounceResult]:
    """``(ms, what it shows)`` sample by sample, from the start or from what was told before."""
    steady, out = steady or DebounceState(), []
    for at, write in shown:
        settled = sample(steady, source, write, T0 + at * MS)
        steady = settled.steady
        out.append(settled)
    return out


def claims(results: list[DebounceResult]) -> list[tuple[Claim | None, int]]:
    """What the register was told, and as of how many ms."""
    return [(s.changed.claim, (s.since - T0) // MS) for s in results if s.changed is not None]


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize(
    ("source", "flicker", "lasts"),
    [(Source.STATUS, QUIET, 17), (Source.STATUS, SHELL, 53), (Source.POLLER, QUIET, 53), (Source.POLLER, None, 290)],
)
def test_a_turn_is_not_over_for_a_flicker(source: Source, flicker: Write | None, lasts: int) -> None:
    result = play(source, (0, BUSY), (1000, flicker), (1000 + lasts, BUSY), (1400, BUSY), steady=RUNS)
    assert claims(result) == []
    assert result[1].again_at == T0 + 1000 * MS + (UNMATCHED if flicker is None else SETTLE[source])
    assert not result[1].refreshed
    assert result[2].refreshed


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("source", [Source.STATUS, Source.POLLER])
def test_what_lasts_counts_as_of_its_first_sight(source: Source) -> None:
    settle = SETTLE[source] // MS
    result = play(source, (0, BUSY), (1000, QUIET), (1000 + settle - 1, QUIET), (1000 + settle, QUIET), steady=RUNS)
    assert claims(result) == [(Claim.NOT_RUNNING, 1000)]
    assert [s.changed is not None for s in result] == [False, False, False, True]


@pytest.mark.tc("TC-114")
def test_what_a_rule_says_is_passed_through_has_to_last_longer() -> None:
    done = Write(Claim.COMPLETED, "ready-after-turn", settle=150 * MS)
    cancelled = Write(Claim.IDLE, "cancelled")
    shown = ((0, BUSY), (1000, done), (1100, done), (1140, cancelled), (1300, cancelled))
    assert claims(play(Source.POLLER, *shown, steady=RUNS)) == [(Claim.IDLE, 1140)]
    lasting = play(Source.POLLER, (0, BUSY), (1000, done), (1100, done), (1150, done), steady=RUNS)
    assert claims(lasting) == [(Claim.COMPLETED, 1000)]


@pytest.mark.tc("TC-114")
def test_a_completion_whose_words_go_out_of_sight_stands_until_something_runs() -> None:
    done = Write(Claim.COMPLETED, "done")
    popup = replace(QUIET, accepts_input=False)
    result = play(Source.POLLER, (0, BUSY), (1000, done), (1100, done), (5000, popup), (5200, popup), steady=RUNS)
    assert claims(result) == [(Claim.COMPLETED, 1000), (Claim.COMPLETED, 1000)]
    assert result[3].changed is not None
    assert result[3].changed.accepts_input is False  # what it says of the composer is news all the same
    assert result[3].changed.strength is Strength.DEFINITIVE
    unseen = play(Source.POLLER, (8000, replace(done, strength=Strength.HINT)), steady=result[-1].steady)
    assert [s.changed.strength for s in unseen if s.changed is not None] == [Strength.DEFINITIVE]
    after = play(Source.POLLER, (6000, BUSY), (7000, QUIET), (7100, QUIET), steady=result[-1].steady)
    assert claims(after) == [(Claim.RUNNING, 6000), (Claim.NOT_RUNNING, 7000)]


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("source", [Source.STATUS, Source.POLLER])
@pytest.mark.parametrize("write", [box("f1"), BUSY, Write(Claim.WAITING_INPUT, "question")])
def test_waiting_and_running_count_at_once(source: Source, write: Write) -> None:
    assert claims(play(source, (0, QUIET), (1000, write))) == [(Claim.NOT_RUNNING, 0), (write.claim, 1000)]


@pytest.mark.tc("TC-114")
def test_a_screen_that_works_for_an_instant_after_a_refused_request_does_not_run() -> None:
    result = play(Source.POLLER, (0, box("f1")), (1000, BUSY), (1060, QUIET), (1300, QUIET))
    assert claims(result) == [(Claim.WAITING_APPROVAL, 0), (Claim.NOT_RUNNING, 1060)]
    granted = play(Source.POLLER, (0, box("f1")), (1000, BUSY), (1150, BUSY))
    assert claims(granted) == [(Claim.WAITING_APPROVAL, 0), (Claim.RUNNING, 1000)]


@pytest.mark.tc("TC-587")
def test_a_turn_that_goes_on_after_a_wait_shows_after_two_samples_unless_the_agent_says_more() -> None:
    granted = play(Source.POLLER, (0, box("f1")), (1000, BUSY), (1080, BUSY))
    assert claims(granted) == [(Claim.WAITING_APPROVAL, 0), (Claim.RUNNING, 1000)]
    slow = replace(BUSY, after_wait=150 * MS)
    assert claims(play(Source.POLLER, (0, box("f1")), (1000, slow), (1149, slow))) == [(Claim.WAITING_APPROVAL, 0)]
    assert claims(play(Source.POLLER, (0, box("f1")), (1000, slow), (1150, slow)))[1:] == [(Claim.RUNNING, 1000)]
    assert claims(play(Source.POLLER, (0, QUIET), (1000, slow)))[1:] == [(Claim.RUNNING, 1000)], "a new turn at once"


@pytest.mark.tc("TC-114")
def test_a_spinner_that_an_agent_shows_as_it_starts_is_no_turn() -> None:
    assert claims(play(Source.POLLER, (0, None), (500, BUSY), (750, QUIET), (900, QUIET))) == [
        (None, 0),
        (Claim.NOT_RUNNING, 750),
    ]
    assert claims(play(Source.POLLER, (0, BUSY), (399, BUSY), (400, BUSY))) == [(Claim.RUNNING, 0)]


@pytest.mark.tc("TC-114")
def test_another_prompt_is_new_and_the_same_one_in_other_words_is_not() -> None:
    longer = replace(box("f1"), accepts_input=False)
    result = play(Source.POLLER, (0, box("f1")), (500, longer), (900, box("f2")))
    assert claims(result) == [(Claim.WAITING_APPROVAL, 0), (Claim.WAITING_APPROVAL, 0), (Claim.WAITING_APPROVAL, 900)]


@pytest.mark.tc("TC-114")
def test_a_change_of_mind_starts_the_wait_again() -> None:
    shown = ((0, BUSY), (1000, QUIET), (1070, None), (1200, QUIET), (1270, QUIET), (1280, QUIET))
    assert claims(play(Source.POLLER, *shown, steady=RUNS)) == [(Claim.NOT_RUNNING, 1200)]


@pytest.mark.tc("TC-006")
@BOUNDED
@given(st.lists(st.tuples(st.integers(1, 400), st.sampled_from([BUSY, QUIET, SHELL, None, box("f1"), box("f2")]))))
def test_levels_tell_a_change_only_where_there_is_one_and_never_back_in_time(
    steps: list[tuple[int, Write | None]],
) -> None:
    at, shown = 0, []
    for pause, write in steps:
        at += pause
        shown.append((at, write))
    listed = [s for s in play(Source.POLLER, *shown) if s.changed is not None]
    for before, after in pairwise(listed):
        assert before.changed != after.changed
        assert before.since <= after.since
