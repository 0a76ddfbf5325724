"""The same bound events, in any order of arrival, with any duplication, end in the same registers, marks and state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmuxd.core.model import LEVELS, MS, NS, Claim, Phase, RawEvent, Signal, Source, Strength, WaitingFor, Write
from agtmuxd.core.state.ordering import SKEW_BUDGET, Stamp, effective_time
from agtmuxd.core.state.registers import Entry, Register, put, raise_marks, to_entry
from agtmuxd.core.state.resolve import Resolution, RuntimeFacts, resolve
from agtmuxd.ingest.apply_event import apply_event
from agtmuxd.repository import Repository, Runtime, UnitOfWork

T0 = 1_000_000 * NS
BOUNDED = settings(deadline=None, max_examples=80, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
SOURCES = (Source.HOOK, Source.NOTIFY, Source.STATUS, Source.TRANSCRIPT, Source.POLLER)
SUBJECTS = ("turn", "approval:main", "approval:sub-1", "tool:7", "background")

times = st.integers(0, 40).map(lambda n: n * 250 * MS) | st.integers(0, 10 * NS)
"""Few enough that events meet at the very same moment."""


@st.composite
def writes(draw: st.DrawFn) -> Write:
    claim = draw(st.none() | st.sampled_from(Claim))
    waiting = claim in (Claim.WAITING_APPROVAL, Claim.WAITING_INPUT)
    return Write(
        claim=claim,
        rule=draw(st.sampled_from(["a", "b"])),
        subject=draw(st.sampled_from(SUBJECTS)),
        phase=draw(st.sampled_from(Phase)),
        strength=draw(st.sampled_from([Strength.DEFINITIVE, Strength.DEFINITIVE, Strength.HINT])),
        waiting_for=WaitingFor("approval", fingerprint=draw(st.sampled_from(["f1", "f2"]))) if waiting else None,
        accepts_input=draw(st.none() | st.booleans()),
        background_tasks=draw(st.none() | st.integers(0, 2)),
    )


@st.composite
def spoken(draw: st.DrawFn, number: int, seq: Any) -> tuple[RawEvent, tuple[Write, ...]]:
    """One event with its stamps: live within the skew budget or far outside it, or out of a spool."""
    at = T0 + draw(times)
    skew = draw(st.sampled_from([0, 0, 0, 200 * MS, 3 * NS, SKEW_BUDGET, SKEW_BUDGET + 1, -SKEW_BUDGET - 1, 90 * NS]))
    source = draw(st.sampled_from(SOURCES))
    made = RawEvent(
        event_id=f"e{number:03d}", event_type="x", source=source, agent_type="claude", event_time=at - skew,
        ingested_at=at, dedupe_key=f"k{number}", source_seq=draw(seq), spooled=draw(st.booleans()),
    )  # fmt: skip
    result = draw(st.lists(writes(), min_size=1, max_size=3, unique_by=lambda w: w.subject))
    return made, tuple(result)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[RawEvent, tuple[Write, ...]]]:
    seq = draw(st.sampled_from([st.none(), st.integers(0, 5), st.none() | st.integers(0, 5)]))
    return [draw(spoken(number, seq)) for number in range(draw(st.integers(1, 9)))]


@st.composite
def two_arrivals(
    draw: st.DrawFn,
) -> tuple[list[tuple[RawEvent, tuple[Write, ...]]], list[tuple[RawEvent, tuple[Write, ...]]]]:
    history = draw(histories())
    other = draw(st.permutations([*history, *draw(st.lists(st.sampled_from(history), max_size=4))]))
    return history, other


def stamped(event: RawEvent) -> Stamp:
    at = effective_time(event.event_time, event.ingested_at, spooled=event.spooled)
    return Stamp(at, event.ingested_at, event.event_id)


def outcome(registers: dict[tuple[Source, str], Register], marks: dict[str, int]) -> tuple[Any, ...]:
    """What counts: the registers' words, the marks, and the state at several times."""
    listed = []
    for after in (11, 12, 30, 75, 140, 700):
        now = T0 + after * NS
        listed.append(comparable(resolve(registers, marks, RuntimeFacts(T0, now - NS), now)))
    return registers, marks, listed


def comparable(resolution: Resolution) -> tuple[Any, ...]:
    return (
        resolution.state, resolution.reason_code, resolution.confidence, resolution.since, resolution.waiting_for,
        resolution.accepts_input, resolution.background_tasks, resolution.next_wake, resolution.source,
    )  # fmt: skip


