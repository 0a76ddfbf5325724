"""What holds of ``resolve`` for whatever registers, marks and times there are."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from agtmuxd.core.model import LEVELS, MS, NS, PRECEDENCE, Claim, Phase, Source, State, Strength, WaitingFor
from agtmuxd.core.state.ordering import Stamp
from agtmuxd.core.state.registers import RETIREMENTS, WAITS, Entry, Register, retired
from agtmuxd.core.state.resolve import DEMOTE_AFTER, PANE_FRESH, Resolution, RuntimeFacts, resolve

T0 = 1_000_000 * NS
BOUNDED = settings(deadline=None, max_examples=150, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
Registers = dict[tuple[Source, str], Register]

moments = st.sampled_from([0, 1, 100 * MS, 300 * MS, NS, 5 * NS, 10 * NS, 60 * NS, 119 * NS, 120 * NS, 121 * NS]).map(
    lambda d: T0 + d
) | st.integers(T0, T0 + 200 * NS)


@st.composite
def a_register(draw: st.DrawFn, source: Source, subject: str, number: int) -> Register:
    since = draw(moments)
    claim = draw(st.none() | st.sampled_from(Claim))
    waiting = claim in (Claim.WAITING_APPROVAL, Claim.WAITING_INPUT)
    entry = Entry(
        claim=claim, phase=draw(st.sampled_from(Phase)), strength=draw(st.sampled_from(Strength)), rule="r",
        since=since, stamp=Stamp(since, since, f"e{number}"),
        waiting_for=WaitingFor("approval", fingerprint="f") if waiting else None,
        accepts_input=draw(st.none() | st.booleans()), background_tasks=draw(st.none() | st.integers(0, 3)),
    )  # fmt: skip
    seen = since + draw(st.integers(0, 20 * NS)) if source in LEVELS else since
    return Register(source, subject, entry, seen)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Registers, dict[str, int], RuntimeFacts, int]:
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from([Source.HOOK, Source.NOTIFY, Source.STATUS, Source.POLLER]),
                      st.sampled_from(["turn", "approval:main", "approval:sub", "background"])),
            max_size=5, unique=True,
        )
    )  # fmt: skip
    registers = {key: draw(a_register(*key, number)) for number, key in enumerate(keys)}
    marks = draw(st.dictionaries(st.sampled_from([row.mark for row in RETIREMENTS]), moments, max_size=3))
    life = RuntimeFacts(draw(moments) - 30 * NS, draw(st.just(0) | moments))
    return registers, marks, life, draw(moments) + draw(st.integers(0, 700 * NS))


def visible_part(r: Resolution) -> tuple[Any, ...]:
    """The outcome but for ``next_wake``; an unknown state has no beginning of its own."""
    since = None if r.state is State.UNKNOWN else r.since
    return r.state, r.reason_code, r.confidence, since, r.waiting_for, r.accepts_input, r.background_tasks, r.source


def voices(registers: Registers, marks: dict[str, int], life: RuntimeFacts, now: int) -> list[Register]:
    """The definitive claims that stand, else the hints: by the words of the contract, not by its code."""
    resolution = resolve(registers, marks, life, now)
    standing = [
        c.register for c in resolution.considered if c.fresh and c.retired_by is None and c.register.entry.claim
    ]
    strong = [r for r in standing if r.entry.strength is Strength.DEFINITIVE]
    return strong or standing


@pytest.mark.tc("TC-006")
@BOUNDED
@given(situations())
def test_resolve_is_pure(situation: tuple[Registers, dict[str, int], RuntimeFacts, int]) -> None:
    registers, marks, life, now = situation
    before = copy.deepcopy((registers, marks))
    first = resolve(registers, marks, life, now)
    assert resolve(registers, marks, life, now) == first
    assert (registers, marks) == before
    again = resolve(dict(reversed(registers.items())), marks, life, now)
    assert visible_part(again) == visible_part(first)


@pytest.mark.tc("TC-006")
@BOUNDED
@given(situations())
def test_nothing_left_is_unknown_with_a_reason_and_never_idle(
    situation: tuple[Registers, dict[str, int], RuntimeFacts, int],
) -> None:
    registers, marks, life, now = situation
    resolution = resolve(registers, marks, life, now)
    if not voices(registers, marks, life, now):
        assert resolution.state is State.UNKNOWN
    assert (resolution.state is State.UNKNOWN) == (resolution.reason_code not in (None, "agent_error"))


@pytest.mark.tc("TC-006")
@BOUNDED
@given(situations())
def test_precedence_decides_among_definitive_claims_and_hints_speak_only_without_them(
    situation: tuple[Registers, dict[str, int], RuntimeFacts, int],
) -> None:
    registers, marks, life, now = situation
    heard = voices(registers, marks, life, now)
    assume(heard)
    failed = max((r.entry.since for r in heard if r.entry.claim is Claim.ERROR), default=now)
    past = WAITS | {Claim.IDLE}
    behind = any(r.is_level and r.entry.claim in past and r.entry.since > failed for r in heard)
    claims = set()
    for register in heard:
        if behind and register.entry.claim is Claim.ERROR:
            continue  # a dialog came up after the failure, or it was cleared away
        claim = register.entry.claim
        if claim is Claim.COMPLETED and now >= register.entry.since + DEMOTE_AFTER:
            claim = Claim.IDLE
        claims.add(State.IDLE if claim is Claim.NOT_RUNNING else State(str(claim)))
    best = min(claims, key=PRECEDENCE.index)
    resolution = resolve(registers, marks, life, now)
    held_back = best is State.COMPLETED and resolution.state is State.RUNNING
    assert resolution.state is best or held_back
    if not held_back:
        assert all(c.register in heard for c in resolution.considered if c.used)
    if held_back:
        assert any(r.is_level and r.entry.claim is Claim.RUNNING for r in registers.values())


@pytest.mark.tc("TC-006")
@BOUNDED
@given(situations(), st.lists(st.integers(1, 1000), min_size=1, max_size=4))
def test_nothing_changes_before_the_next_wake(
    situation: tuple[Registers, dict[str, int], RuntimeFacts, int], parts: list[int]
) -> None:
    registers, marks, life, now = situation
    first = resolve(registers, marks, life, now)
    end = first.next_wake if first.next_wake is not None else now + 3600 * NS
    assert end > now
    for later in [end - 1, *(now + (end - 1 - now) * part // 1000 for part in parts)]:
        assert visible_part(resolve(registers, marks, life, later)) == visible_part(first), (later - now) / NS


@pytest.mark.tc("TC-006")
@BOUNDED
@given(situations())
def test_time_alone_comes_to_an_end(situation: tuple[Registers, dict[str, int], RuntimeFacts, int]) -> None:
    registers, marks, life, now = situation
    for _ in range(60):
        resolution = resolve(registers, marks, life, now)
        if resolution.next_wake is None:
            return
        now = resolution.next_wake
    raise AssertionError("a wake after each wake")


@pytest.mark.tc("TC-006")
@BOUNDED
@given(situations(), st.sampled_from([row.mark for row in RETIREMENTS]), st.integers(0, 300 * NS))
def test_a_raised_mark_brings_nothing_back(
    situation: tuple[Registers, dict[str, int], RuntimeFacts, int], mark: str, by: int
) -> None:
    registers, marks, _, _ = situation
    raised = {**marks, mark: marks.get(mark, T0) + by}
    for register in registers.values():
        if retired(register, marks) is not None:
            assert retired(register, raised) is not None


@pytest.mark.tc("TC-006")
@BOUNDED
@given(situations())
def test_no_claim_outlives_its_time_without_a_reading(
    situation: tuple[Registers, dict[str, int], RuntimeFacts, int],
) -> None:
    registers, marks, life, _ = situation
    last = max([life.pane_read_at, *(r.last_seen for r in registers.values()), life.started_at + 15 * NS])
    resolution = resolve(registers, marks, life, last + PANE_FRESH + 600 * NS)
    assert resolution.state is State.UNKNOWN
    assert resolution.next_wake is None
