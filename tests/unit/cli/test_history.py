"""``agtmux history``: actions and deliveries as one list."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.daemon_stub import Stub, agtmux

pytestmark = pytest.mark.tc("TC-920")


def ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def action(name: str, hours: float, result: str = "done") -> dict[str, Any]:
    return {"action_id": name, "action": "send", "requested_at": ago(hours), "result_code": result, "pane_id": "%1",
            "error_code": None}  # fmt: skip


def delivery(name: str, hours: float, state: str = "read") -> dict[str, Any]:
    return {"message_id": name, "updated_at": ago(hours), "state": state, "agent": "builder", "agent_id": "a-1",
            "hold_reason": None, "error_code": None}  # fmt: skip


@pytest.fixture
def world(stub: Stub) -> Stub:
    stub.answer("GET /v1/agents/builder", {"item": {"runtime_id": "rt-1"}})
    stub.answer("GET /v1/actions", {"items": [action("act-1", 1), action("act-2", 3, "refused")]})
    stub.answer("GET /v1/deliveries", {"items": [delivery("m-1", 2), delivery("m-2", 30, "dead")], "truncated": False})
    return stub


@pytest.mark.parametrize(
    ("options", "ids", "asked"),
    [
        ((), ["act-1", "m-1", "act-2"], ["/v1/actions", "/v1/deliveries"]),
        (("--since", "2d"), ["act-1", "m-1", "act-2", "m-2"], ["/v1/actions", "/v1/deliveries"]),
        (("--limit", "1"), ["act-1"], ["/v1/actions", "/v1/deliveries"]),
        (("--type", "message"), ["m-1"], ["/v1/deliveries"]),
        (("--type", "send"), ["act-1", "act-2"], ["/v1/actions"]),
        (("--result", "refused"), ["act-2"], ["/v1/actions"]),
        (("--result", "read"), ["m-1"], ["/v1/deliveries"]),
        (("--agent", "builder"), ["act-1", "m-1", "act-2"], ["/v1/agents/builder", "/v1/actions", "/v1/deliveries"]),
    ],
)
def test_it_lists_both_by_agent_type_time_and_result(
    short_dir: Path, world: Stub, options: tuple[str, ...], ids: list[str], asked: list[str]
) -> None:
    found = json.loads(agtmux(short_dir, "history", *options, "--json").stdout)
    assert [one["id"] for one in found["items"]] == ids
    assert found["truncated"] is ("--limit" in options)
    assert [call.path for call in world.calls if call.path != "/v1/health"] == asked


def test_what_it_can_it_asks_the_daemon_for(short_dir: Path, world: Stub) -> None:
    agtmux(short_dir, "history", "--agent", "builder", "--type", "send")
    agtmux(short_dir, "history", "--agent", "builder", "--result", "dead")
    calls = {call.path: call.query for call in world.calls}
    assert (calls["/v1/actions"]["runtime"], calls["/v1/actions"]["kind"]) == (["rt-1"], ["send"])
    assert (calls["/v1/deliveries"]["agent"], calls["/v1/deliveries"]["state"]) == (["builder"], ["dead"])


def test_a_message_to_people_says_so(short_dir: Path, world: Stub) -> None:
    world.answer("GET /v1/deliveries", {"items": [{**delivery("m-1", 1), "agent": None, "agent_id": None}]})
    found = json.loads(agtmux(short_dir, "history", "--type", "message", "--json").stdout)
    assert [one["agent"] for one in found["items"]] == ["person"]


def test_text_has_one_line_each_and_says_if_there_is_nothing(short_dir: Path, world: Stub) -> None:
    head, first, *_ = agtmux(short_dir, "history", "--type", "send").stdout.decode().splitlines()
    assert head.split() == ["AGE", "TYPE", "RESULT", "AGENT", "PANE", "WHY", "ID"]
    assert first.split()[1:] == ["send", "done", "-", "%1", "-", "act-1"]
    world.answer("GET /v1/actions", {"items": []})
    assert agtmux(short_dir, "history", "--type", "send").stdout.startswith(b"nothing happened since ")
