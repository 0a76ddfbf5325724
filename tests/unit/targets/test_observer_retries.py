"""What an observer could not tell, because nobody could take it in, it tells with the next round."""

from __future__ import annotations

from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import NS
from agtmuxd.core.state.observation import HealthChange, Observation
from agtmuxd.targets.executor import ExecutorError, ProgramResult
from agtmuxd.targets.observer import Observer
from tests.rig import Clock

EMPTY = ProgramResult(1, b"", b"no server running on /tmp/x\n", False)


class _Sink:
    def __init__(self) -> None:
        self.full = False
        self.told: list[tuple[str, str | None]] = []

    async def report_health(self, change: HealthChange) -> None:
        if self.full:
            raise AgtmuxError("E_STORE_UNAVAILABLE", "the disk is full")
        self.told.append((change.health, change.reason))

    async def observe(self, seen: Observation) -> None:
        return None


class _Reach:
    """An executor of a machine that is there or not; nothing runs on it."""

    there = True

    async def run(self, *_: Any, **__: Any) -> ProgramResult:
        if not self.there:
            raise ExecutorError("timeout", "took too long")
        return EMPTY

    async def process_table(self) -> list[Any]:
        return []


@pytest.mark.tc("TC-052")
async def test_a_health_that_could_not_be_told_is_told_with_the_next_round() -> None:
    clock, sink, reach, nothing = Clock(), _Sink(), _Reach(), None
    some: Any = nothing
    executor: Any = reach
    taker: Any = sink
    observer = Observer("t", executor, lambda: ["tmux"], some, taker, clock, local=False)

    async def round_of(*, there: bool, full: bool) -> None:
        reach.there, sink.full = there, full
        clock.forward(1)
        if full:
            with pytest.raises(AgtmuxError):
                await observer.once()
        else:
            await observer.once()

    await round_of(there=True, full=True)
    await round_of(there=True, full=False)
    await round_of(there=True, full=False)
    assert sink.told == [("ok", None)]
    await round_of(there=False, full=True)
    await round_of(there=False, full=False)
    assert sink.told[1:] == [("degraded", "timeout")]
    await round_of(there=False, full=True)
    await round_of(there=False, full=False)
    assert sink.told[2:] == [("down", "timeout")]
    await round_of(there=True, full=False)
    await round_of(there=True, full=True)
    await round_of(there=True, full=False)
    assert sink.told[3:] == [("ok", None)]
    assert observer.health.since == clock.now - NS
