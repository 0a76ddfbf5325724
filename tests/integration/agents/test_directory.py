"""Every runtime in a pane is an agent with a name, which it keeps while it runs and after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.callers import FoundCaller
from agtmuxd.agents.directory import AgentDirectory
from agtmuxd.agents.store import load_agents
from agtmuxd.core.action.request import Caller
from agtmuxd.core.model import Source
from agtmuxd.core.state.observation import AgentExit
from agtmuxd.stream.subscription import Resync
from tests.rig import BUSY, Agent, Clock, Rig

pytestmark = pytest.mark.tc("TC-604")


async def opened(rig: Rig, found: FoundCaller | None = None) -> AgentDirectory:
    async def find_caller(uid: int | None, pid: int | None) -> FoundCaller:
        return found or FoundCaller(Caller(uid, pid))

    directory = AgentDirectory(
        await rig.store.read(load_agents), repository=rig.pipeline.repository, write=rig.pipeline.write,
        find_caller=find_caller, clock=rig.clock,
    )  # fmt: skip
    await directory.on_resync(Resync.STARTED)
    return directory


async def runs(rig: Rig, *agents: Agent, **more: Any) -> None:
    for _ in range(4):
        rig.clock.forward(0.25)
        await rig.round(*agents, panes=[agent.pane for agent in agents] or ["%1"], **more)


def agent(number: int, kind: str = "claude") -> Agent:
    return Agent(kind=kind, pane=f"%{number}", pid=4000 + number, levels={Source.POLLER: BUSY})


async def test_runtimes_get_names_by_their_type_and_no_number_comes_twice(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        one, two = agent(1), agent(2)
        await runs(rig, one, two)
        directory = await opened(rig)
        assert [a.name for a in directory.all()] == ["claude-1", "claude-2"]
        await runs(rig, two, gone=[AgentExit("%1", 4001, "s1", None)])
        await runs(rig, two)
        await directory.on_resync(Resync.FAILED)
        assert directory.find("CLAUDE-1").runtime_id is None, "an agent stays when its runtime ends"
        await runs(rig, two, agent(3))
        directory = await opened(rig)  # after a restart
        assert [(a.name, a.runtime_id is not None) for a in directory.all()] == [
            ("claude-1", False), ("claude-2", True), ("claude-3", True)
        ]  # fmt: skip
        assert [c.key.split("/")[0] for _, changes in rig.published for c in changes.get("coord", ())] == ["agent"] * 4


async def test_a_name_that_is_not_there_lists_those_that_run(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await runs(rig, agent(1))
        directory = await opened(rig)
        with pytest.raises(AgtmuxError) as caught:
            directory.find("nobody")
        assert (caught.value.code, caught.value.details) == ("E_AGENT_NOT_FOUND", {"candidates": ["claude-1"]})
        assert directory.find(directory.all()[0].agent_id).name == "claude-1"


async def test_a_sender_is_the_agent_of_its_runtime_a_person_or_refused(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await runs(rig, agent(1))
        (runtime,) = rig.pipeline.repository.runtimes.values()
        sender = FoundCaller(Caller(1000, 7), "the caller is claude in %1", runtime)
        actor = await (await opened(rig, sender)).identify(Caller(1000, 7))
        assert (actor.name, actor.runtime_id, actor.is_agent) == ("claude-1", runtime.runtime_id, True)
        assert not (await (await opened(rig)).identify(Caller(1000, 7))).is_agent
        unknown = FoundCaller(Caller(1000, 7), "the caller runs in a container")
        with pytest.raises(AgtmuxError, match="the caller runs in a container"):
            await (await opened(rig, unknown)).identify(Caller(1000, 7))
