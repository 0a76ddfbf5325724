"""Readings that are only noted change nothing: a calm runtime shows what it would show if each were taken in."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmuxd.core.model import MS, NS, Claim, Phase, Source, Write
from agtmuxd.core.state.debounce import DebounceResult, DebounceState
from agtmuxd.core.state.observation import AgentObservation
from agtmuxd.core.state.ordering import Stamp
from agtmuxd.core.state.registers import put, raise_marks, refresh, to_entry
from agtmuxd.core.state.resolve import Resolution, RuntimeFacts, resolve
from agtmuxd.ingest.unchanged import QuietRuntimes
from agtmuxd.repository import Repository, UnitOfWork

T0 = 1_767_225_600 * NS
ID = "rt-1"


@dataclass
class Model:
    """One runtime. ``lazy``: readings are noted only while it is calm; else each one is taken in."""

    lazy: bool
    repository: Repository = field(default_factory=Repository)
    quiet: QuietRuntimes = field(default_factory=QuietRuntimes)
    says: dict[Source, Write] = field(default_factory=dict)
    skipped: int = 0
    settled: int = 0  # by time alone
    wake: int | None = None
    shown: Resolution | None = None
    read_at: int = 0

    def __post_init__(self) -> None:
        self.repository.registers[ID], self.repository.marks[ID] = {}, {}

    def edge(self, now: int, write: Write, since: int) -> None:
        unit = UnitOfWork(self.repository)
        self._put(unit, Source.HOOK, write, since, now)
        self._settle(unit, now)

    def reading(self, now: int, says: dict[Source, Write]) -> None:
        self.read_at = now
        same = all(self.says.get(source) == write for source, write in says.items())
        seen = AgentObservation(
            "claude", None, False, 1, "1", 0, False, tuple(_settled(s, w, same) for s, w in says.items())
        )
        if self.lazy and self.quiet.is_unchanged(ID, seen):
            self.quiet.read(ID, now)
            self.skipped += 1
            self.pass_time(now)
            return
        unit = UnitOfWork(self.repository)
        self.quiet.end(unit, ID)
        for source, write in says.items():
            if self.says.get(source) != write:
                self._put(unit, source, write, now, now)
            registers = dict(unit.registers.get(ID) or {})
            register = registers[(source, "turn")] = refresh(registers[(source, "turn")], now)
            unit.registers.put(ID, registers)
            raised = raise_marks(unit.marks.get(ID) or {}, source, register.entry, now)
            if raised is not None:
                unit.marks.put(ID, raised)
            self.says[source] = write
        self._settle(unit, now)

    def pass_time(self, now: int) -> None:
        """The alarm rings where it is due, and is put off where it need not."""
        if self.wake is not None:
            wakes = {ID: self.wake}
            self.quiet.delay_wakes(wakes, now)
            self.wake = wakes[ID]
            if self.wake <= now:
                self.settled += 1
                self._settle(UnitOfWork(self.repository), now)

    def _put(self, unit: UnitOfWork, source: Source, write: Write, since: int, now: int) -> None:
        entry = to_entry(write, since, Stamp(since, now, f"e{now}"), None)
        registers = dict(unit.registers.get(ID) or {})
        marks = raise_marks(unit.marks.get(ID) or {}, source, entry, since)
        if marks is not None:
            unit.marks.put(ID, marks)
        new = put(registers.get((source, write.subject)), source, write.subject, entry)
        if new is not None:
            registers[(source, write.subject)] = new
        unit.registers.put(ID, registers)

    def _settle(self, unit: UnitOfWork, now: int) -> None:
        self.quiet.end(unit, ID)
        life = RuntimeFacts(started_at=T0 - 60 * NS, pane_read_at=self.read_at)
        self.shown = resolve(unit.registers.get(ID) or {}, unit.marks.get(ID) or {}, life, now)
        self.wake = self.shown.next_wake
        if self.lazy:
            self.quiet.decide(unit, ID, self.read_at, self.shown, now)
        unit.commit()

    def tells(self) -> tuple[object, ...]:
        r = self.shown
        if r is None:
            return ()
        since = None if r.reason_code else r.since  # of the unknown it is the moment of asking; its row keeps the first
        return r.state, r.reason_code, since, r.source, r.confidence, r.accepts_input, r.background_tasks


def _settled(source: Source, write: Write, same: bool) -> tuple[Source, DebounceResult]:
    return source, DebounceResult(DebounceState(write), None if same else write, 0, same, None)


LEVEL_WORDS = [
    Write(Claim.RUNNING, "spinner", accepts_input=False),
    Write(Claim.NOT_RUNNING, "composer", accepts_input=True),
    Write(Claim.COMPLETED, "done line", accepts_input=True),
    Write(Claim.WAITING_APPROVAL, "dialog", accepts_input=False),
    Write(Claim.NOT_RUNNING, "shells", accepts_input=True, background_tasks=1),
    Write(None, "no rule matched"),
]
EDGES = [
    Write(Claim.RUNNING, "UserPromptSubmit", phase=Phase.START),
    Write(Claim.RUNNING, "PreToolUse", phase=Phase.DURING),
    Write(Claim.WAITING_APPROVAL, "PermissionRequest", subject="approval:main"),
    Write(Claim.COMPLETED, "Stop", phase=Phase.END, background_tasks=2),
    Write(Claim.IDLE, "SessionStart", phase=Phase.END),
    Write(Claim.ERROR, "StopFailure", phase=Phase.END),
    Write(None, "PostToolUse", subject="approval:main"),
]

readings = st.tuples(
    st.just("read"), st.sampled_from(LEVEL_WORDS), st.none() | st.sampled_from(LEVEL_WORDS[:2]), st.integers(1, 60)
)
silences = st.tuples(st.just("silence"), st.none(), st.none(), st.integers(1, 600))
edges = st.tuples(st.just("edge"), st.sampled_from(EDGES), st.integers(-5000, 0), st.just(1))


@pytest.mark.tc("TC-004")
@settings(max_examples=100, deadline=None)
@given(st.lists(readings | edges | silences, min_size=1, max_size=8))
def test_what_is_shown_does_not_depend_on_calm_readings_being_taken_in(steps: list[tuple[object, ...]]) -> None:
    lazy, full = Model(lazy=True), Model(lazy=False)
    now = T0
    for kind, first, second, times in steps:
        assert isinstance(times, int)
        for _ in range(times):
            now += 250 * MS
            for model in (lazy, full):
                if kind == "silence":
                    model.pass_time(now)
                    continue
                assert isinstance(first, Write)
                if kind == "edge":
                    assert isinstance(second, int)
                    model.edge(now, first, now + second * MS)
                else:
                    says = {Source.POLLER: first}
                    if isinstance(second, Write):
                        says[Source.STATUS] = second
                    model.reading(now, says)
            assert lazy.tells() == full.tells()


@pytest.mark.tc("TC-004")
def test_an_agent_that_goes_on_as_it_was_is_calm_after_some_seconds() -> None:
    model = Model(lazy=True)
    model.edge(T0, EDGES[0], T0)
    for i in range(40):
        model.reading(T0 + i * 250 * MS, {Source.POLLER: LEVEL_WORDS[0]})
    assert model.skipped > 20


@pytest.mark.tc("TC-004")
def test_what_goes_on_being_read_does_not_wake_the_door() -> None:
    model = Model(lazy=True)
    for i in range(2400):
        model.reading(T0 + i * 250 * MS, {Source.POLLER: LEVEL_WORDS[1]})
    assert model.settled == 0
    model.pass_time(T0 + 2400 * 250 * MS)
    model.pass_time(T0 + 2400 * 250 * MS + 10 * NS)
    assert model.settled == 1, "only silence does"
    assert model.shown is not None and model.shown.reason_code == "stale_signal"
