"""The routes of agents and teams over a real store: who asks, what is listed, and what only people may change."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.agents.changes import AgentChanges
from agtmuxd.agents.teams import Teams
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.route import RouteTable
from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor
from agtmuxd.features.agents.routes import ROUTES
from agtmuxd.features.agents.service import AgentBook
from agtmuxd.policy.rules import allow
from tests.fake_services import Api, FakeServices, serving, target
from tests.integration.agents.test_directory import agent, opened, runs
from tests.rig import Clock, Rig

pytestmark = pytest.mark.tc("TC-627")
COUNT = itertools.count(1)


@dataclass
class World:
    rig: Rig
    api: Api
    who: list[Actor]
    """Who asks next; empty: a person."""

    async def post(self, path: str, status: int = 200, **body: Any) -> Any:
        body = {"request_ref": f"request-{next(COUNT):04d}", **body}
        return await self.api.call("POST", path, status, json=body)


@pytest.fixture
async def world(tmp_path: Path, short_dir: Path) -> AsyncIterator[World]:
    """Two agents that run, claude-1 in %1 and claude-2 in %2."""
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await runs(rig, agent(1), agent(2))
        directory = await opened(rig)
        rig.view.ref_of_name = directory.full_ref
        changes = AgentChanges(directory, rig.clock)
        book = AgentBook(
            envelope=Envelope(rig.clock, lambda: [target()]), view=rig.view, repository=rig.pipeline.repository,
            agents=directory, changes=changes, teams=Teams(directory, changes, rig.clock), allow=allow,
            clock=rig.clock,
        )  # fmt: skip
        who: list[Actor] = []

        async def identify(caller: Caller) -> Actor:
            return who[-1] if who else Actor(caller)

        async with serving(short_dir, FakeServices(), tables=[RouteTable(ROUTES, book)], identify=identify) as api:
            yield World(rig, api, who)


async def test_agents_are_listed_with_their_panes_and_found_by_name_id_or_ref(world: World) -> None:
    body = await world.api.get("/v1/agents")
    assert [(one["name"], one["ref"], one["state"], one["last_seen"]) for one in body["items"]] == [
        ("claude-1", "pane:host/work/@1/%1", "running", "gone"),
        ("claude-2", "pane:host/work/@1/%2", "running", "gone"),
    ], "no such process runs here, whatever was seen a moment ago"
    assert (await world.api.get("/v1/agents", params={"state": "idle,completed"}))["items"] == []
    one = body["items"][0]
    for text in ("Claude-1", one["agent_id"], "pane:host/work/@1/%1", f"runtime:{one['runtime_id']}"):
        found = await world.api.get("/v1/agents/" + text.replace("%", "%25").replace("/", "%2F"))
        assert found["item"]["agent_id"] == one["agent_id"], text
    assert (await world.api.get("/v1/agents/claude-1/card"))["card"]["name"] == "claude-1"
    error = (await world.api.call("GET", "/v1/agents/nobody", 404))["error"]
    assert (error["code"], error["details"]["candidates"]) == ("E_AGENT_NOT_FOUND", ["claude-1", "claude-2"])


async def test_who_asks_is_found_out_and_not_believed(world: World) -> None:
    body = await world.api.get("/v1/whoami")
    assert (body["kind"], body["label"], body["agent"]) == ("person", "person", None)
    one = (await world.api.get("/v1/agents/claude-1"))["item"]
    world.who.append(Actor(Caller(), one["runtime_id"], one["agent_id"], "claude-1"))
    body = await world.api.get("/v1/whoami")
    assert (body["kind"], body["label"], body["agent"]["name"]) == ("agent", "agent:claude-1", "claude-1")


async def test_an_agent_changes_no_names_bindings_or_teams(world: World) -> None:
    one = (await world.api.get("/v1/agents/claude-1"))["item"]
    world.who.append(Actor(Caller(), one["runtime_id"], one["agent_id"], "claude-1"))
    count = len(world.rig.published)
    for path, body in (
        ("/v1/agents", {"name": "other"}),
        ("/v1/agents/claude-1/rename", {"name": "other"}),
        ("/v1/agents/claude-1/retire", {}),
        ("/v1/agents/claude-1/bind", {"ref": "pane:host/work/@1/%2", "take": True, "yes": True}),
        ("/v1/teams", {"text": 'name = "web"'}),
        ("/v1/teams/web/remove", {}),
    ):
        answer = await world.post(path, 403, **body)
        assert answer["error"]["code"] == "E_POLICY_DENIED", path
    assert len(world.rig.published) == count
    assert (await world.api.get("/v1/agents/claude-1"))["item"]["name"] == "claude-1"


async def test_a_person_names_binds_and_retires_an_agent(world: World) -> None:
    named = await world.post("/v1/agents/pane%3Ahost%2Fwork%2F%401%2F%251/rename", name="builder")
    assert (named["item"]["name"], named["item"]["automatic"]) == ("builder", False)
    refused = await world.post("/v1/agents/builder/bind", 412, ref="pane:host/work/@1/%2", take=True)
    assert "confirm" in refused["error"]["message"]
    stale = await world.post(
        "/v1/agents/builder/bind",
        409,
        ref="pane:host/work/@1/%2",
        if_runtime="rt-0123456789abcdef",
        take=True,
        yes=True,
    )
    assert stale["error"]["code"] == "E_RUNTIME_STALE"
    bound = await world.post("/v1/agents/builder/bind", ref="claude-2", take=True, yes=True)
    assert bound["item"]["runtime_id"] == world.rig.runtime_id("%2"), "a name is accepted where a ref is"
    await world.post("/v1/agents", name="reviewer", role="reviews")
    assert (await world.post("/v1/agents/reviewer/retire"))["item"]["retired_at"] is not None
    await world.api.call("GET", "/v1/agents/reviewer", 404)


async def test_a_team_file_is_planned_applied_shown_and_removed(world: World) -> None:
    text = 'name = "web"\ndeliver = "pane"\n[[agents]]\nname = "claude-1"\nowner = "Ada"'
    plan = await world.post("/v1/teams", text=text, plan=True)
    assert [(step["op"], step["name"]) for step in plan["steps"]] == [("create team", "web"), ("join", "claude-1")]
    assert (await world.api.get("/v1/teams"))["items"] == []
    applied = await world.post("/v1/teams", text=text)
    assert applied["steps"] == plan["steps"]
    shown = (await world.api.get("/v1/teams/WEB"))["item"]
    assert [(one["name"], one["deliver"], one["state"]) for one in shown["agents"]] == [("claude-1", "pane", "running")]
    assert [one["name"] for one in (await world.api.get("/v1/agents", params={"team": "web"}))["items"]] == ["claude-1"]
    wrong = await world.post("/v1/teams", 400, text=text.replace("owner", "ower"))
    assert "line 5" in wrong["error"]["message"]
    await world.post("/v1/teams/web/remove")
    await world.api.call("GET", "/v1/teams/web", 404)
