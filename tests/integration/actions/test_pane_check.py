"""The second look of an action, on real panes: whose process that is, and what moved while the pane was read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.pane_check import one_pane
from agtmuxd.targets.executor import ProgramResult
from agtmuxd.targets.local.executor import LocalExecutor
from tests.conftest import until
from tests.integration.actions.desk import Ground


@pytest.mark.tc("TC-107")
async def test_only_the_very_life_of_a_process_counts_as_the_agent(ground: Ground) -> None:
    """A number that came again, or a process of another pane, is somebody else."""
    pane, other = await asyncio.to_thread(ground.agent), await asyncio.to_thread(ground.agent, "other")
    mine, theirs = ground.life(ground.tmux.pid(pane)), ground.life(ground.tmux.pid(other))
    found = (await ground.read(pane, mine)).current
    assert (found.alive, found.foreground, found.other) == (True, True, None)
    again = (await ground.read(pane, replace(mine, process_start="1"))).current
    assert (again.alive, again.foreground) == (False, False)
    elsewhere = (await ground.read(pane, theirs)).current
    assert (elsewhere.alive, elsewhere.foreground) == (False, False)
    assert (await ground.read(pane, None)).current.other == "claude", "one that is no runtime yet"
    own = ground.tmux.pid(pane)
    signalled = [
        await ground.reader.processes(ground.reached, own, life)
        for life in (mine, replace(mine, process_start="1"), theirs, replace(mine, agent_type="codex"))
    ]
    assert signalled == [(own,), (), (), (own,)]


@pytest.mark.tc("TC-221")
async def test_a_screen_that_is_read_in_part_is_no_ground_for_an_action(ground: Ground) -> None:
    """A reading that is over the bound is refused: its end is missing, where the input field stands."""
    pane = ground.agent()

    class Short(LocalExecutor):
        async def run(self, argv: Sequence[str], **how: Any) -> ProgramResult:
            return await super().run(argv, **{**how, "max_output": 400})

    short = Short({"PATH": os.environ["PATH"]})
    with pytest.raises(AgtmuxError, match="too large to be read") as caught:
        await one_pane(replace(ground.reached, executor=short), pane)
    assert caught.value.code == "E_TARGET_UNREACHABLE"
    await short.close()


@pytest.mark.tc("TC-107")
async def test_an_agent_in_the_background_is_not_who_reads_the_keys(ground: Ground) -> None:
    tmux = ground.tmux
    pane = tmux.start("bash", "--norc", "--noprofile", "-i")
    tmux.run("send-keys", "-t", pane, "-l", f"{ground.program} -c 'sleep 600; true' & echo started-$!-")
    tmux.run("send-keys", "-t", pane, "Enter")

    def started() -> list[str]:
        words = [row for row in tmux.run("capture-pane", "-p", "-t", pane).splitlines() if row.startswith("started-")]
        return words[0].split("-")[1:2] if words else []

    (pid,) = await asyncio.to_thread(until, started)
    runtime = ground.life(int(pid))
    found = (await ground.read(pane, runtime)).current
    assert (found.alive, found.foreground, found.other) == (True, False, None)
    assert (await ground.read(pane, None)).current.other is None
