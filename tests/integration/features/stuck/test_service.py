"""The stuck alarm over a real store: set once, kept over a restart, gone with progress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmuxd.core.model import Source
from agtmuxd.features.stuck.service import EVERY, StuckAlarm
from tests.rig import BUSY, DONE, TARGET, Agent, Clock, Rig, event

pytestmark = pytest.mark.tc("TC-255")
AFTER = 900.0


class Watched:
    """An agent in a rig, and the alarm that looks at it."""

    def __init__(self, rig: Rig, agent: Agent) -> None:
        self.rig, self.agent = rig, agent
        self.screen = frozenset({1, 2, 3})
        self.modified = 0.0
        self.after = AFTER
        self.alarm = StuckAlarm(
            store=rig.store, view=rig.view, repository=rig.pipeline.repository, annotate=rig.pipeline.annotate,
            screen_rows=lambda _target, _pane: self.screen, after=lambda: self.after, clock=rig.clock,
            modified=lambda _path: self.modified,
        )  # fmt: skip

    async def live(self, seconds: float) -> None:
        """Let time pass as the daemon would: rounds, and a look every 30 seconds."""
        for _ in range(int(seconds / EVERY)):
            self.rig.clock.forward(EVERY)
            await self.rig.round(self.agent)
            await self.alarm.look()

    @property
    def row(self) -> dict[str, Any]:
        (found,) = self.rig.view.panes.values()
        return found


async def works(rig: Rig, agent: Agent) -> Watched:
    for _ in range(8):
        rig.clock.forward(0.25)
        await rig.round(agent)
    watched = Watched(rig, agent)
    await watched.alarm.look()
    assert watched.row["state"] == "running"
    return watched


async def test_an_agent_without_progress_is_marked_once_and_its_pane_needs_a_look(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        watched = await works(rig, agent)
        await watched.live(AFTER - 60)
        assert "stuck" not in watched.row
        await watched.live(90)
        assert watched.row["stuck"]["reason"] == "its screen and its session file have not changed for 15 min"
        assert watched.row["attention"] == "review"
        before = rig.view.sequence
        await rig.pipeline.acknowledge((TARGET, agent.pane), watched.row["runtime_id"])
        await watched.live(3600)
        assert rig.view.sequence == before + 1, "acknowledged, and not said again"
        assert watched.row["attention"] == "none"


@pytest.mark.parametrize("sign", ["screen", "event", "file"])
async def test_progress_ends_the_alarm_and_a_new_episode_is_a_new_alarm(tmp_path: Path, sign: str) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        started = {"transcript_path": str(tmp_path / "session.jsonl"), "session_id": "s-1"}
        await rig.post(event("UserPromptSubmit", agent, at=clock.forward(1), payload=started))
        watched = await works(rig, agent)
        await watched.live(AFTER + 60)
        first = watched.row["stuck"]
        if sign == "screen":
            watched.screen = frozenset({4, 5, 6})
        elif sign == "event":
            done = {"tool_name": "Bash", "tool_response": {"stdout": ""}}
            await rig.post(event("PostToolUse", agent, at=clock.forward(1), payload=done))
        else:
            watched.modified = clock.now / 1e9
        await watched.live(30)
        assert "stuck" not in watched.row
        await watched.live(AFTER + 60)
        assert watched.row["stuck"]["since"] > first["since"]


async def test_the_alarm_ends_with_the_turn_and_stays_while_nothing_is_known(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        watched = await works(rig, agent)
        await watched.live(AFTER + 60)
        agent.suspended = True
        await watched.live(60)
        assert (watched.row["state"], "stuck" in watched.row) == ("unknown", True)
        agent.suspended = False
        agent.levels[Source.POLLER] = DONE
        await watched.live(120)
        assert (watched.row["state"] in ("completed", "idle"), "stuck" in watched.row) == (True, False)


async def test_a_restart_keeps_the_alarm_and_starts_no_new_one_at_once(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        watched = await works(rig, agent)
        await watched.live(AFTER + 60)
        marked = watched.row["stuck"]
    async with Rig(tmp_path / "a.db", clock) as rig:
        watched = await works(rig, agent)
        await watched.live(120)
        assert watched.row["stuck"] == marked
        watched.screen = frozenset({7, 8, 9})
        await watched.live(30)
        assert "stuck" not in watched.row
    async with Rig(tmp_path / "a.db", clock) as rig:
        watched = await works(rig, agent)
        await watched.live(AFTER - 120)
        assert "stuck" not in watched.row, "nobody knows whether its screen moved before"


async def test_it_can_be_turned_off(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        watched = await works(rig, agent)
        await watched.live(AFTER + 60)
        assert "stuck" in watched.row
        watched.after = 0
        await watched.live(30)
        assert "stuck" not in watched.row
