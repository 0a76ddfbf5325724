"""What features add to the rows of panes: published with the row, kept over a restart, gone with the runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmuxd.core.model import Source
from tests.rig import BUSY, TARGET, Agent, Clock, Rig

pytestmark = pytest.mark.tc("TC-251")
STUCK = {"since": "2026-01-01T00:00:00Z", "reason": "no output for 10 min", "attention": "review"}


def row(rig: Rig) -> dict[str, Any]:
    """Give the one published row."""
    (found,) = rig.pipeline.view.panes.values()
    return found


async def busy(rig: Rig, agent: Agent, clock: Clock) -> str:
    """Bring the agent to ``running``. Return its runtime id."""
    for _ in range(8):
        clock.forward(0.25)
        await rig.round(agent)
    assert row(rig)["state"] == "running"
    return str(row(rig)["runtime_id"])


async def test_an_annotation_is_in_the_row_and_gives_it_attention_until_it_is_acknowledged(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        runtime = await busy(rig, agent, clock)
        before = rig.pipeline.view.sequence
        assert await rig.pipeline.annotate(runtime, "stuck", STUCK)
        assert rig.pipeline.view.sequence == before + 1
        assert (row(rig)["stuck"], row(rig)["attention"]) == (STUCK, "review")
        assert row(rig)["attention_since"] == STUCK["since"]
        assert await rig.pipeline.annotate(runtime, "stuck", STUCK)
        assert rig.pipeline.view.sequence == before + 1, "the same value is published once"
        assert await rig.pipeline.acknowledge((TARGET, agent.pane), runtime) == "review"
        assert (row(rig)["stuck"]["seen"], row(rig)["attention"]) == (True, "none")
        assert await rig.pipeline.annotate(runtime, "stuck", None)
        assert "stuck" not in row(rig)


async def test_an_annotation_never_replaces_a_field_of_the_row(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        runtime = await busy(rig, agent, clock)
        await rig.pipeline.annotate(runtime, "state", "idle")
        assert row(rig)["state"] == "running"


async def test_an_annotation_survives_a_restart_without_a_change_of_the_row(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        runtime = await busy(rig, agent, clock)
        await rig.pipeline.annotate(runtime, "stuck", STUCK)
        before = row(rig)
    async with Rig(tmp_path / "a.db", clock) as rig:
        await busy(rig, agent, clock)
        assert row(rig)["stuck"] == before["stuck"]
        assert row(rig)["attention"] == "review"


async def test_an_annotation_ends_with_its_runtime(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        runtime = await busy(rig, agent, clock)
        await rig.pipeline.annotate(runtime, "stuck", STUCK)
        again = Agent(pid=agent.pid + 1, levels={Source.POLLER: BUSY})
        other = await busy(rig, again, clock)
        assert other != runtime
        assert "stuck" not in row(rig)
        assert not await rig.pipeline.annotate(runtime, "stuck", STUCK)
        assert not rig.pipeline.repository.annotations
        assert await rig.store.read(lambda c: c.execute("SELECT count(*) FROM annotations").fetchone()[0]) == 0
