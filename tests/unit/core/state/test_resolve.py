"""Freshness, precedence, demotion and the hold-back, case by case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agtmuxd.core.model import MS, NS, Claim, Phase, Source, State, Strength, WaitingFor
from agtmuxd.core.state.ordering import Stamp
from agtmuxd.core.state.registers import Entry, Register, raise_marks, retired
from agtmuxd.core.state.resolve import HOLD_BACK, LOOK, Resolution, RuntimeFacts, recheck_at, resolve

T0 = 1_000_000 * NS
LONG_AGO = T0 - 3600 * NS


def reg(
    claim: Claim | None, at: float = 0, *, source: Source = Source.HOOK, seen: float | None = None, **more: Any
) -> Register:
    """``at``, ``seen``: seconds after T0."""
    since = T0 + int(at * NS)
    subject = more.pop("subject", "turn")
    entry = Entry(
        claim=claim, phase=more.pop("phase", Phase.NONE), strength=more.pop("strength", Strength.DEFINITIVE),
        rule="r", since=since, stamp=Stamp(since, since, f"{source}{at}"), **more,
    )  # fmt: skip
    return Register(source, subject, entry, since if seen is None else T0 + int(seen * NS))


def now_of(*registers: Register, at: float = 1, read: float | None = None, **life: Any) -> Resolution:
    """Resolve at ``at`` seconds after T0; the pane was read ``read`` seconds after T0, just now by default."""
    now = T0 + int(at * NS)
    read_at = now if read is None else T0 + int(read * NS)
    found = {(r.source, r.subject): r for r in registers}
    return resolve(found, {}, RuntimeFacts(LONG_AGO, read_at, **life), now)


@pytest.mark.tc("TC-010")
@pytest.mark.parametrize(
    ("claim", "strength", "ttl"),
    [
        (Claim.WAITING_APPROVAL, Strength.DEFINITIVE, 610),
        (Claim.WAITING_INPUT, Strength.DEFINITIVE, 610),
        (Claim.RUNNING, Strength.DEFINITIVE, 70),
        (Claim.COMPLETED, Strength.DEFINITIVE, 10),
        (Claim.IDLE, Strength.DEFINITIVE, 10),
        (Claim.RUNNING, Strength.HINT, 5),
    ],
)
def test_a_claim_outlives_the_last_reading_by_its_time_and_is_stale_then(
    claim: Claim, strength: Strength, ttl: int
) -> None:
    register = reg(claim, strength=strength)
    just = now_of(register, at=ttl - 0.001, read=0)
    assert just.state is State(str(claim))
    assert just.next_wake == T0 + ttl * NS
    after = now_of(register, at=ttl, read=0)
    assert (after.state, after.reason_code) == (State.UNKNOWN, "stale_signal")


@pytest.mark.tc("TC-010")
def test_a_declaration_stays_fresh_while_its_pane_is_read() -> None:
    assert now_of(reg(Claim.WAITING_APPROVAL), at=7200).state is State.WAITING_APPROVAL
    assert now_of(reg(Claim.RUNNING), at=7200).state is State.RUNNING


@pytest.mark.tc("TC-010")
def test_a_status_file_that_is_not_there_any_more_goes_stale_though_the_pane_is_read() -> None:
    busy = reg(Claim.RUNNING, source=Source.STATUS, seen=0)
    assert now_of(busy, at=69).state is State.RUNNING
    assert now_of(busy, at=70).reason_code == "stale_signal"


@pytest.mark.tc("TC-010")
def test_why_nothing_is_known_is_told() -> None:
    assert now_of(at=1).reason_code == "no_signal"
    assert now_of(reg(None, source=Source.POLLER), at=1).reason_code == "unsupported_signal"
    young = resolve({}, {}, RuntimeFacts(T0, T0), T0 + NS)
    assert (young.reason_code, young.next_wake) == ("starting", T0 + 15 * NS)
    assert now_of(reg(Claim.RUNNING), suspended=True).reason_code == "suspended"
    assert now_of(reg(Claim.RUNNING), target_down=True).reason_code == "target_unreachable"


@pytest.mark.tc("TC-114")
def test_only_not_running_left_is_idle() -> None:
    assert now_of(reg(Claim.NOT_RUNNING, source=Source.POLLER), at=1).state is State.IDLE


@pytest.mark.tc("TC-114")
def test_a_completion_is_idle_after_120_seconds_and_idle_since_then() -> None:
    done, composer = reg(Claim.COMPLETED), reg(Claim.NOT_RUNNING, 0.1, source=Source.POLLER, seen=200)
    just = now_of(done, composer, at=119.999)
    assert (just.state, just.next_wake) == (State.COMPLETED, T0 + 120 * NS)
    after = now_of(done, composer, at=120)
    assert (after.state, after.since) == (State.IDLE, T0 + 120 * NS)


@pytest.mark.tc("TC-114")
def test_of_two_words_on_one_completion_the_later_demotes_it_and_nothing_is_new_in_between() -> None:
    result = (reg(Claim.COMPLETED), reg(Claim.COMPLETED, 0.2, source=Source.NOTIFY))
    assert now_of(*result, at=60).since == T0
    assert now_of(*result, at=120.1).state is State.COMPLETED
    assert now_of(*result, at=120.2).state is State.IDLE


@pytest.mark.tc("TC-114")
def test_hints_decide_only_where_nobody_is_sure() -> None:
    hint = reg(Claim.WAITING_INPUT, source=Source.STATUS, strength=Strength.HINT, seen=1)
    assert now_of(hint).state is State.WAITING_INPUT
    assert now_of(hint).confidence == "low"
    assert now_of(hint, reg(Claim.RUNNING)).state is State.RUNNING


@pytest.mark.tc("TC-114")
def test_confidence_tells_who_spoke() -> None:
    assert now_of(reg(Claim.RUNNING)).confidence == "high"
    assert now_of(reg(Claim.RUNNING, source=Source.POLLER, seen=1)).confidence == "medium"


@pytest.mark.tc("TC-114")
def test_the_prompt_is_put_together_from_screen_and_hook() -> None:
    hook = reg(
        Claim.WAITING_APPROVAL, subject="approval:main", waiting_for=WaitingFor("approval", "Bash", "rm -r build")
    )
    screen = reg(
        Claim.WAITING_APPROVAL, 0.1, source=Source.POLLER, seen=1,
        waiting_for=WaitingFor("approval", None, "Do you want to proceed?", ("Yes", "No"), "f1"),
    )  # fmt: skip
    assert now_of(hook, screen).waiting_for == WaitingFor(
        "approval", "Bash", "Do you want to proceed?", ("Yes", "No"), "f1"
    )
    assert now_of(hook).waiting_for == WaitingFor("approval", "Bash", "rm -r build")


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize(
    ("late", "seen", "ended"), [(0, 1.29, False), (0, 1.31, True), (700, 1.9, False), (700, 2.1, True)]
)
def test_a_screen_that_goes_on_showing_no_turn_ends_one_as_late_as_its_agent_draws(
    late: int, seen: float, ended: bool
) -> None:
    """One that turned quiet since then ends it at once."""
    begun = reg(Claim.RUNNING, 1, phase=Phase.START)
    for since in (0.0, 1.05):
        quiet = reg(Claim.NOT_RUNNING, since, source=Source.POLLER, seen=seen, late=late * MS)
        marks = raise_marks({}, quiet.source, quiet.entry, quiet.last_seen) or {}
        assert (retired(begun, marks) is not None) is (ended or since > 1)


@pytest.mark.tc("TC-114")
def test_of_several_requests_the_screen_alone_says_which_one_it_shows() -> None:
    """A request that is cut off on the screen gets no words of another one."""
    one, other = (
        reg(Claim.WAITING_APPROVAL, at, subject=f"tool:{at}", waiting_for=WaitingFor("approval", "bash", f"make {at}"))
        for at in (0, 0.1)
    )
    cut = WaitingFor("approval", "Shell command", None, (), "f1")
    screen = reg(Claim.WAITING_APPROVAL, 0.2, source=Source.POLLER, seen=1, waiting_for=cut)
    assert now_of(one, other, screen).waiting_for == cut
    assert now_of(one, screen).waiting_for == replace(cut, text="make 0")


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize(
    ("done", "over"),
    [
        (reg(Claim.COMPLETED, 10, phase=Phase.END), State.COMPLETED),
        (reg(Claim.NOT_RUNNING, 10, phase=Phase.END, strength=Strength.HINT), State.IDLE),
    ],
    ids=["completed", "of a kind that is not told"],
)
def test_an_end_waits_for_the_screen_no_longer_than_it_may_lag_and_one_look(done: Register, over: State) -> None:
    busy = reg(Claim.RUNNING, 0, source=Source.POLLER, seen=9.9)
    hold = HOLD_BACK / NS
    marks = {"turn_end": T0 + 10 * NS}

    def at(seconds: float, screen: Register) -> Resolution:
        now = T0 + int(seconds * NS)
        return resolve({(r.source, r.subject): r for r in (done, screen)}, marks, RuntimeFacts(LONG_AGO, now), now)

    assert at(10.05, busy).state is State.RUNNING
    assert at(10.05, busy).next_wake == T0 + 10 * NS + HOLD_BACK
    assert at(10 + hold, busy).state is over
    quiet = reg(Claim.NOT_RUNNING, 10.02, source=Source.POLLER, seen=10.2)
    assert at(10.2, quiet).state is over
    still = reg(Claim.RUNNING, 0, source=Source.POLLER, seen=10.301)
    assert at(10 + hold, still).state is State.RUNNING  # the next turn, told by nobody but the screen
    long_ago = reg(Claim.RUNNING, -60, source=Source.POLLER, seen=-30)
    assert at(10.05, long_ago).state is over


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("claim", [Claim.COMPLETED, Claim.NOT_RUNNING])
def test_a_look_that_may_contradict_comes_before_the_hold_is_over(claim: Claim) -> None:
    done, busy = reg(claim, 10), reg(Claim.RUNNING, 0, source=Source.POLLER, seen=10)
    both = {(r.source, r.subject): r for r in (done, busy)}
    looks = [T0 + 10 * NS]
    while (look := recheck_at(both, looks[-1])) is not None:
        assert 0 < look - looks[-1] <= LOOK
        looks.append(look)
    assert any(T0 + 10 * NS + 300 * MS < look < T0 + 10 * NS + HOLD_BACK - 200 * MS for look in looks)
    assert looks[-1] <= T0 + 10 * NS + HOLD_BACK + LOOK


@pytest.mark.tc("TC-114")
def test_a_completion_that_waits_for_nothing_asks_for_no_look() -> None:
    done, quiet = reg(Claim.COMPLETED, 10), reg(Claim.NOT_RUNNING, 10.1, source=Source.POLLER, seen=10.4)
    assert recheck_at({(r.source, r.subject): r for r in (done, quiet)}, T0 + 10 * NS + 410 * MS) is None


@pytest.mark.tc("TC-114")
def test_a_clear_ends_what_another_source_said_of_the_turn_before() -> None:
    done = reg(Claim.COMPLETED, 10, source=Source.NOTIFY, phase=Phase.END)
    clear = reg(Claim.IDLE, 20, phase=Phase.END)
    marks = raise_marks({}, Source.HOOK, clear.entry, clear.last_seen)
    assert marks is not None
    now = T0 + 21 * NS
    found = {(r.source, r.subject): r for r in (done, clear)}
    assert resolve(found, marks, RuntimeFacts(LONG_AGO, now), now).state is State.IDLE
    late = reg(Claim.COMPLETED, 20.5, source=Source.NOTIFY, phase=Phase.END)
    assert retired(late, marks) is None


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("source", [Source.POLLER, Source.STATUS])
def test_a_turn_that_was_interrupted_may_show_for_a_second_more(source: Source) -> None:
    """A busy machine was seen to show it for half a second after the event log told of the interrupt, also once more
    behind the dialog that was refused."""
    ended = reg(Claim.IDLE, 20, source=Source.TRANSCRIPT, phase=Phase.END)
    marks = raise_marks({}, Source.TRANSCRIPT, ended.entry, ended.last_seen)
    assert marks is not None

    def shown(began: float, seen: float) -> State:
        screen = reg(Claim.RUNNING, began, source=source, seen=seen)
        raised = raise_marks(marks, source, screen.entry, screen.last_seen) or marks
        now = T0 + int(seen * NS)
        return resolve(
            {(r.source, r.subject): r for r in (screen, ended)}, raised, RuntimeFacts(LONG_AGO, now), now
        ).state

    assert shown(10, 20.95) is State.IDLE
    assert shown(10, 21.25) is State.RUNNING  # a turn that began without an event
    assert shown(20.1, 20.3) is State.IDLE
    assert shown(20.6, 20.6) is State.IDLE
    assert shown(20.8, 20.8) is State.RUNNING


@pytest.mark.tc("TC-114")
def test_a_screen_that_does_not_say_yet_that_its_turn_was_interrupted_completes_nothing() -> None:
    """Copilot was seen to show its field as after any turn for 0.2 s between the key and the row that says so."""
    ended = reg(Claim.IDLE, 20, source=Source.TRANSCRIPT, phase=Phase.END)
    marks = raise_marks({}, Source.TRANSCRIPT, ended.entry, ended.last_seen)
    assert marks is not None
    screen = reg(Claim.COMPLETED, 20.2, source=Source.POLLER, seen=20.4)
    raised = raise_marks(marks, Source.POLLER, screen.entry, screen.last_seen) or marks
    now = T0 + int(20.4 * NS)
    found = {(r.source, r.subject): r for r in (screen, ended)}
    assert resolve(found, raised, RuntimeFacts(LONG_AGO, now), now).state is State.IDLE


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("source", [Source.POLLER, Source.STATUS])
@pytest.mark.parametrize("before", [Claim.IDLE, Claim.COMPLETED, Claim.ERROR, Claim.NOT_RUNNING])
@pytest.mark.parametrize("after", [Claim.RUNNING, Claim.COMPLETED])
def test_a_screen_that_is_doubted_right_after_an_interrupt_leaves_the_pane_idle(
    source: Source, before: Claim, after: Claim
) -> None:
    """Whatever the screen showed between the event and what is doubted, the event still says ``idle``. Gemini on a busy
    machine: its start event, its empty field, then the title of the first turn before the event of that turn."""
    ended = reg(Claim.IDLE, 20, phase=Phase.END)
    marks = raise_marks({}, Source.HOOK, ended.entry, ended.last_seen)
    assert marks is not None
    for claim, began, seen in ((before, 20.1, 20.3), (after, 20.4, 20.6)):
        level = reg(claim, began, source=source, seen=seen)
        marks = raise_marks(marks, source, level.entry, level.last_seen) or marks
    now = T0 + int(20.6 * NS)
    assert (
        resolve({(r.source, r.subject): r for r in (level, ended)}, marks, RuntimeFacts(LONG_AGO, now), now).state
        is State.IDLE
    )


@pytest.mark.tc("TC-114")
def test_background_work_is_counted_beside_the_state() -> None:
    done = reg(Claim.COMPLETED, 10, background_tasks=1)
    assert (now_of(done, at=11).state, now_of(done, at=11).background_tasks) == (State.COMPLETED, 1)
    over = reg(Claim.NOT_RUNNING, 20, source=Source.STATUS, seen=30, background_tasks=0)
    assert now_of(done, over, at=30).background_tasks == 0


@pytest.mark.tc("TC-114")
def test_accepts_input_is_the_screens_word_while_it_is_fresh() -> None:
    composer = reg(Claim.NOT_RUNNING, source=Source.POLLER, seen=1, accepts_input=True)
    assert now_of(composer, at=2).accepts_input is True
    assert now_of(composer, reg(Claim.RUNNING), at=12).accepts_input is None


@pytest.mark.tc("TC-114")
def test_a_composer_that_was_read_before_the_dialog_accepts_nothing_now() -> None:
    composer = reg(Claim.RUNNING, source=Source.POLLER, seen=1, accepts_input=True)
    asked = reg(Claim.WAITING_APPROVAL, at=1.1, subject="approval:main")
    assert now_of(composer, asked, at=1.2).accepts_input is None


@pytest.mark.tc("TC-114")
def test_a_dialog_that_came_up_after_a_failure_is_what_is_waited_for() -> None:
    failed = reg(Claim.ERROR, 1, phase=Phase.END)
    asks = reg(Claim.WAITING_INPUT, 2, source=Source.POLLER, seen=3)
    assert now_of(failed, asks, at=3).state is State.WAITING_INPUT
    older = reg(Claim.WAITING_INPUT, 0, source=Source.POLLER, seen=3)  # the screen lags behind the failure
    assert now_of(failed, older, at=3).state is State.ERROR
    assert now_of(failed, reg(Claim.NOT_RUNNING, 4, source=Source.POLLER, seen=5), at=5).state is State.ERROR


@pytest.mark.tc("TC-114")
def test_a_failure_that_was_cleared_away_is_idle() -> None:
    failed = reg(Claim.ERROR, 1, phase=Phase.END)
    assert now_of(failed, reg(Claim.IDLE, 2, source=Source.POLLER, seen=3), at=3).state is State.IDLE
    assert now_of(failed, reg(Claim.IDLE, 0, source=Source.POLLER, seen=3), at=3).state is State.ERROR


@pytest.mark.parametrize("claim", [Claim.COMPLETED, Claim.ERROR])
def test_a_screen_that_shows_a_cleared_session_puts_the_end_before_it_behind_for_good(claim: Claim) -> None:
    end = reg(claim, 1, source=Source.TRANSCRIPT, phase=Phase.END)
    cleared = reg(Claim.IDLE, 2, source=Source.POLLER)
    marks = raise_marks({}, cleared.source, cleared.entry, cleared.last_seen) or {}
    typed = reg(Claim.NOT_RUNNING, 4, source=Source.POLLER, seen=5)
    now, life = T0 + 5 * NS, RuntimeFacts(LONG_AGO, T0 + 5 * NS)
    assert resolve({(r.source, r.subject): r for r in (end, typed)}, marks, life, now).state is State.IDLE
    later = reg(claim, 3, source=Source.TRANSCRIPT, phase=Phase.END)
    assert retired(later, marks) is None
