"""The command line says what the API says: bodies, errors, refs; and nothing that a terminal would obey."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from agtmux.client import quote
from agtmux.protocol.errors import CODES
from agtmux.transport import Exchange
from tests.acceptance.stage import PATIENCE, Agent, Daemon, Place, lasting
from tests.conftest import Tmux, until


def get(place: Place, target: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    """One request to the API: status and body."""
    data = None if body is None else json.dumps(body).encode()
    with Exchange(str(place.socket), method, target, data, PATIENCE) as exchange:
        return exchange.status, json.loads(exchange.read())


@pytest.mark.tc("TC-021")
def test_json_of_every_reading_command_is_the_body_of_its_route(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one, two = agent().start("one"), agent().start("two")
    daemon.wait_agent(one.pane)
    daemon.wait_agent(two.pane)
    one.ask()
    daemon.wait_for(one.pane, "waiting_approval")
    until(lambda: all(item["project"] for item in daemon.panes()), within=PATIENCE, what="the last fields of the rows")
    ref = daemon.wait_agent(one.pane)["ref"]
    for argv, target in (
        (["list", "panes"], "/v1/panes"),
        (["ls", "--all", "--sort", "name"], "/v1/panes?all=true&sort=name"),
        (["ls", "--needs-action"], "/v1/panes?needs_action=true"),
        (["list", "windows", "--state", "waiting_approval,idle"], "/v1/windows?state=waiting_approval%2Cidle"),
        (["list", "sessions"], "/v1/sessions"),
        (["list", "sessions", "--group-by", "session-name"], "/v1/sessions?group_by=session-name"),
        (["target", "list"], "/v1/targets"),
        (["explain", one.pane], f"/v1/panes/{quote(ref)}/explain"),
        (["events", one.pane, "--limit", "3"], f"/v1/events?limit=3&pane={quote(ref)}"),
        (["daemon", "status"], "/v1/health"),
        (["daemon", "config"], "/v1/daemon/config"),
        (["watch", "--once"], "/v1/watch?scope=panes&once=true"),
        (["watch", "--once", "--scope", "sessions"], "/v1/watch?scope=sessions&once=true"),
    ):
        status, body = get(place, target)
        assert status == 200, (target, body)
        answer = place.json(*argv)
        assert answer.keys() == body.keys(), argv
        assert lasting(answer) == lasting(body), argv


ERRORS: tuple[tuple[str, list[str], str, str, Any], ...] = (
    ("E_INVALID_REQUEST", ["ls", "--sort", "colour"], "/v1/panes?sort=colour", "GET", None),
    ("E_INVALID_REQUEST", ["watch", "--interval", "soon"], "/v1/watch?scope=panes&interval=soon", "GET", None),
    ("E_REF_INVALID", ["explain", "pane:host/x"], "/v1/panes/pane%3Ahost%2Fx/explain", "GET", None),
    ("E_REF_INVALID", ["ls", "--target-session", "nothing"], "/v1/panes?target_session=nothing", "GET", None),
    ("E_REF_INVALID_ENCODING", ["explain", "pane:host/%zz/@0/%0"],
     "/v1/panes/pane%3Ahost%2F%25zz%2F%400%2F%250/explain", "GET", None),
    ("E_REF_NOT_FOUND", ["explain", "pane:host/x/@99/%99"],
     "/v1/panes/pane%3Ahost%2Fx%2F%4099%2F%2599/explain", "GET", None),
    ("E_REF_NOT_FOUND", ["events", "pane:host/x/@99/%99"],
     "/v1/events?pane=pane%3Ahost%2Fx%2F%4099%2F%2599", "GET", None),
    ("E_CURSOR_INVALID", ["watch", "--cursor", "what?"], "/v1/watch?scope=panes&cursor=what%3F", "GET", None),
    ("E_CURSOR_EXPIRED", ["watch", "--once", "--cursor", "another:1"],
     "/v1/watch?scope=panes&once=true&cursor=another%3A1", "GET", None),
    ("E_TARGET_NOT_FOUND", ["ls", "--target", "moon"], "/v1/panes?target=moon", "GET", None),
    ("E_TARGET_NOT_FOUND", ["target", "connect", "moon"], "/v1/targets/moon/connect", "POST", {}),
    ("E_TARGET_NOT_FOUND", ["target", "remove", "moon", "--yes"], "/v1/targets/moon", "DELETE", None),
    ("E_TARGET_EXISTS", ["target", "add", "host", "--kind", "local"],
     "/v1/targets", "POST", {"name": "host", "kind": "local"}),
)  # fmt: skip


@pytest.mark.tc("TC-018")
@pytest.mark.tc("TC-032")
def test_an_error_is_the_same_in_api_and_command_line(place: Place, daemon: Daemon) -> None:
    daemon.start()
    for code, argv, target, method, body in ERRORS:
        status, result = get(place, target, method, body)
        assert result["error"]["code"] == code
        assert status == CODES[code].http, code
        assert result["error"]["retryable"] is CODES[code].retryable, code
        done = place.cli(*argv, "--json")
        assert done.returncode == CODES[code].exit, (argv, done.stdout)
        assert json.loads(done.stdout) == result, argv
        assert done.stderr == f"agtmux: {result['error']['message']} ({code})\n"


@pytest.mark.tc("TC-018")
def test_a_body_that_is_too_large_is_refused(place: Place, daemon: Daemon) -> None:
    daemon.start()
    status, result = get(place, "/v1/events", "POST", {"events": ["x" * (1 << 20)]})
    assert (status, result["error"]["code"]) == (413, "E_PAYLOAD_TOO_LARGE")


@pytest.mark.tc("TC-005")
def test_an_event_that_names_an_ended_runtime_is_refused_and_changes_nothing(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start_in("new-session", "-s", "main")
    old = daemon.wait_agent(one.pane)["runtime_id"]
    one.tmux.run("set-option", "-g", "remain-on-exit", "on")
    one.exit()
    daemon.wait_for(one.pane, None)
    two = agent().start_in("respawn-pane", "-t", one.pane)
    new = daemon.wait_agent(two.pane)
    assert new["runtime_id"] != old
    event = {
        "event_id": "late-word-1", "event_type": "PermissionRequest", "source": "hook", "agent_type": "claude",
        "event_time": 0, "runtime_id": old, "payload": {"hook_event_name": "PermissionRequest", "tool_name": "Bash"},
    }  # fmt: skip
    _, result = get(place, "/v1/events", "POST", event)
    assert (result["results"][0]["status"], result["results"][0]["reason_code"]) == ("stale_runtime", "E_RUNTIME_STALE")
    after = daemon.pane(two.pane)
    assert after is not None
    assert after["state"] != "waiting_approval"
    assert after["runtime_id"] == new["runtime_id"]


NAMES = ["a/b", "100%", "two words", "%41", "naïve 日本語 🙂", "-dash", "comma,name", "quote'\"\\", "#hash"]


@pytest.mark.tc("TC-024")
def test_any_session_name_comes_back_whole_through_refs_and_filters(
    place: Place, daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    agents = {name: agent().start(session=name) for name in NAMES}
    for name, one in agents.items():
        item = daemon.wait_agent(one.pane)
        real = tmux.run("display-message", "-p", "-t", one.pane, "#{session_name}")
        assert item["identity"]["session_name"] == real, name
        assert place.json("explain", item["ref"])["item"]["identity"] == item["identity"]
        encoded = item["ref"].removeprefix("pane:").split("/")[1]
        assert re.fullmatch(r"[A-Za-z0-9._~%-]+", encoded)
        found = place.json("ls", "--target-session", f"host/{encoded}")["items"]
        assert [x["identity"]["pane_id"] for x in found] == [one.pane]
        if "," not in real:
            found = place.json("ls", f"--session={real}")["items"]
            assert [x["identity"]["pane_id"] for x in found] == [one.pane]


@pytest.mark.tc("TC-024")
def test_short_refs_are_taken_where_they_are_unique(place: Place, daemon: Daemon, agent: Callable[..., Agent]) -> None:
    daemon.start()
    one = agent().start("work")
    ref = daemon.wait_agent(one.pane)["ref"]
    for short in (one.pane, "work:0.0", "work:0", "claude"):
        assert place.json("explain", short)["ref"] == ref
    two = agent().start_in("split-window", "-t", "work:0")
    daemon.wait_agent(two.pane)
    done = place.cli("explain", "claude", "--json")
    assert done.returncode == CODES["E_REF_AMBIGUOUS"].exit
    assert ref in json.loads(done.stdout)["error"]["details"]["candidates"]
    assert place.cli("explain", "nobody").returncode == CODES["E_REF_NOT_FOUND"].exit


HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31mred\u202egnp.exe\u2066\x00\x08\x7f\r\nnext"
_SGR = re.compile(r"\x1b\[[0-9;]*m")
_BAD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


@pytest.mark.tc("TC-105")
def test_hostile_text_reaches_no_terminal_as_anything_but_text(
    place: Place, daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start("a\u202eb")
    tmux.run("rename-window", "-t", one.pane, "w\u202e\u2066x")
    daemon.wait_agent(one.pane)
    one.title("t\u202eitle \u2066 \x9b2J")
    one.hook("UserPromptSubmit", prompt=f"do {HOSTILE}")
    daemon.wait_for(one.pane, "running")
    outputs = [["ls"], ["ls", "--color", "always"], ["explain", one.pane]]
    one.hook("PermissionRequest", tool_name=f"Bash{HOSTILE}", tool_input={"command": f"rm {HOSTILE}"})
    item = daemon.wait_for(one.pane, "waiting_approval")
    assert "rm " in item["waiting_for"]["text"]
    outputs += [["list", "windows"], ["list", "sessions"], ["events"], ["watch", "--once", "--format", "table"]]
    outputs += [
        ["ls"],
        ["ls", "--color", "always"],
        ["explain", one.pane],
        ["explain", f"x{HOSTILE.replace(chr(0), '')}"],
    ]
    for argv in outputs:
        done = place.cli(*argv)
        output = _SGR.sub("", done.stdout) if "always" in argv else done.stdout
        assert not _BAD.search(output), (argv, output)
        assert not _BAD.search(done.stderr), (argv, done.stderr)
