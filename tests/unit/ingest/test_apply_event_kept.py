"""What the store holds after each transaction retires what the daemon's memory does: a restart brings nothing back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmuxd.core.model import LEVELS, MS, NS, Claim, Phase, RawEvent, Signal, Source, Strength, WaitingFor, Write
from agtmuxd.core.state.debounce import DebounceState, sample
from agtmuxd.core.state.observation import AgentObservation
from agtmuxd.core.state.ordering import SKEW_BUDGET, Stamp
from agtmuxd.core.state.registers import Entry, Register, retired, to_entry
from agtmuxd.core.state.resolve import RuntimeFacts, resolve
from agtmuxd.ingest.apply_event import apply_event, apply_level
from agtmuxd.ingest.pipeline import write_of
from agtmuxd.ingest.unchanged import QuietRuntimes
from agtmuxd.repository import Repository, Runtime, UnitOfWork
from agtmuxd.store import current

T0 = 1_000_000 * NS
ID = "r1"
RUNTIME = Runtime(ID, "t", "%1", "b", 1, "claude", None, None, None, 1, "1", T0, False, None, None, T0)
Registers = dict[tuple[Source, str], Register]

SHOWN = [
    Write(Claim.RUNNING, "spinner", accepts_input=False),
    Write(Claim.NOT_RUNNING, "composer", accepts_input=True),
    Write(Claim.WAITING_APPROVAL, "box", accepts_input=False),
    Write(None, "no rule matched"),
]
TOLD = [
    Write(Claim.RUNNING, "prompt", phase=Phase.START),
    Write(Claim.RUNNING, "tool", phase=Phase.DURING),
    Write(Claim.COMPLETED, "stop", phase=Phase.END),
    Write(Claim.ERROR, "failed", phase=Phase.END),
    Write(Claim.IDLE, "interrupted", phase=Phase.END),
    Write(Claim.WAITING_APPROVAL, "asks", subject="approval:main"),
    Write(Claim.WAITING_APPROVAL, "asks", subject="approval:sub"),
]


@dataclass
class Daemon:
    """One runtime as the door keeps it, and beside it what its transactions wrote down."""

    repository: Repository = field(
        default_factory=lambda: Repository(runtimes={ID: RUNTIME}, registers={ID: {}}, marks={ID: {}})
    )
    quiet: QuietRuntimes = field(default_factory=QuietRuntimes)
    steady: DebounceState = field(default_factory=DebounceState)
    read_at: int = 0
    kept: Registers = field(default_factory=dict)
    kept_marks: dict[str, int] = field(default_factory=dict)

    def event(self, number: int, write: Write, at: int, now: int) -> None:
        unit = UnitOfWork(self.repository)
        event = RawEvent(f"e{number:03d}", "x", Source.HOOK, "claude", at, now, f"k{number}", spooled=True)
        apply_event(unit, RUNTIME, event, Signal("x", (write,)), skew_budget=SKEW_BUDGET)
        self._close(unit, now)

    def reading(self, number: int, write: Write, now: int) -> None:
        self.read_at = now
        settled = sample(self.steady, Source.POLLER, write, now)
        self.steady = settled.steady
        seen = AgentObservation("claude", None, False, 1, "1", 0, False, ((Source.POLLER, settled),))
        if self.quiet.is_unchanged(ID, seen):
            self.quiet.read(ID, now)
            return
        unit = UnitOfWork(self.repository)
        self.quiet.end(unit, ID)
        apply_level(unit, RUNTIME, Source.POLLER, settled, now, f"p{number:03d}")
        self._close(unit, now)

    def _close(self, unit: UnitOfWork, now: int) -> None:
        """What settling and saving do of it."""
        self.quiet.end(unit, ID)
        registers, marks = unit.registers.get(ID) or {}, unit.marks.get(ID) or {}
        resolution = resolve(registers, marks, RuntimeFacts(T0, self.read_at), now)
        self.quiet.decide(unit, ID, self.read_at, resolution, now)
        for _, source, subject in unit.changed_registers:
            if (source, subject) in registers:
                self.kept[(source, subject)] = registers[(source, subject)]
        if unit.marked:
            self.kept_marks = dict(marks)
        unit.commit()

    def gone(self, registers: Registers, marks: dict[str, int]) -> set[tuple[Source, str]]:
        return {k for k, r in registers.items() if k[0] not in LEVELS and retired(r, marks) is not None}

    def live(self, now: int) -> set[tuple[Source, str]]:
        unit = UnitOfWork(self.repository)
        self.quiet.update_registers(unit, ID)
        return self.gone(unit.registers.get(ID) or {}, unit.marks.get(ID) or {})


happenings = st.lists(
    st.tuples(
        st.sampled_from([100 * MS, 250 * MS, 700 * MS, 2 * NS, 5 * NS]),
        st.tuples(st.just("reads"), st.sampled_from(SHOWN))
        | st.tuples(st.just("again"), st.just(SHOWN[0]))
        | st.tuples(st.integers(0, 12).map(lambda n: n * 500 * MS), st.sampled_from(TOLD)),
    ),
    max_size=14,
)


@pytest.mark.tc("TC-114")
@settings(deadline=None, max_examples=300, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
@given(happenings)
def test_what_is_retired_in_memory_is_retired_by_what_is_kept(
    story: list[tuple[int, tuple[str | int, Write]]],
) -> None:
    daemon, now, shown = Daemon(), T0, SHOWN[1]
    for number, (after, (how, write)) in enumerate(story):
        now += after
        if isinstance(how, int):
            daemon.event(number, write, now - how, now)
        else:
            shown = write if how == "reads" else shown
            daemon.reading(number, shown, now)
        assert daemon.gone(daemon.kept, daemon.kept_marks) == daemon.live(now), number


WHOLE = Entry(
    claim=Claim.WAITING_INPUT, phase=Phase.DURING, strength=Strength.HINT, rule="box", since=5, stamp=Stamp(5, 6, "e"),
    seq=7, waiting_for=WaitingFor("question", "tool", "which?", ("a", "b"), "f"), accepts_input=False,
    background_tasks=2, detail="more", late=8,
)  # fmt: skip


@pytest.mark.tc("TC-114")
def test_every_part_of_a_word_is_kept_and_remembered() -> None:
    for part in fields(Entry):
        assert getattr(WHOLE, part.name) != part.default, f"{part.name}: give it a value here"
    assert current._entry_back(json.loads(current.dumps(current._entry(WHOLE)))) == WHOLE
    apply_level = write_of(Register(Source.POLLER, "turn", WHOLE, 9))
    assert to_entry(apply_level, WHOLE.since, WHOLE.stamp, WHOLE.seq) == WHOLE
