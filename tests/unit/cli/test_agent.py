"""Agents at the command line: what is asked of the daemon, and what is printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.daemon_stub import Stub, agtmux, error, listing, pane

pytestmark = pytest.mark.tc("TC-628")

RUNTIME = "rt-0123456789abcdef"
AGENT: dict[str, Any] = {
    "agent_id": "0190-1", "name": "builder", "team": "web", "automatic": False, "role": "writes the API",
    "owner": None, "tags": [], "scopes": ["src/**"], "deliver": None, "runtime_id": RUNTIME, "state": "idle",
    "accepts_input": True, "since": None, "last_seen": "alive", "ref": "pane:host/work/@1/%12",
    "agent_type": "claude",
}  # fmt: skip


@pytest.fixture
def stub(short_dir: Path) -> Iterator[Stub]:
    (short_dir / "run").mkdir(mode=0o700)
    served = Stub(short_dir / "run" / "agtmuxd.sock").start()
    served.answer("GET /v1/panes", listing(pane("%12")))
    served.answer("GET /v1/agents", {"items": [AGENT]})
    served.answer("GET /v1/agents/builder", {"item": AGENT})
    yield served
    served.stop()


def test_agents_are_listed_with_their_state_and_pane(short_dir: Path, stub: Stub) -> None:
    done = agtmux(short_dir, "agents", "build", "--team", "web", "--state", "waiting")
    assert [line.split()[:4] for line in done.stdout.decode().splitlines()] == [
        ["NAME", "STATE", "FOR", "INPUT"], ["web/builder", "idle", "-", "yes"]
    ]  # fmt: skip
    assert stub.calls[-1].query == {"q": ["build"], "team": ["web"], "state": ["waiting_approval", "waiting_input"]}
    assert agtmux(short_dir, "agent", "list", "--all").returncode == 0
    assert stub.calls[-1].query == {"all": ["true"]}


def test_an_agent_is_shown_in_lines_and_its_card_as_json(short_dir: Path, stub: Stub) -> None:
    shown = agtmux(short_dir, "agent", "show", "builder").stdout.decode().splitlines()
    assert "agent:     web/builder" in shown
    assert "scopes:    src/**" in shown
    stub.answer("GET /v1/agents/builder/card", {"card": {"name": "builder"}})
    assert b'"card"' in agtmux(short_dir, "agent", "show", "builder", "--card").stdout


def test_a_name_is_given_to_the_runtime_that_the_ref_names(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/agents/pane:host/work/@1/%12/rename", {"item": AGENT})
    done = agtmux(short_dir, "name", "%12", "builder")
    assert done.stdout == b"named web/builder (0190-1)\n"
    assert stub.calls[-1].body["name"] == "builder"
    assert agtmux(short_dir, "name", "%12", "builder", "--request-ref", "my-request").returncode == 0
    assert stub.calls[-1].body["request_ref"] == "my-request"


def test_binding_names_the_runtime_that_was_seen_and_taking_asks_first(short_dir: Path, stub: Stub) -> None:
    row = pane("%12")
    stub.answer("GET /v1/panes/pane:host/work/@1/%12/explain", {"item": row, "snapshot": None})
    stub.answer("POST /v1/agents/builder/bind", {"item": AGENT})
    assert agtmux(short_dir, "agent", "bind", "builder", "%12").returncode == 0
    asked = stub.calls[-1].body
    assert (asked["if_runtime"], asked["take"], asked["yes"]) == (row["runtime_id"], False, False)
    done = agtmux(short_dir, "agent", "bind", "builder", "%12", "--take")
    assert (done.returncode, b"add --yes" in done.stderr) == (2, True), "nobody could be asked here"
    assert agtmux(short_dir, "agent", "bind", "builder", "%12", "--take", "--yes").returncode == 0
    assert (stub.calls[-1].body["take"], stub.calls[-1].body["yes"]) == (True, True)


def test_agents_are_added_renamed_and_retired(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/agents", {"item": AGENT})
    stub.answer("POST /v1/agents/builder/rename", {"item": AGENT})
    stub.answer("POST /v1/agents/builder/retire", {"item": AGENT})
    assert agtmux(short_dir, "agent", "add", "builder", "--role", "x", "--tag", "a", "--tag", "b").returncode == 0
    body = stub.calls[-1].body
    assert (body["name"], body["role"], body["tags"], "team" in body) == ("builder", "x", ["a", "b"], False)
    assert agtmux(short_dir, "agent", "rename", "builder", "other").stdout == b"named web/builder (0190-1)\n"
    assert agtmux(short_dir, "agent", "retire", "builder").stdout == b"retired web/builder (0190-1)\n"


def test_whoami_says_who_asks(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/whoami", {"kind": "person", "label": "person", "agent": None})
    assert agtmux(short_dir, "whoami").stdout == b"person\n"
    stub.answer("GET /v1/whoami", {"kind": "agent", "label": "agent:builder", "agent": AGENT})
    assert b"agent:     web/builder\n" in agtmux(short_dir, "whoami").stdout


@pytest.mark.tc("TC-623")
def test_a_name_becomes_the_runtime_that_the_agent_is_now(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/actions/view-output", {"action_id": "a", "result": {"output": "text"}})
    assert agtmux(short_dir, "view-output", "builder").returncode == 0
    assert stub.calls[-1].body["ref"] == f"runtime:{RUNTIME}"
    stub.calls.clear()
    assert agtmux(short_dir, "view-output", "claude").returncode == 0
    assert [call.path for call in stub.calls] == ["/v1/panes", "/v1/actions/view-output"], "a type stays a ref"


@pytest.mark.tc("TC-623")
@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ({"item": {**AGENT, "runtime_id": None}}, 200, b"has no runtime now"),
        (error("E_AGENT_NOT_FOUND", "x", {"candidates": ["lead"]}), 404, b"agents are lead"),
        (error("E_AGENT_AMBIGUOUS", "use a/builder, b/builder"), 409, b"use a/builder, b/builder"),
        (error("E_INVALID_REQUEST", "no route"), 400, b"no pane matches 'other'"),
    ],
)
def test_a_name_without_one_runtime_is_refused(
    short_dir: Path, stub: Stub, answer: dict[str, Any], status: int, says: bytes
) -> None:
    stub.answer("GET /v1/agents/other", answer, status)
    done = agtmux(short_dir, "ack", "other")
    assert (done.returncode, says in done.stderr) == (4, True), done.stderr
    assert all("actions" not in call.path for call in stub.calls)
