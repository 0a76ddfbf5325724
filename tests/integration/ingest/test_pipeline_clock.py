"""A clock that is set back, while the daemon runs or while it is away: what comes after it still counts as newer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agtmuxd import clock as daemon
from agtmuxd.core.model import NS, Source, State
from tests.integration.ingest.test_redactor import events_of, wire
from tests.rig import BUSY, QUIET, Agent, Clock, Rig, box, event

ASKED = {"tool_name": "Bash", "tool_input": {"command": "make"}}
HOUR = 3600 * NS


class SetBack(Clock):
    """The daemon's clock over a system's that is set; ``forward`` lets time go by."""

    def __init__(self) -> None:
        super().__init__()
        self.ran = 0
        self.real = daemon.Clock(lambda: self.now, lambda: self.ran)

    def __call__(self) -> int:
        return self.real()

    def forward(self, seconds: float) -> int:
        self.ran += int(seconds * NS)
        super().forward(seconds)
        return self.real()


async def works(rig: Rig, agent: Agent) -> None:
    await rig.round(agent)
    await rig.post(event("UserPromptSubmit", agent, at=rig.clock.forward(1)))
    await rig.steady(agent, Source.POLLER, BUSY)
    rig.clock.forward(2)
    await rig.round(agent)
    assert rig.the_state().state is State.RUNNING


@pytest.mark.tc("TC-006")
@pytest.mark.parametrize("back", [30 * NS, HOUR])
async def test_a_dialog_that_comes_up_after_the_clock_was_set_back_is_seen_at_once(tmp_path: Path, back: int) -> None:
    clock = SetBack()
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await works(rig, agent)
        clock.now -= back
        clock.forward(0.3)
        agent.levels[Source.POLLER] = box()
        await rig.round(agent)
        assert rig.the_state().state is State.WAITING_APPROVAL


@pytest.mark.tc("TC-006")
async def test_a_turn_told_by_hooks_goes_on_over_a_clock_that_was_set_back(tmp_path: Path) -> None:
    clock = SetBack()
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await works(rig, agent)
        clock.now -= HOUR
        asked = clock.forward(1)
        await rig.post(event("PermissionRequest", agent, at=asked, payload=ASKED))
        assert rig.the_state().state is State.WAITING_APPROVAL
        await rig.steady(agent, Source.POLLER, box())
        await rig.post(event("PostToolUse", agent, at=clock.forward(1)))
        await rig.post(event("Stop", agent, at=clock.forward(0.2)))
        await rig.steady(agent, Source.POLLER, QUIET)
        clock.forward(1)
        await rig.round(agent)
        assert rig.the_state().state is State.COMPLETED


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("veiled", [False, True], ids=["", "while the target was away"])
async def test_a_clock_that_was_set_back_while_the_daemon_was_away_makes_nothing_newer_than_what_comes(
    tmp_path: Path, veiled: bool
) -> None:
    clock = Clock()
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await works(rig, agent)
        await rig.post(event("PermissionRequest", agent, at=clock.forward(1), payload=ASKED))
        await rig.steady(agent, Source.POLLER, box())
        before = rig.the_state()
        assert before.state is State.WAITING_APPROVAL
        if veiled:
            await rig.health("down", "timeout")
    clock.now -= HOUR
    again = Agent(levels={Source.POLLER: box()})
    async with Rig(tmp_path / "a.db", clock) as rig:
        if veiled:
            await rig.health("ok")
        clock.forward(1)
        await rig.round(again)
        state = rig.the_state()
        assert state.state is State.WAITING_APPROVAL
        assert 0 <= state.since - (before.since - HOUR) <= NS
        await rig.post(event("PostToolUse", again, at=clock.forward(1)))
        await rig.steady(again, Source.POLLER, BUSY)
        clock.forward(1)
        await rig.round(again)
        assert rig.the_state().state is State.RUNNING
        await rig.post(event("Stop", again, at=clock.forward(1)))
        await rig.steady(again, Source.POLLER, QUIET)
        assert rig.the_state().state is State.COMPLETED
        assert rig.rows("SELECT count(*) FROM states WHERE since > ?", clock.now) == [(0,)]
        assert rig.rows("SELECT count(*) FROM retirement_marks WHERE at > ?", clock.now) == [(0,)]


@pytest.mark.tc("TC-006")
async def test_a_hook_goes_by_the_systems_clock_and_counts_by_the_daemons(tmp_path: Path) -> None:
    clock = SetBack()
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        intake = events_of(rig, ahead=clock.real.ahead)
        await works(rig, agent)
        clock.now -= 5 * NS  # within the skew that is believed
        clock.forward(1)
        asked = {"event_time": clock.now, "target": None}
        answer = await intake.ingest([wire(1, "PermissionRequest", ASKED, agent, **asked)])
        assert [one["status"] for one in answer] == ["bound"]
        assert rig.the_state().state is State.WAITING_APPROVAL
        assert rig.rows("SELECT event_time FROM events WHERE event_type = 'PermissionRequest'") == [(clock(),)]


@pytest.mark.tc("TC-114")
async def test_a_completion_is_idle_after_a_machine_slept_though_nothing_else_happens(tmp_path: Path) -> None:
    clock = Clock()
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await works(rig, agent)
        await rig.post(event("Stop", agent, at=clock.forward(1)))
        await rig.steady(agent, Source.POLLER, QUIET)
        for _ in range(30):
            clock.forward(0.25)
            await rig.round(agent)
        assert rig.the_state().state is State.COMPLETED
        clock.forward(3600)  # timers stood still meanwhile
        await rig.round(agent)
        for _ in range(2000):
            if rig.the_state().state is State.IDLE:
                break
            await asyncio.sleep(0.01)
        assert rig.the_state().state is State.IDLE
