"""The conditions of states and agents: pinned to the runtime or to the agent that they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import Source
from agtmuxd.core.state.observation import AgentExit
from tests.integration.features.waits.stand import Stand, agent, standing
from tests.rig import BUSY, QUIET, Clock, box

WORKS = {Source.POLLER: BUSY}


async def ref(stand: Stand, pane: str = "%1") -> str:
    item = stand.rig.item(pane)
    assert item is not None
    return str(item["ref"])


async def shows(stand: Stand, one: object, write: object) -> None:
    await stand.rig.steady(one, Source.POLLER, write)  # type: ignore[arg-type]


@pytest.mark.tc("TC-759")
async def test_a_state_is_waited_for_and_one_that_is_there_already_counts(tmp_path: Path) -> None:
    async with standing(tmp_path / "a.db", Clock()) as stand:
        one = agent(1, dict(WORKS))
        await stand.runs(one)
        now = await stand.wait(f"state:{await ref(stand)}=running")
        assert (now["state"], now["conditions"][0]["result"]["state"]) == ("met", "running")
        later = await stand.wait(f"state:{await ref(stand)}=waiting,idle")
        assert later["state"] == "open"
        await shows(stand, one, box())
        assert (await stand.over(later["wait_id"]))["conditions"][0]["result"]["state"] == "waiting_approval"


@pytest.mark.tc("TC-760")
async def test_a_pane_is_pinned_to_the_runtime_that_is_there_and_a_later_one_never_counts(tmp_path: Path) -> None:
    async with standing(tmp_path / "a.db", Clock()) as stand:
        first = agent(1, dict(WORKS))
        await stand.runs(first)
        item = await stand.wait(f"state:{await ref(stand)}=done")
        pinned = f"state:runtime:{stand.rig.runtime_id()}=completed,idle"
        assert item["conditions"][0]["watches"] == pinned
        await stand.runs(gone=[AgentExit("%1", first.pid, first.start, None)])
        over = await stand.over(item["wait_id"])
        assert (over["state"], over["conditions"][0]["state"]) == ("failed", "gone")
        assert over["conditions"][0]["reason"].startswith("gone: this agent has ")
        second = agent(1, {Source.POLLER: QUIET})
        second.pid, second.start = 4099, "999"
        await stand.runs(second)
        assert (await stand.over(item["wait_id"]))["state"] == "failed"


@pytest.mark.tc("TC-760")
async def test_an_agent_by_name_is_followed_and_one_without_a_runtime_is_waited_for(tmp_path: Path) -> None:
    clock = Clock()
    async with standing(tmp_path / "a.db", clock) as stand:
        one = agent(1, dict(WORKS))
        await stand.runs(one)
        await stand.settle()
        assert [a.name for a in stand.directory.all()] == ["claude-1"]
        item = await stand.wait("state:claude-1=done")
        assert item["conditions"][0]["watches"].startswith("state:agent:")
        bound = await stand.wait("agent:claude-1=bound")
        assert bound["state"] == "met"
        gone = await stand.wait("agent:CLAUDE-1=gone")
        await stand.runs(gone=[AgentExit("%1", one.pid, one.start, None)])
        assert (await stand.over(gone["wait_id"]))["state"] == "met"
        again = await stand.wait("agent:claude-1=bound")
        still = await stand.waits.get(item["wait_id"], 0)
        assert (still["state"], again["state"]) == ("open", "open")
        other = agent(2, {Source.POLLER: QUIET})
        await stand.runs(other)
        await stand.settle()
        name = stand.directory.all()[0]
        runtime = stand.rig.runtime_id("%2")

        def take(connection: object, publish: object) -> None:
            connection.execute("UPDATE agent_bindings SET ended_at = 1 WHERE ended_at IS NULL")  # type: ignore[attr-defined]
            connection.execute(  # type: ignore[attr-defined]
                "INSERT INTO agent_bindings (binding_id, agent_id, runtime_id, epoch, bound_at, how)"
                " VALUES ('b', ?, ?, 9, 1, 'take')",
                (name.agent_id, runtime),
            )
            publish("agent", name.agent_id, name.item())  # type: ignore[operator]

        await stand.rig.pipeline.write(take)
        assert [(await stand.over(one["wait_id"]))["state"] for one in (item, again)] == ["met", "met"]


@pytest.mark.tc("TC-759")
@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("state:nobody=idle", "E_AGENT_NOT_FOUND"),
        ("state:pane:host/work=idle", "E_REF_INVALID"),
        ("state:claude-1", "E_INVALID_REQUEST"),
        ("state:claude-1=asleep", "E_INVALID_REQUEST"),
        ("agent:claude-1=there", "E_INVALID_REQUEST"),
        ("agent:nobody=bound", "E_AGENT_NOT_FOUND"),
        ("runtime:x", "E_INVALID_REQUEST"),
    ],
)
async def test_what_cannot_be_waited_for_is_refused_at_once(tmp_path: Path, condition: str, code: str) -> None:
    async with standing(tmp_path / "a.db", Clock()) as stand:
        await stand.runs(agent(1, dict(WORKS)))
        await stand.settle()
        with pytest.raises(AgtmuxError) as caught:
            await stand.wait(condition)
        assert caught.value.code == code
        assert stand.rig.rows("SELECT count(*) FROM waits") == [(0,)]


@pytest.mark.tc("TC-760")
async def test_a_pane_without_an_agent_is_refused(tmp_path: Path) -> None:
    async with standing(tmp_path / "a.db", Clock()) as stand:
        await stand.runs()
        with pytest.raises(AgtmuxError, match="no agent runs in %1"):
            await stand.wait(f"state:{await ref(stand)}=idle")


@pytest.mark.tc("TC-760")
async def test_a_state_condition_survives_a_restart_in_which_its_agent_ended(tmp_path: Path) -> None:
    clock = Clock()
    async with standing(tmp_path / "a.db", clock) as stand:
        one, two = agent(1, dict(WORKS)), agent(2, dict(WORKS))
        await stand.runs(one, two)
        lost = await stand.wait(f"state:{await ref(stand, '%1')}=done")
        kept = await stand.wait(f"state:{await ref(stand, '%2')}=done")
    async with standing(tmp_path / "a.db", clock) as stand:
        two = agent(2, dict(WORKS))
        await stand.runs(two, gone=[AgentExit("%1", one.pid, one.start, None)])
        assert (await stand.over(lost["wait_id"]))["state"] == "failed"
        two.levels[Source.POLLER] = QUIET
        await stand.runs(two)
        assert (await stand.over(kept["wait_id"]))["state"] == "met"