def through_core(history: Sequence[tuple[RawEvent, tuple[Write, ...]]]) -> tuple[Any, ...]:
    registers: dict[tuple[Source, str], Register] = {}
    marks: dict[str, int] = {}
    for event, one_answer in history:
        stamp = stamped(event)
        for write in one_answer:
            entry = to_entry(write, stamp.time, stamp, event.source_seq)
            marks = raise_marks(marks, event.source, entry, stamp.time) or marks
            new = put(registers.get((event.source, write.subject)), event.source, write.subject, entry)
            if new is not None:
                registers[(event.source, write.subject)] = new
    return outcome(registers, marks)


def a_runtime() -> Runtime:
    return Runtime(
        "r1", "t", "%1", "b", 1, "claude", None, None, None, 1, "1", T0, False, None, None, T0,
    )  # fmt: skip


def through_ingest(history: Sequence[tuple[RawEvent, tuple[Write, ...]]]) -> tuple[Any, ...]:
    """The same by the daemon's own folding, one transaction per event."""
    repository = Repository(runtimes={"r1": a_runtime()}, registers={"r1": {}}, marks={"r1": {}})
    for event, one_answer in history:
        unit = UnitOfWork(repository)
        apply_event(unit, a_runtime(), event, Signal("x", one_answer), skew_budget=SKEW_BUDGET)
        unit.commit()
    return outcome(repository.registers["r1"], repository.marks["r1"])


@pytest.mark.tc("TC-006")
@BOUNDED
@given(two_arrivals())
def test_any_order_of_arrival_ends_in_the_same_registers_marks_and_state(
    arrivals: tuple[list[tuple[RawEvent, tuple[Write, ...]]], list[tuple[RawEvent, tuple[Write, ...]]]],
) -> None:
    one, other = arrivals
    assert through_core(one) == through_core(other)


@pytest.mark.tc("TC-006")
@BOUNDED
@given(two_arrivals())
def test_the_daemons_folding_ends_the_same_and_as_the_model_says(
    arrivals: tuple[list[tuple[RawEvent, tuple[Write, ...]]], list[tuple[RawEvent, tuple[Write, ...]]]],
) -> None:
    one, other = arrivals
    assert through_ingest(one) == through_ingest(other) == through_core(one)


@pytest.mark.tc("TC-006")
@BOUNDED
@given(histories())
def test_a_register_is_its_newest_event_by_seq_only_if_all_its_events_carry_one(
    history: list[tuple[RawEvent, tuple[Write, ...]]],
) -> None:
    registers, _, _ = through_core(history)
    for (source, subject), register in registers.items():
        listed = [(e, w) for e, ws in history for w in ws if e.source is source and w.subject == subject]
        by_seq = all(e.source_seq is not None for e, _ in listed)
        newest, write = max(listed, key=lambda s: ((s[0].source_seq or 0) if by_seq else 0, stamped(s[0])))
        assert register.entry == to_entry(write, stamped(newest).time, stamped(newest), newest.source_seq)
        assert register.ordered_by_seq == by_seq


@pytest.mark.tc("TC-007")
@BOUNDED
@given(histories(), st.data())
def test_a_duplicate_moves_nothing(history: list[tuple[RawEvent, tuple[Write, ...]]], data: st.DataObject) -> None:
    event, result = data.draw(st.sampled_from(history))
    repository = Repository(runtimes={"r1": a_runtime()}, registers={"r1": {}}, marks={"r1": {}})
    for one, writes_ in history:
        unit = UnitOfWork(repository)
        apply_event(unit, a_runtime(), one, Signal("x", writes_), skew_budget=SKEW_BUDGET)
        unit.commit()
    unit = UnitOfWork(repository)
    moved = apply_event(unit, a_runtime(), event, Signal("x", result), skew_budget=SKEW_BUDGET)
    assert not moved
    assert (unit.changed_registers, unit.marked) == (set(), set())


# ------------------------------------------------ single cases, so that a failure has a name


def entry(
    claim: Claim | None, at: int, *, seq: int | None = None, name: str = "e", ingested: int | None = None
) -> Entry:
    stamp = Stamp(at, at if ingested is None else ingested, name)
    return to_entry(Write(claim, "r"), at, stamp, seq)


@pytest.mark.tc("TC-006")
def test_a_late_event_is_late_for_its_own_register_only() -> None:
    hook = put(None, Source.HOOK, "turn", entry(Claim.COMPLETED, 20))
    assert hook is not None
    assert put(hook, Source.HOOK, "turn", entry(Claim.RUNNING, 10)) is None
    assert put(None, Source.NOTIFY, "turn", entry(Claim.RUNNING, 10)) is not None


