"""Supervised agents read and report: every other route asks who calls, and so does one that is added later."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agtmuxd.api.envelopes import answer
from agtmuxd.api.route import Access, Route, RouteTable
from agtmuxd.core.action.request import Kind
from tests.fake_services import EVENT, FakeServices, serving
from tests.route_tables import ROUTES, of_features, resources

pytestmark = pytest.mark.tc("TC-141")

OPEN = {
    "GET /v1/health", "GET /v1/targets", "GET /v1/panes", "GET /v1/windows", "GET /v1/sessions",
    "GET /v1/panes/{ref}/explain", "GET /v1/panes/{ref}/message", "GET /v1/events", "GET /v1/watch",
    "POST /v1/events", "POST /v1/rules/replay", "POST /v1/rules/check", "GET /v1/daemon/config", "GET /v1/openapi.json",
}  # fmt: skip
"""All that an agent may ask for. Whoever adds to this list says that the route changes nothing."""
OPEN_OF_FEATURES = {
    "notify": {"GET /v1/notify", "GET /v1/notify/why"},
    "audit": {"GET /v1/actions"},
    "recap": {"GET /v1/recap"},
    "messages": {"GET /v1/deliveries/check"},
    "restore": set(),
    "messages.queue": set(),
    "leases": {"GET /v1/leases"},
    "spawn": set(),
    "tmux_status": {"GET /v1/status"},
    "policies": {"GET /v1/policies", "GET /v1/policies/test"},
    "signals": set(),
    "waits": {"GET /v1/waits/{wait_id}"},
    "agents": {
        "GET /v1/agents",
        "GET /v1/agents/{name}",
        "GET /v1/agents/{name}/card",
        "GET /v1/teams",
        "GET /v1/teams/{name}",
    },
    "web": {"GET /v1/web", "GET /v1/web/devices"},
    "worktrees": {"GET /v1/worktrees", "GET /v1/worktrees/{worktree_id}", "GET /v1/collisions"},
}
"""The same of each feature that has routes."""


def name(route: Route[Any]) -> str:
    return f"{route.method} {route.path}"


def test_only_reads_and_reports_are_open_to_agents() -> None:
    """The list is written here once more, so that nobody opens a route by the way."""
    features = of_features()
    opened = OPEN.union(*(OPEN_OF_FEATURES[feature] for feature in features))
    assert {name(route) for route in ROUTES if route.access is Access.EVERYBODY} == opened
    recorded = {route.path for route in ROUTES if route.access is Access.CHECKED_BY_ACTION}
    assert recorded == {f"/v1/actions/{kind}" for kind in (*Kind, "prompt")}, (
        "an action asks itself, and keeps whom it refused"
    )


@pytest.mark.parametrize(
    ("routes", "route"),
    [
        pytest.param(routes, route, id=name(route))
        for routes in [*resources().values(), *of_features().values()]
        for route in routes
        if route.access is Access.OPERATORS
    ],
)
async def test_every_other_route_refuses_an_agent_before_it_reads_the_request(
    short_dir: Path, routes: tuple[Route[Any], ...], route: Route[Any]
) -> None:
    services = FakeServices()
    services.forbids = True
    before = services.target_items
    async with serving(short_dir, services, tables=[RouteTable(routes, services)]) as api:
        path = re.sub(r"\{\w+\}", "host", route.path)
        answer = await api.call(route.method, path, 403, data=b"this is no JSON")
    assert answer["error"]["code"] == "E_FORBIDDEN"
    assert answer["error"]["details"]["reason"] == "agent"
    assert services.asked and all(pid is not None for _, pid in services.asked), "the kernel names who asks"
    assert not services.stopped
    assert services.target_items == before


@pytest.mark.parametrize("route", sorted(OPEN))
async def test_reads_and_reports_ask_nobody(short_dir: Path, route: str) -> None:
    services = FakeServices()
    services.forbids = True
    method, _, path = route.partition(" ")
    bodies = {"/v1/events": EVENT, "/v1/rules/replay": {"agent": "claude", "screen": "x"}, "/v1/rules/check": {}}
    async with serving(short_dir, services) as api:
        url = f"http://agtmux{path.replace('{ref}', '%251')}" + ("?once=true" if path.endswith("watch") else "")
        data = json.dumps(bodies[path]) if method == "POST" else None
        async with api.client.request(method, url, data=data) as answer:
            assert answer.status != 403
    assert services.asked == []


async def test_a_folder_that_the_daemon_would_read_for_an_agent_is_refused(short_dir: Path) -> None:
    """A sandbox may keep the agent from it; the daemon has none."""
    services = FakeServices()
    services.forbids = True
    async with serving(short_dir, services) as api:
        answer = await api.call("POST", "/v1/rules/check", 403, json={"corpus": "/home/somebody/secrets"})
    assert answer["error"]["code"] == "E_FORBIDDEN"


async def test_a_route_that_says_nothing_of_its_callers_is_fenced(short_dir: Path) -> None:
    async def handler(_request: web.Request, _service: None) -> web.StreamResponse:
        return answer(ok=True)

    services = FakeServices()
    services.forbids = True
    routes = (Route("GET", "/v1/new", handler, "a read"), Route("POST", "/v1/new", handler, "a change"))
    async with serving(short_dir, services, tables=[RouteTable(routes, None)]) as api:
        for method in ("GET", "POST"):
            await api.call(method, "/v1/new", 403)
        services.forbids = False
        await api.call("POST", "/v1/new")
