"""Whether a new agent may be started: asked by the rules, the names that are taken, and what the target is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.adapters.discovery import discover
from agtmuxd.agents.model import Agent
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.route import RouteTable
from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor
from agtmuxd.features.contract import Agents, Tmux
from agtmuxd.features.spawn.routes import ROUTES
from agtmuxd.features.spawn.service import Spawn
from agtmuxd.policy.rules import allow
from agtmuxd.repository import Repository
from tests.fake_services import START, Api, FakeServices, serving, target

RUNS = Agent("a-1", "reviewer", START, runtime_id="rt-1")
ENDED = replace(RUNS, agent_id="a-2", name="builder", runtime_id=None)


class Directory:
    def find(self, text: str) -> Agent:
        found = {one.name: one for one in (RUNS, ENDED)}.get(text)
        if found is None:
            raise AgtmuxError("E_AGENT_NOT_FOUND", "there is none")
        return found


class Servers:
    def command_line(self, target_id: str) -> tuple[Sequence[str], Sequence[str]]:
        if target_id == "id-down":
            raise AgtmuxError("E_TARGET_UNREACHABLE", "down: no tmux")
        return ["ssh", "gpu"], ["tmux", "-u"]


def service() -> Spawn:
    targets = {f"id-{name}": SimpleNamespace(name=name, target_id=f"id-{name}") for name in ("host", "down")}
    return Spawn(
        envelope=Envelope(lambda: START, lambda: [target()]),
        repository=cast(Repository, SimpleNamespace(targets=targets)), agents=cast(Agents, Directory()),
        allow=allow, tmux=cast(Tmux, Servers()), program={"claude": "claude", "cursor": "cursor-agent"}.get,
    )  # fmt: skip


@pytest.fixture
async def api(short_dir: Path) -> AsyncIterator[Api]:
    async def identify(caller: Caller) -> Actor:
        return Actor(caller)

    tables = [RouteTable(ROUTES, service())]
    async with serving(short_dir, FakeServices(), tables=tables, identify=identify) as served:
        yield served


@pytest.mark.tc("TC-865")
async def test_the_answer_says_how_to_start_it(api: Api) -> None:
    wish = {"target": "host", "agent": "cursor", "name": "builder", "request_ref": "request-1"}
    answer = await api.call("POST", "/v1/spawn/check", json=wish)
    assert {key: answer[key] for key in ("target", "agent", "program", "way", "tmux")} == {
        "target": "host", "agent": "cursor", "program": "cursor-agent", "way": ["ssh", "gpu"], "tmux": ["tmux", "-u"],
    }  # fmt: skip
    await api.call("POST", "/v1/spawn/check", json={**wish, "name": "new-one"})


@pytest.mark.tc("TC-865")
@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"agent": "nobody"}, 400, "E_INVALID_REQUEST"),
        ({"target": "moon"}, 404, "E_TARGET_NOT_FOUND"),
        ({"target": "down"}, 503, "E_TARGET_UNREACHABLE"),
        ({"name": "reviewer"}, 412, "E_PRECONDITION_FAILED"),
        ({"name": "%1"}, 400, "E_INVALID_REQUEST"),
        ({"request_ref": "a b"}, 400, "E_INVALID_REQUEST"),
    ],
)
async def test_what_cannot_be_started_is_refused(api: Api, wish: dict[str, Any], status: int, code: str) -> None:
    body = {"target": "host", "agent": "claude", **wish}
    assert (await api.call("POST", "/v1/spawn/check", status, json=body))["error"]["code"] == code


@pytest.mark.tc("TC-865")
def test_only_people_may_start_agents_unless_a_rule_says_otherwise() -> None:
    asker = Actor(agent_id="a-1", name="reviewer")
    with pytest.raises(AgtmuxError) as caught:
        service().plan(asker, "host", "claude", None)
    assert caught.value.code == "E_POLICY_DENIED"
    assert service().plan(Actor(), "host", "claude", None)["program"] == "claude"


@pytest.mark.tc("TC-865")
def test_every_agent_but_generic_has_its_program() -> None:
    registry = discover([])
    found = {one.adapter.agent_type: registry.program(one.adapter.agent_type) for one in registry}
    assert found.pop("generic") is None
    assert found.pop("cursor") == "cursor-agent"
    assert all(name == program for name, program in found.items()) and len(found) >= 8
    assert registry.program("nobody") is None