@pytest.mark.tc("TC-006")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Stamp(1, 9, "z"), Stamp(2, 1, "a")),  # effective time first
        (Stamp(1, 1, "z"), Stamp(1, 2, "a")),  # then arrival
        (Stamp(1, 1, "a"), Stamp(1, 1, "b")),  # then the id
    ],
)
def test_events_are_ordered_by_effective_time_then_arrival_then_id(old: Stamp, new: Stamp) -> None:
    assert old < new
    first, second = (replace(entry(Claim.IDLE, s.time), stamp=s) for s in (old, new))
    held = put(None, Source.HOOK, "turn", second)
    assert held is not None
    assert put(held, Source.HOOK, "turn", first) is None


@pytest.mark.tc("TC-006")
def test_a_seq_outranks_the_clock_until_one_event_comes_without() -> None:
    first = put(None, Source.HOOK, "turn", entry(Claim.RUNNING, 30, seq=1, name="a"))
    assert first is not None
    second = put(first, Source.HOOK, "turn", entry(Claim.COMPLETED, 20, seq=2, name="b"))
    assert second is not None
    assert second.entry.claim is Claim.COMPLETED
    third = put(second, Source.HOOK, "turn", entry(Claim.IDLE, 10, name="c"))
    assert third is not None
    assert third.entry.claim is Claim.RUNNING  # by the clock the first is the newest of the three


@pytest.mark.tc("TC-006")
@pytest.mark.parametrize(
    ("event_time", "ingested_at", "more", "effective"),
    [
        (100 * NS, 100 * NS, {}, 100 * NS),
        (90 * NS, 100 * NS, {}, 90 * NS),  # within the budget: the source's clock
        (90 * NS - 1, 100 * NS, {}, 100 * NS),  # beyond it: the daemon's
        (110 * NS, 100 * NS, {}, 110 * NS),
        (110 * NS + 1, 100 * NS, {}, 100 * NS),
        (40 * NS, 100 * NS, {"spooled": True}, 40 * NS),  # a spooled one is believed however old it is
        (140 * NS, 100 * NS, {"spooled": True}, 100 * NS),  # but never after its arrival
        (47 * NS, 100 * NS, {"spooled": True, "clock_offset": 7 * NS}, 40 * NS),
        (99 * NS, 100 * NS, {"skew_budget": NS // 2}, 100 * NS),
    ],
)
def test_effective_time(event_time: int, ingested_at: int, more: dict[str, Any], effective: int) -> None:
    assert effective_time(event_time, ingested_at, **more) == effective


@pytest.mark.tc("TC-006")
def test_a_spooled_turn_end_loses_against_a_younger_start_that_came_before_it() -> None:
    start = RawEvent("e2", "s", Source.HOOK, "claude", T0 + 60 * NS, T0 + 60 * NS, "k2")
    end = RawEvent("e1", "e", Source.HOOK, "claude", T0, T0 + 90 * NS, "k1", spooled=True)
    registers, marks, _ = through_ingest(
        [
            (start, (Write(Claim.RUNNING, "s", phase=Phase.START),)),
            (end, (Write(Claim.COMPLETED, "e", phase=Phase.END),)),
        ]
    )
    assert registers[(Source.HOOK, "turn")].entry.claim is Claim.RUNNING
    assert marks == {"turn_start": T0 + 60 * NS, "turn_end": T0}


@pytest.mark.tc("TC-006")
def test_what_a_late_event_retires_stays_retired() -> None:
    waiting = RawEvent("e1", "p", Source.HOOK, "claude", T0, T0, "k1")
    answered = RawEvent("e2", "a", Source.NOTIFY, "claude", T0 + 2 * NS, T0 + 2 * NS, "k2")
    newer = RawEvent("e3", "n", Source.NOTIFY, "claude", T0 + 3 * NS, T0 + 3 * NS, "k3")
    ask = (Write(Claim.WAITING_APPROVAL, "p", subject="approval:main"),)
    end = (Write(Claim.COMPLETED, "a", phase=Phase.END),)
    nothing = (Write(None, "n"),)
    in_order = through_ingest([(waiting, ask), (answered, end), (newer, nothing)])
    assert through_ingest([(newer, nothing), (answered, end), (waiting, ask)]) == in_order
    assert in_order[1] == {"turn_end": T0 + 2 * NS}


def test_levels_are_the_sources_that_are_read_again_and_again() -> None:
    assert {Source.POLLER, Source.STATUS} == LEVELS
