"""The small pure parts: names, binding, the settling of flickers, the drawing of the table."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmuxd.core.ids import dedupe_key, runtime_id, uuid7
from agtmuxd.core.model import MS, NS, Ancestor, Claim, RawEvent, Signal, Source, Strength, WaitingFor, Write
from agtmuxd.core.state.binding import Binding, Candidate, bind
from agtmuxd.core.state.debounce import SETTLE, UNMATCHED, DebounceResult, DebounceState, sample
from agtmuxd.core.state.event_sender import find_sender
from agtmuxd.core.state.health import BACKOFF_MOST, Health
from agtmuxd.core.state.retirement_doc import REDRAW, draw

ROOT = Path(__file__).resolve().parents[4]
T0 = 1_000_000 * NS
BOUNDED = settings(deadline=None, max_examples=80, print_blob=True)

# ------------------------------------------------ names

A_RUNTIME: tuple[Any, ...] = ("t1", "900.1", "%1", 1, "claude", T0)


@pytest.mark.tc("TC-004")
def test_a_runtime_id_is_the_same_for_the_same_runtime_on_every_machine() -> None:
    text = "\x1f".join(["t1", "900.1", "%1", "1", "claude", str(T0)])
    assert runtime_id(*A_RUNTIME) == "rt-" + hashlib.sha256(text.encode()).hexdigest()[:40]
    assert runtime_id(*A_RUNTIME) == "rt-153aaaf80cce7d56c2754f9a6a95db6ab5d618a6"


@pytest.mark.tc("TC-004")
@pytest.mark.parametrize(("place", "other"), [(0, "t2"), (1, "901.1"), (2, "%2"), (3, 2), (4, "codex"), (5, T0 + 1)])
def test_another_runtime_has_another_id(place: int, other: object) -> None:
    changed = list(A_RUNTIME)
    changed[place] = other
    assert runtime_id(*changed) != runtime_id(*A_RUNTIME)


@pytest.mark.tc("TC-004")
@BOUNDED
@given(st.text(), st.text(), st.integers(1, 9999), st.integers(0, 2**63 - 1))
def test_a_runtime_id_can_stand_in_a_ref(target: str, agent: str, epoch: int, started: int) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._:-]{16,128}", runtime_id(target, "900.1", "%1", epoch, agent, started))


@pytest.mark.tc("TC-007")
def test_a_dedupe_key_is_one_per_occurrence() -> None:
    assert dedupe_key("hook", "e1", "Stop") == dedupe_key("hook", "e1", "Stop")
    assert len({dedupe_key("hook", "e1", "Stop"), dedupe_key("hook", "e2", "Stop"), dedupe_key("notify", "e1", "Stop"),
                dedupe_key("hook", "e1", "Start"), dedupe_key("hooke", "1", "Stop")}) == 5  # fmt: skip


@pytest.mark.tc("TC-006")
@BOUNDED
@given(st.integers(0, 2**47 * MS), st.integers(0, 2**47 * MS), st.binary(min_size=10, max_size=10))
def test_later_event_ids_sort_behind_earlier_ones(one: int, other: int, entropy: bytes) -> None:
    early, late = sorted((one, other))
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", uuid7(one, entropy))
    if late // MS > early // MS:
        assert uuid7(early, entropy) < uuid7(late, entropy)


# ------------------------------------------------ binding

HERE = Candidate("r1", "t1", "%1", "claude", "sess-1", 4001, "100", T0)
CHAIN = (Ancestor(9000, "900"), Ancestor(4001, "100"), Ancestor(1, "0"))
HOOK = RawEvent("e", "Stop", Source.HOOK, "claude", T0, T0, "k", pane_id="%1", chain=CHAIN)
PLAIN = Signal("turn_end", session_id="sess-1")
NONE = Binding(None, "bind_no_candidate")


def bound(event: RawEvent, *candidates: Candidate, signal: Signal = PLAIN, target: str | None = "t1") -> Binding:
    return bind(event, signal, target, candidates, find_sender(event, lambda _link: None))


@pytest.mark.tc("TC-008")
def test_an_event_binds_to_the_runtime_that_fits_all_it_carries() -> None:
    assert bound(HOOK, HERE, replace(HERE, runtime_id="r2", pane_id="%2", pid=4002)) == Binding("r1", None)


@pytest.mark.tc("TC-009")
@pytest.mark.parametrize(
    "other",
    [
        {"pane_id": "%2"},
        {"target_id": "t2"},
        {"agent_type": "codex"},
        {"pid": 4002},
        {"process_start": "101"},  # the pid was given to another process
        {"started_at": T0 - 6 * NS},
    ],
)
def test_one_thing_that_does_not_fit_is_enough(other: dict[str, Any]) -> None:
    event = replace(HOOK, start_hint=T0)
    assert bound(event, HERE).runtime_id == "r1"
    assert bound(event, replace(HERE, **other)) == NONE


@pytest.mark.tc("TC-009")
def test_a_pid_in_the_environment_does_not_make_another_life_of_it_fit() -> None:
    event = replace(HOOK, pid=4001, chain=(Ancestor(4001, "99"),))
    assert bound(event, HERE) == NONE


@pytest.mark.tc("TC-008")
def test_the_start_hint_may_be_five_seconds_off() -> None:
    assert bound(replace(HOOK, start_hint=T0 + 5 * NS), HERE).runtime_id == "r1"
    assert bound(replace(HOOK, start_hint=T0 + 5 * NS + 1), HERE) == NONE


@pytest.mark.tc("TC-009")
def test_a_pane_id_alone_names_no_pane_since_every_server_has_it() -> None:
    assert bound(replace(HOOK, chain=()), HERE, target=None) == NONE
    assert bound(replace(HOOK, chain=()), HERE).runtime_id == "r1"
    assert bound(HOOK, HERE, target=None).runtime_id == "r1"  # the process names it


@pytest.mark.tc("TC-008")
def test_without_a_pane_the_process_or_the_session_says_which() -> None:
    nowhere = replace(HOOK, pane_id=None)
    assert bound(nowhere, HERE, replace(HERE, runtime_id="r2", pid=5)).runtime_id == "r1"
    assert bound(replace(nowhere, chain=()), HERE, target=None).runtime_id == "r1"
    assert bound(replace(nowhere, chain=()), replace(HERE, agent_session_id="sess-2"), target=None) == NONE


@pytest.mark.tc("TC-009")
def test_several_that_fit_are_as_good_as_none() -> None:
    event = replace(HOOK, pane_id=None, chain=())
    twins = (HERE, replace(HERE, runtime_id="r2", pane_id="%2", pid=5))
    assert bound(event, *twins, target=None) == Binding(None, "bind_ambiguous")


@pytest.mark.tc("TC-114")
def test_of_a_shared_daemon_neither_pane_nor_process_counts_but_the_session_alone() -> None:
    ambient = Signal("turn_end", session_id="sess-1", ambient=True)
    there = replace(HERE, runtime_id="r2", pane_id="%2", pid=5, agent_session_id="sess-9")
    assert bound(HOOK, there, HERE, signal=ambient).runtime_id == "r1"
    assert bound(HOOK, replace(HERE, agent_session_id=None), signal=ambient) == NONE
    assert bound(HOOK, HERE, signal=Signal("turn_end", ambient=True)) == NONE
    elsewhere = replace(HOOK, target_id="ssh:vm1")
    assert bound(elsewhere, HERE, signal=ambient) == NONE, "the machine that it came from is certain"
    assert bound(elsewhere, replace(HERE, target_id="ssh:vm1"), signal=ambient).runtime_id == "r1"


# ------------------------------------------------ flickers

BUSY = Write(Claim.RUNNING, "spinner")
QUIET = Write(Claim.NOT_RUNNING, "composer", accepts_input=True)
SHELL = Write(Claim.NOT_RUNNING, "status shell", background_tasks=1)


def box(fingerprint: str) -> Write:
    return Write(Claim.WAITING_APPROVAL, "box", waiting_for=WaitingFor("approval", fingerprint=fingerprint))


RUNS = DebounceState(told=BUSY, told_since=T0)


def play(source: Source, *shown: tuple[int, Write | None], steady: DebounceState | None = None) -> list[DebounceResult]:
    """``(ms, what it shows)`` sample by sample, from the start or from what was told before."""
    steady, out = steady or DebounceState(), []
    for at, write in shown:
        settled = sample(steady, source, write, T0 + at * MS)
        steady = settled.steady
        out.append(settled)
    return out


def claims(told: list[DebounceResult]) -> list[tuple[Claim | None, int]]:
    """What the register was told, and as of how many ms."""
    return [(s.changed.claim, (s.since - T0) // MS) for s in told if s.changed is not None]


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize(
    ("source", "flicker", "lasts"),
    [(Source.STATUS, QUIET, 17), (Source.STATUS, SHELL, 53), (Source.POLLER, QUIET, 53), (Source.POLLER, None, 290)],
)
def test_a_turn_is_not_over_for_a_flicker(source: Source, flicker: Write | None, lasts: int) -> None:
    told = play(source, (0, BUSY), (1000, flicker), (1000 + lasts, BUSY), (1400, BUSY), steady=RUNS)
    assert claims(told) == []
    assert told[1].again_at == T0 + 1000 * MS + (UNMATCHED if flicker is None else SETTLE[source])
    assert not told[1].refreshed
    assert told[2].refreshed


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("source", [Source.STATUS, Source.POLLER])
def test_what_lasts_counts_as_of_its_first_sight(source: Source) -> None:
    settle = SETTLE[source] // MS
    told = play(source, (0, BUSY), (1000, QUIET), (1000 + settle - 1, QUIET), (1000 + settle, QUIET), steady=RUNS)
    assert claims(told) == [(Claim.NOT_RUNNING, 1000)]
    assert [s.changed is not None for s in told] == [False, False, False, True]


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
    told = play(Source.POLLER, (0, BUSY), (1000, done), (1100, done), (5000, popup), (5200, popup), steady=RUNS)
    assert claims(told) == [(Claim.COMPLETED, 1000), (Claim.COMPLETED, 1000)]
    assert told[3].changed is not None
    assert told[3].changed.accepts_input is False  # what it says of the composer is news all the same
    assert told[3].changed.strength is Strength.DEFINITIVE
    unseen = play(Source.POLLER, (8000, replace(done, strength=Strength.HINT)), steady=told[-1].steady)
    assert [s.changed.strength for s in unseen if s.changed is not None] == [Strength.DEFINITIVE]
    after = play(Source.POLLER, (6000, BUSY), (7000, QUIET), (7100, QUIET), steady=told[-1].steady)
    assert claims(after) == [(Claim.RUNNING, 6000), (Claim.NOT_RUNNING, 7000)]


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("source", [Source.STATUS, Source.POLLER])
@pytest.mark.parametrize("write", [box("f1"), BUSY, Write(Claim.WAITING_INPUT, "question")])
def test_waiting_and_running_count_at_once(source: Source, write: Write) -> None:
    assert claims(play(source, (0, QUIET), (1000, write))) == [(Claim.NOT_RUNNING, 0), (write.claim, 1000)]


@pytest.mark.tc("TC-114")
def test_a_screen_that_works_for_an_instant_after_a_refused_request_does_not_run() -> None:
    told = play(Source.POLLER, (0, box("f1")), (1000, BUSY), (1060, QUIET), (1300, QUIET))
    assert claims(told) == [(Claim.WAITING_APPROVAL, 0), (Claim.NOT_RUNNING, 1060)]
    granted = play(Source.POLLER, (0, box("f1")), (1000, BUSY), (1150, BUSY))
    assert claims(granted) == [(Claim.WAITING_APPROVAL, 0), (Claim.RUNNING, 1000)]


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
    told = play(Source.POLLER, (0, box("f1")), (500, longer), (900, box("f2")))
    assert claims(told) == [(Claim.WAITING_APPROVAL, 0), (Claim.WAITING_APPROVAL, 0), (Claim.WAITING_APPROVAL, 900)]


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
    told = [s for s in play(Source.POLLER, *shown) if s.changed is not None]
    for before, after in pairwise(told):
        assert before.changed != after.changed
        assert before.since <= after.since


# ------------------------------------------------ the drawing


@pytest.mark.tc("TC-114")
def test_the_retirement_table_in_the_docs_is_the_one_in_the_code() -> None:
    assert (ROOT / "docs" / "retirement.md").read_text(encoding="utf-8") == draw(), f"draw it again: {REDRAW}"


# ------------------------------------------------ health


@pytest.mark.tc("TC-034")
def test_a_target_that_is_down_is_tried_again_after_one_to_thirty_seconds() -> None:
    pauses = [Health().pause(tries, jitter) for tries in range(20) for jitter in (0.0, 0.5, 1.0)]
    assert min(pauses) >= 750 * MS
    assert max(pauses) == BACKOFF_MOST == 30 * NS
