"""Which runtimes were lost with their server, and that each is claimed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmuxd.core.model import Source
from agtmuxd.features.restore import store as rows
from agtmuxd.features.restore.model import Place
from agtmuxd.features.restore.store import claim, release, save_places
from tests.rig import BUSY, Agent, Clock, Rig, event

pytestmark = pytest.mark.tc("TC-257")
PLACE = Place("work", 0, "w", 1)


async def begun(rig: Rig, *agents: Agent) -> None:
    """Let the agents run, with a session each, and remember their places."""
    for _ in range(4):
        rig.clock.forward(0.25)
        await rig.round(*agents, panes=[agent.pane for agent in agents])
    for agent in agents:
        told = {"session_id": f"s-{agent.pid}"}
        await rig.post(event("UserPromptSubmit", agent, at=rig.clock.forward(0.1), payload=told))
    names = {r.runtime_id: PLACE for r in rig.pipeline.repository.runtimes.values()}
    await rig.store.run(lambda connection: save_places(connection, names))


async def sessions(rig: Rig) -> list[str]:
    return sorted(str(one.session_id) for one in await rig.store.read(rows.lost))


async def test_agents_are_lost_if_the_server_is_gone_and_not_if_they_end_or_their_pane_is_closed(
    tmp_path: Path,
) -> None:
    one, two, three = (Agent(pane=f"%{n}", pid=4000 + n, levels={Source.POLLER: BUSY}) for n in (1, 2, 3))
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await begun(rig, one, two, three)
        rig.clock.forward(60)
        await rig.round(one, two, panes=["%1", "%2"])  # the pane of the third was closed
        rig.clock.forward(60)
        assert await sessions(rig) == []
        await rig.round(boot="950.2", panes=())
        assert await sessions(rig) == ["s-4001", "s-4002"]
        (found, *_) = await rig.store.read(rows.lost)
        assert (found.agent_type, found.target, found.place) == ("claude", "host", PLACE)


async def test_only_the_last_server_counts(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await begun(rig, Agent(pid=4001, levels={Source.POLLER: BUSY}))
        rig.clock.forward(60)
        await rig.round(boot="950.2", panes=())
        for _ in range(4):
            rig.clock.forward(0.25)
            await rig.round(Agent(pid=4002, levels={Source.POLLER: BUSY}), boot="950.2")
        names = {r.runtime_id: PLACE for r in rig.pipeline.repository.runtimes.values()}
        await rig.store.run(lambda connection: save_places(connection, names))
        assert await sessions(rig) == ["s-4001"]
        rig.clock.forward(60)
        await rig.round(boot="960.3", panes=())
        assert await sessions(rig) == ["None"]


async def test_an_agent_is_claimed_once_until_it_is_released_or_claimed_again(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await begun(rig, Agent(levels={Source.POLLER: BUSY}))
        (name,) = rig.pipeline.repository.runtimes

        async def may(*, again: bool = False) -> bool:
            return await rig.store.run(lambda connection: claim(connection, name, 7, again=again))

        assert [await may(), await may(), await may(again=True)] == [True, False, True]
        await rig.store.run(lambda connection: release(connection, name))
        assert [await may(), await may()] == [True, False]


async def test_a_place_of_a_runtime_that_is_forgotten_is_left_out(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await rig.store.run(lambda connection: save_places(connection, {"rt-gone": PLACE}))
        assert await rig.store.read(lambda c: c.execute("SELECT count(*) FROM restore_places").fetchone()[0]) == 0
