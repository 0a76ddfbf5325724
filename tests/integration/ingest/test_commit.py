"""A disk that is full for a while: what was under way is done when there is room again, and nothing is forgotten."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import Source, State
from agtmuxd.ingest.commit import save
from agtmuxd.store import db as database
from tests.rig import BUSY, TARGET, Agent, Clock, Rig, box, event

ASKED = {"tool_name": "Bash", "tool_input": {"command": "make"}}


class Disk:
    """Full for so many transactions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full, self.tries = 0, 0

        def saving(run: Any) -> None:
            self.tries += 1
            if self.full:
                self.full -= 1
                raise sqlite3.OperationalError("database or disk is full")
            save(run)

        monkeypatch.setattr("agtmuxd.ingest.pipeline.save", saving)
        monkeypatch.setattr(database, "BUSY_WAITS", (0.001, 0.001))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.mark.tc("TC-052")
@pytest.mark.parametrize("given_up", [False, True], ids=["retried", "given up"])
async def test_a_target_is_judged_though_its_first_round_met_a_full_disk(
    tmp_path: Path, disk: Disk, given_up: bool
) -> None:
    clock = Clock()
    agent = Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        await rig.post(event("PermissionRequest", agent, at=clock.forward(1), payload=ASKED))
    clock.forward(3600)
    again = Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        disk.full = 3 if given_up else 1
        if given_up:
            with pytest.raises(AgtmuxError, match="disk is full"):
                await rig.round(again)
            again.steady.clear()  # as the observer does
            clock.forward(1)
        await rig.round(again)
        clock.forward(1)
        await rig.round(again)
        assert rig.the_state().state is State.RUNNING
        assert rig.shown() == ["running"]


@pytest.mark.tc("TC-052")
async def test_a_stopped_agent_is_seen_though_the_round_that_saw_it_met_a_full_disk(tmp_path: Path, disk: Disk) -> None:
    clock = Clock()
    agent = Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        for _ in range(30):
            clock.forward(0.25)
            await rig.round(agent)
        agent.suspended = True
        disk.full = 1
        clock.forward(0.25)
        await rig.round(agent)
        assert (rig.the_state().state, rig.the_state().reason_code) == (State.UNKNOWN, "suspended")


@pytest.mark.tc("TC-052")
async def test_what_waits_together_is_given_up_together(tmp_path: Path, disk: Disk) -> None:
    clock = Clock()
    agent = Agent(levels={Source.POLLER: box()})
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        disk.full, disk.tries = 1000, 0
        servers = rig.pipeline.servers
        posts = [rig.post(event("PreToolUse", agent, at=clock.forward(0.01))) for _ in range(20)]
        results = await asyncio.gather(*posts, return_exceptions=True)
        assert [getattr(error, "code", error) for error in results] == ["E_STORE_UNAVAILABLE"] * 20
        assert disk.tries <= 6, "tried for all of them at once"
        disk.full = 0
        assert rig.pipeline.servers is servers
        assert list(servers.values()) == [TARGET]
        assert [p.status for p in await rig.post(event("Stop", agent, at=clock.forward(1)))] == ["bound"]
