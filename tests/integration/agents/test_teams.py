"""A team is as its file wants it: all of it or nothing, and the same file again changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.changes import AgentChanges, ChangeRequest
from agtmuxd.agents.directory import AgentDirectory
from agtmuxd.agents.team_file import read
from agtmuxd.agents.teams import Teams
from tests.integration.agents.test_directory import agent, opened, runs
from tests.rig import Clock, Rig

pytestmark = pytest.mark.tc("TC-626")

World = tuple[Rig, AgentDirectory, AgentChanges, Teams]
FILE = """
name = "web"
escalate_to = "lead"
[[agents]]
name = "lead"
deliver = "pane"
[[agents]]
name = "builder"
scopes = ["src/**"]
"""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An agent that runs in %1 and is called builder."""
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await runs(rig, agent(1))
        directory = await opened(rig)
        changes = AgentChanges(directory, rig.clock)
        await changes.rename(asked(0), directory.find("claude-1").agent_id, "builder")
        yield rig, directory, changes, Teams(directory, changes, rig.clock)


def asked(number: int) -> ChangeRequest:
    return ChangeRequest("person", f"request-{number}")


async def test_a_file_makes_a_team_and_the_agent_of_that_name_joins_it(world: World) -> None:
    rig, directory, _, teams = world
    before = directory.find("builder")
    answer = await teams.apply(asked(1), read(FILE))
    assert [(step["op"], step["name"]) for step in answer["steps"]] == [
        ("create team", "web"), ("add", "lead"), ("join", "builder")
    ]  # fmt: skip
    team = directory.team("WEB")
    assert team is not None
    assert (team.deliver, team.escalate_to) == ("pull", "lead")
    assert {one.name: (team.deliver_to(one), one.scopes) for one in team.agents} == {
        "lead": ("pane", ()), "builder": ("pull", ("src/**",))
    }  # fmt: skip
    assert (directory.find("web/builder").agent_id, directory.find("builder").runtime_id) == (
        before.agent_id, before.runtime_id
    )  # fmt: skip
    assert (rig.item("%1") or {})["agent"]["team"] == "web"
    assert directory.team("other") is None
    assert directory.team(None) is None
    again = await opened(rig)
    assert again.team("web") == team


async def test_the_same_file_again_changes_nothing(world: World) -> None:
    rig, _, _, teams = world
    await teams.apply(asked(1), read(FILE))
    count = len(rig.published)
    assert (await teams.apply(asked(2), read(FILE)))["steps"] == []
    assert teams.plan(read(FILE)).steps == ()
    assert len(rig.published) == count


async def test_an_agent_that_left_the_file_leaves_the_team_and_keeps_its_identity(world: World) -> None:
    _, directory, _, teams = world
    await teams.apply(asked(1), read(FILE))
    before = directory.find("builder")
    answer = await teams.apply(asked(2), read('name = "web"\ndeliver = "pane"'))
    assert {(step["op"], step["name"]) for step in answer["steps"]} == {
        ("change team", "web"), ("retire", "lead"), ("leave", "builder")
    }  # fmt: skip
    after = directory.find("builder")
    assert (after.agent_id, after.team, after.scopes) == (before.agent_id, None, ())
    team = directory.team("web")
    assert team is not None
    assert (team.deliver, team.agents) == ("pane", ())


async def test_a_file_of_which_one_part_cannot_be_changes_nothing(world: World) -> None:
    rig, directory, changes, teams = world
    await teams.apply(asked(1), read(FILE))
    await changes.create(asked(2), "builder", team=None, role=None, tags=())
    before, count = directory.team("web"), len(rig.published)
    with pytest.raises(AgtmuxError, match="already an agent builder without a team"):
        await teams.apply(asked(3), read('name = "web"\n[[agents]]\nname = "extra"'))
    assert (directory.team("web"), len(rig.published)) == (before, count)
    with pytest.raises(AgtmuxError) as caught:
        directory.find("builder")
    assert (caught.value.code, caught.value.details) == (
        "E_AGENT_AMBIGUOUS", {"candidates": ["/builder", "web/builder"]}
    )  # fmt: skip


async def test_each_of_two_agents_with_one_name_has_a_form_that_is_clear(world: World) -> None:
    _, directory, changes, teams = world
    await teams.apply(asked(1), read(FILE))
    made = await changes.create(asked(2), "builder", team=None, role=None, tags=())
    assert directory.find("/Builder").agent_id == made["agent_id"]
    assert directory.find("web/builder").agent_id != made["agent_id"]
    with pytest.raises(AgtmuxError, match="/builder has no runtime now"):
        directory.full_ref("/builder")


async def test_agents_stay_when_their_team_is_removed(world: World) -> None:
    _, directory, _, teams = world
    await teams.apply(asked(1), read(FILE))
    before = directory.find("builder")
    await teams.remove(asked(2), "Web")
    assert directory.team("web") is None
    assert (directory.find("builder").agent_id, directory.find("builder").team) == (before.agent_id, None)
    with pytest.raises(AgtmuxError, match="there is no team") as caught:
        await teams.remove(asked(3), "web")
    assert caught.value.code == "E_NOT_FOUND"
