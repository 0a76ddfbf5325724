"""What ends leaves nothing in the daemon's memory: dictionaries by runtime, pane and target shrink again."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.core.model import Source
from agtmuxd.core.state.observation import AgentExit
from agtmuxd.ingest.state_rows import CRASH_SHOWN
from tests.rig import BUSY, QUIET, TARGET, Agent, Clock, Rig, box, event

ASKED = {"tool_name": "Bash", "tool_input": {"command": "make"}}


def held(rig: Rig) -> dict[str, list[Any]]:
    """By name: what every table of the door holds, keys of dictionaries and members of sets."""
    pipeline = rig.pipeline
    tables: dict[str, Any] = {
        f"present.{f.name}": getattr(pipeline._session_state, f.name) for f in fields(pipeline._session_state)
    }
    tables |= {f"world.{f.name}": getattr(pipeline.repository, f.name) for f in fields(pipeline.repository)}
    tables |= {f"calm.{name}": value for name, value in vars(pipeline._session_state.quiet_runtimes).items()}
    tables |= {f"door.{name}": value for name, value in vars(pipeline).items()}
    return {name: sorted(map(repr, table)) for name, table in tables.items() if isinstance(table, dict | set)}


@pytest.mark.tc("TC-114")
async def test_agents_that_come_and_go_leave_nothing_behind(tmp_path: Path) -> None:
    clock = Clock()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(panes=["%0"])
        clock.forward(1)
        await rig.round(panes=["%0"])
        before = held(rig)
        for n in range(1, 7):
            agent = Agent(pane=f"%{n}", pid=4000 + n, levels={Source.POLLER: BUSY, Source.STATUS: BUSY})
            rows = ["%0", agent.pane]
            await rig.round(agent, panes=rows, looked_at=[agent.pane])
            await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1), payload={"prompt": "x"}))
            await rig.post(event("PermissionRequest", agent, at=clock.forward(0.1), payload=ASKED))
            agent.levels[Source.POLLER] = box()
            for _ in range(30):
                clock.forward(0.25)
                await rig.round(agent, panes=rows)
            agent.levels[Source.POLLER] = QUIET
            agent.suspended = bool(n % 2)
            clock.forward(0.25)
            await rig.round(agent, panes=rows)
            if n % 3 == 0:
                agent.levels[Source.POLLER] = BUSY  # and it crashes
                clock.forward(1)
                await rig.round(agent, panes=rows)
            clock.forward(1)
            gone = [AgentExit(agent.pane, agent.pid, agent.start, n % 3 != 0)]
            await rig.round(panes=rows, gone=gone)
            clock.forward(1)
            await rig.round(panes=["%0"])
        clock.forward(20)
        await rig.tick()
        clock.forward(1)
        await rig.round(panes=["%0"])
        after = held(rig)
        kept = {"world.epochs", "world.versions", "door.counters"}  # a pane that comes back counts on
        assert {k: v for k, v in after.items() if k not in kept} == {k: v for k, v in before.items() if k not in kept}
        servers = rig.pipeline.servers
        await rig.pipeline.remove_target(TARGET)
        assert rig.pipeline.servers is servers, "as those who were handed it see it"
        assert {k: v for k, v in held(rig).items() if v and k not in kept} == {"door._read": [repr(TARGET)]}


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("restarted", [False, True], ids=["", "restarted"])
async def test_a_crash_that_is_shown_keeps_nobody_busy_and_comes_to_its_end(tmp_path: Path, restarted: bool) -> None:
    clock = Clock()
    agent = Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1), payload={"prompt": "x"}))
        await rig.round(agent)
        clock.forward(1)
        await rig.round(gone=[AgentExit(agent.pane, agent.pid, agent.start, False)])
        ends = clock.now + CRASH_SHOWN
        if not restarted:
            await runs_out(rig, ends)
    if restarted:
        async with Rig(tmp_path / "a.db", clock) as rig:
            await rig.round()
            await runs_out(rig, ends)


async def runs_out(rig: Rig, ends: int) -> None:
    """Long after all that was claimed went stale there is one thing left to wait for."""
    assert rig.the_state().reason_code == "agent_crashed"
    rig.clock.forward(900)
    assert rig.pipeline._due() == ends
    rig.clock.now = ends
    await rig.tick()
    assert rig.state() is None
    assert rig.pipeline._due() is None
