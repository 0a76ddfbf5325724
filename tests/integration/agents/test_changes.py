"""What people change about agents: names, bindings, and their end. Each request is done once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.changes import AgentChanges, ChangeRequest
from agtmuxd.agents.directory import AgentDirectory
from tests.integration.agents.test_directory import agent, opened, runs
from tests.rig import Clock, Rig

pytestmark = pytest.mark.tc("TC-625")

World = tuple[Rig, AgentDirectory, AgentChanges]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Two agents that run, claude-1 in %1 and claude-2 in %2."""
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await runs(rig, agent(1), agent(2))
        directory = await opened(rig)
        yield rig, directory, AgentChanges(directory, rig.clock)


def asked(number: int) -> ChangeRequest:
    return ChangeRequest("person", f"request-{number}")


async def test_a_name_that_a_person_gives_is_shown_in_the_row_and_stays(world: World) -> None:
    rig, directory, changes = world
    one = directory.find("claude-1")
    answer = await changes.rename(asked(1), one.agent_id, "builder")
    assert (answer["name"], answer["automatic"], answer["agent_id"]) == ("builder", False, one.agent_id)
    row = rig.item("%1")
    assert row is not None
    assert row["agent"] == {"agent_id": one.agent_id, "name": "builder", "team": None}
    assert "agent" not in (rig.item("%2") or {}), "nobody named it"
    again = await opened(rig)
    assert again.find("BUILDER").runtime_id == rig.runtime_id("%1")


@pytest.mark.parametrize("name", ["claude-2", "CLAUDE-2", "claude", "person", "a b", ""])
async def test_a_name_that_is_taken_or_could_mean_something_else_is_refused(world: World, name: str) -> None:
    _, directory, changes = world
    with pytest.raises(AgtmuxError) as caught:
        await changes.rename(asked(1), directory.find("claude-1").agent_id, name)
    assert caught.value.code in ("E_PRECONDITION_FAILED", "E_INVALID_REQUEST")
    assert directory.find("claude-1").automatic


async def test_a_request_is_done_once_and_its_name_is_for_one_change(world: World) -> None:
    rig, directory, changes = world
    one = directory.find("claude-1").agent_id
    answer = await changes.rename(asked(1), one, "builder")
    count = len(rig.published)
    assert await changes.rename(asked(1), one, "builder") == answer
    assert len(rig.published) == count
    with pytest.raises(AgtmuxError) as caught:
        await changes.rename(asked(1), one, "other")
    assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"


async def test_an_agent_that_ended_is_bound_again_by_a_person(world: World) -> None:
    rig, directory, changes = world
    made = await changes.create(asked(1), "builder", team=None, role="builds", tags=("x",))
    bound = await changes.bind(asked(2), made["agent_id"], rig.runtime_id("%1"), take=False, confirmed=False)
    assert (bound["runtime_id"], bound["epoch"], bound["bound_by"]) == (rig.runtime_id("%1"), 1, "person")
    assert directory.find("claude-1").runtime_id is None, "a runtime is one agent at a time"
    assert directory.of_runtime(rig.runtime_id("%1")) == directory.find("builder")
    await runs(rig, agent(2))
    await directory.refresh()
    await changes.bind(asked(3), made["agent_id"], rig.runtime_id("%2"), take=False, confirmed=False)
    kept = "SELECT epoch, how, bound_by, ended_at IS NULL FROM agent_bindings WHERE agent_id = ? ORDER BY epoch"
    assert rig.rows(kept, made["agent_id"]) == [(1, "operator", "person", 0), (2, "operator", "person", 1)]


async def test_a_name_that_still_runs_is_taken_only_with_a_persons_consent(world: World) -> None:
    rig, directory, changes = world
    first, second = directory.find("claude-1"), directory.find("claude-2")
    await changes.rename(asked(1), first.agent_id, "builder")
    for number, (take, confirmed) in enumerate(((False, False), (True, False), (False, True)), 2):
        with pytest.raises(AgtmuxError, match="builder still runs elsewhere"):
            await changes.bind(asked(number), first.agent_id, rig.runtime_id("%2"), take=take, confirmed=confirmed)
    assert directory.find("builder").runtime_id == rig.runtime_id("%1")
    await changes.bind(asked(9), first.agent_id, rig.runtime_id("%2"), take=True, confirmed=True)
    assert directory.find("builder").runtime_id == rig.runtime_id("%2")
    left = directory.of_runtime(rig.runtime_id("%1"))
    assert left is not None
    assert (left.name, left.automatic) == ("claude-3", True), "every runtime is an agent"
    assert "agent" not in (rig.item("%1") or {})
    assert (rig.item("%2") or {})["agent"]["name"] == "builder"
    assert directory.get(second.agent_id) is not None
    with pytest.raises(AgtmuxError, match="the pane's agent is builder"):
        await changes.bind(asked(10), second.agent_id, rig.runtime_id("%2"), take=False, confirmed=False)


async def test_an_agent_is_retired_when_it_has_ended_and_its_name_is_free_again(world: World) -> None:
    rig, directory, changes = world
    one = directory.find("claude-1")
    await changes.rename(asked(1), one.agent_id, "builder")
    with pytest.raises(AgtmuxError, match="still runs"):
        await changes.retire(asked(2), one.agent_id)
    await runs(rig, agent(2))
    await directory.refresh()
    await changes.retire(asked(3), one.agent_id)
    with pytest.raises(AgtmuxError) as caught:
        directory.find("builder")
    assert caught.value.code == "E_AGENT_NOT_FOUND"
    old = directory.get(one.agent_id)
    assert old is not None
    assert old.retired_at is not None
    await changes.create(asked(4), "builder", team=None, role=None, tags=())
    assert directory.find("builder").agent_id != one.agent_id
