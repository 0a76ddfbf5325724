"""Targets that are watched: one that goes is not found, and one server is watched once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Tmux
from tests.integration.target_manager.test_manager import Stage, together
from tests.rig import Clock, Rig


@pytest.fixture
async def stage(tmp_path: Path, short_dir: Path, tmux: Tmux) -> AsyncIterator[Stage]:
    """Ends with the fleet: that it does is part of each test."""
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        made = Stage(rig, tmux, short_dir)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            await made.target_manager.start(group)
            yield made
            await made.target_manager.stop()


@pytest.mark.tc("TC-162")
async def test_a_target_that_goes_while_it_is_reached_for_is_not_found(stage: Stage) -> None:
    await stage.add()
    ended = await together(
        stage.target_manager.connect("dev"), stage.target_manager.remove("dev"), stage.target_manager.connect("dev")
    )
    assert set(ended) <= {"ok", "E_TARGET_NOT_FOUND"}


async def becomes(stage: Stage, name: str, health: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            item = next(i for i in stage.target_manager.items() if i["target"] == name)
            if item["health"] == health and (health != "ok" or item["read"]):
                return item
            await asyncio.sleep(0.02)


@pytest.mark.tc("TC-163")
async def test_a_target_that_leads_to_a_server_of_another_says_so_and_shows_none_of_its_panes(
    stage: Stage, tmux: Tmux
) -> None:
    tmux.start()
    await becomes(stage, "host", "ok")
    link = stage.root / "later"
    await stage.add("twin", str(link))
    link.symlink_to(tmux.socket)
    item = await becomes(stage, "twin", "down")
    assert (item["reason"], item["panes"]) == ("same_server", 0)
    assert (await becomes(stage, "host", "ok"))["panes"] == 1
    steps = (await stage.target_manager.connect("twin")).steps
    assert steps[-1]["ok"] is False
    assert "target host watches this tmux server already" in steps[-1]["message"]
    link.unlink()
    await becomes(stage, "twin", "ok")
