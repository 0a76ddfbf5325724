"""Of a runtime with many registers those that are past are dropped, and what is told late of them stays past."""

from __future__ import annotations

import pytest

from agtmuxd.core.model import NS, Claim, Phase, RawEvent, Signal, Source, State, Write
from agtmuxd.core.state.ordering import SKEW_BUDGET
from agtmuxd.core.state.registers import HIDDEN, MANY, Register
from agtmuxd.core.state.resolve import RuntimeFacts, resolve
from agtmuxd.ingest.apply_event import apply_event
from agtmuxd.repository import Repository, Runtime, UnitOfWork
from tests.unit.ingest.test_apply_event_kept import RUNTIME as MADE

T0 = 1_000_000 * NS
RUNTIME: Runtime = MADE
COMPOSER = Write(Claim.NOT_RUNNING, "composer", accepts_input=True)


class EventLog:
    """Events of one runtime, each in a transaction of its own."""

    def __init__(self) -> None:
        self.repository = Repository(runtimes={"r1": RUNTIME}, registers={"r1": {}}, marks={"r1": {}})
        self.count = 0

    def tell(self, subject: str, claim: Claim | None, at: int, source: Source = Source.TRANSCRIPT) -> None:
        self.count += 1
        write = COMPOSER if source is Source.POLLER else Write(claim, "x", subject=subject, phase=Phase.NONE)
        unit = UnitOfWork(self.repository)
        name = f"e{self.count:05d}"
        event = RawEvent(name, "x", source, "copilot", at, T0 + 9000 * NS, name, spooled=True)
        apply_event(unit, RUNTIME, event, Signal("x", (write,)), skew_budget=SKEW_BUDGET)
        unit.commit()

    @property
    def registers(self) -> dict[tuple[Source, str], Register]:
        return self.repository.registers["r1"]

    def state(self, now: int) -> State:
        return resolve(self.registers, self.repository.marks["r1"], RuntimeFacts(T0, now), now).state


@pytest.mark.tc("TC-006")
@pytest.mark.parametrize("subject", ["tool:a", "approval:sub:a", f"{HIDDEN}s-2:tool:a"])
def test_a_request_that_was_answered_does_not_come_back_though_it_is_told_late(subject: str) -> None:
    result = EventLog()
    result.tell(subject, None, T0 + 2 * NS)
    result.tell("turn", None, T0 + 20 * NS, Source.POLLER)
    for number in range(MANY + 20):
        result.tell(f"tool:{number}", None, T0 + 10 * NS)
    result.tell(subject, Claim.WAITING_APPROVAL, T0 + NS)
    assert result.state(T0 + 21 * NS) is State.IDLE


@pytest.mark.tc("TC-006")
@pytest.mark.parametrize("subject", ["tool:{}", "approval:sub:{}", f"{HIDDEN}s-2:tool:{{}}"])
def test_what_is_long_past_is_not_kept(subject: str) -> None:
    result = EventLog()
    for number in range(5 * MANY):
        result.tell(subject.format(number), None, T0 + NS)
    result.tell("turn", None, T0 + 7300 * NS, Source.POLLER)
    result.tell("tool:last", None, T0 + 7301 * NS)
    assert len(result.registers) <= 2
