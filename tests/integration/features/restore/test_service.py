"""The restore feature over a real store: it follows where agents are, and hands out each of them once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.core.model import Source
from agtmuxd.features.restore.service import Restore
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync
from tests.fake_services import target
from tests.rig import BUSY, Agent, Clock, Rig, event, pane_row

pytestmark = pytest.mark.tc("TC-257")


class Servers:
    """Stands for the tmux servers of features: where a command runs."""

    down = False

    def command_line(self, target_id: str) -> tuple[Sequence[str], Sequence[str]]:
        if self.down:
            raise AgtmuxError("E_TARGET_UNREACHABLE", f"{target_id}: tmux was not found")
        return ("ssh", "gpu"), ("tmux", "-u")


def made(rig: Rig) -> tuple[Restore, Servers]:
    servers: Any = Servers()
    restore = Restore(
        envelope=Envelope(rig.clock, lambda: [target()]), store=rig.store, view=rig.view,
        repository=rig.pipeline.repository, tmux=servers, clock=rig.clock,
        resume=lambda agent, session: (agent, "--resume", session),
    )  # fmt: skip
    return restore, servers


async def work(rig: Rig, agent: Agent, **place: Any) -> None:
    for _ in range(4):
        rig.clock.forward(0.25)
        await rig.round(agent, panes=[pane_row(agent.pane, **place)])


async def lost(rig: Rig, restore: Restore, tmp_path: Path) -> str:
    """Lose an agent that moved to another window; its runtime id."""
    agent = Agent(levels={Source.POLLER: BUSY})
    await work(rig, agent)
    kept = tmp_path / "s-1.jsonl"
    kept.touch()
    told = {"session_id": "s-1", "transcript_path": str(kept)}
    await rig.post(event("UserPromptSubmit", agent, at=rig.clock.forward(0.1), payload=told))
    await restore.on_resync(Resync.STARTED)
    seen = len(rig.published)
    await work(rig, agent, window_index=5, session_name="other")
    for sequence, changes in rig.published[seen:]:
        await restore.on_changes(Batch(sequence, rig.clock.now, changes))
    (name,) = rig.pipeline.repository.runtimes
    await rig.round(boot="950.2", panes=())
    return str(name)


async def test_it_follows_an_agent_to_its_last_place_and_says_how_to_get_there(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        restore, servers = made(rig)
        await lost(rig, restore, tmp_path)
        (one,) = await restore.planned(again=False)
        assert (one["session_name"], one["window_index"], one["action"]) == ("other", 5, "new")
        assert (one["argv"], one["way"], one["tmux"]) == (
            ["claude", "--resume", "s-1"], ["ssh", "gpu"], ["tmux", "-u"]
        )  # fmt: skip
        servers.down = True
        (one,) = await restore.planned(again=False)
        assert (one["action"], one["reason"]) == ("skip", "t-host: tmux was not found")


async def test_an_agent_is_handed_out_once_until_its_claim_is_taken_back(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        restore, _ = made(rig)
        name = await lost(rig, restore, tmp_path)
        await restore.claim(name, again=False)
        with pytest.raises(AgtmuxError, match="add --again"):
            await restore.claim(name, again=False)
        await restore.claim(name, again=True)
        await restore.release(name)
        await restore.claim(name, again=False)
        with pytest.raises(AgtmuxError, match="is not among the lost agents"):
            await restore.claim("rt-0000000000000000", again=False)


async def test_an_agent_without_its_session_file_stays_away(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        restore, _ = made(rig)
        name = await lost(rig, restore, tmp_path)
        (tmp_path / "s-1.jsonl").unlink()
        with pytest.raises(AgtmuxError, match="its session file is gone"):
            await restore.claim(name, again=False)
