"""Agents by name, with a real daemon and real panes: what a name reaches, who asks, and what stays after an end."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Item, Place
from tests.acceptance.test_actions import Make
from tests.acceptance.test_restore import install, restore
from tests.conftest import Tmux, until

AGTMUX = str(PROGRAMS / "agtmux")


def by(agent: Agent, *argv: str) -> Item:
    """What ``argv`` came to, run by the agent: ``status`` and ``out``."""
    result: Item = agent.tell(hook={"argv": list(argv), "payload": {}, "env": {"AGTMUX_NO_AUTOSTART": "1"}})
    return result


def named(daemon: Daemon, name: str) -> Item:
    """The agent of that name once it is there."""

    def there() -> Item | None:
        items = daemon.client.agents({"all": "true"}).json()["items"]
        return next((one for one in items if one["name"] == name), None)

    return until(there, within=PATIENCE, what=f"an agent {name}") or {}


@pytest.mark.tc("TC-630")
def test_a_name_reaches_the_pane_of_its_agent_by_every_command(place: Place, daemon: Daemon, actor: Make) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    assert place.cli("name", one.pane, "builder").returncode == 0
    until(lambda: "agent" in (daemon.pane(one.pane) or {}), within=PATIENCE, what="the name in the row")
    assert "builder" in place.cli("ls", "--format", "{name}").stdout
    assert place.cli("send", "BUILDER", "--text", "hello", "--enter").stdout.startswith("submitted to host")
    assert one.sent() == ["hello"]
    one.tell(run=False)
    one.ready(daemon)
    for command in (
        "explain builder", "view-output builder", "ack builder", "wait builder --for idle", "events builder",
        "actions builder", "attach builder --print", "agent show builder",
    ):  # fmt: skip
        done = place.cli(*command.split())
        assert done.returncode == 0, (command, done.stderr)
    ref = {"request_ref": "by-the-api", "ref": "builder", "text": "again", "enter": True}
    assert daemon.client.act("send", ref).json()["result"]["delivery"] == "submitted"
    assert one.sent() == ["hello", "again"]


@pytest.mark.tc("TC-630")
def test_a_name_without_one_runtime_types_nothing_anywhere(place: Place, daemon: Daemon, actor: Make) -> None:
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    before = one.keys()
    assert place.cli("agent", "add", "reviewer").returncode == 0
    unbound = place.cli("send", "reviewer", "--text", "x", "--json")
    assert json.loads(unbound.stdout)["error"]["code"] == "E_REF_NOT_FOUND"
    file = place.root / "team.toml"
    file.write_text('name = "web"\n[[agents]]\nname = "worker"\n')
    assert place.cli("team", "apply", str(file)).returncode == 0
    assert place.cli("agent", "add", "worker").returncode == 0
    ambiguous = place.cli("send", "worker", "--text", "x", "--json")
    assert json.loads(ambiguous.stdout)["error"]["details"]["candidates"] == ["/worker", "web/worker"]
    unknown = place.cli("send", "nobody", "--text", "x")
    assert (unknown.returncode, "agents are claude-1" in unknown.stderr) == (4, True)
    assert one.keys() == before


@pytest.mark.tc("TC-631")
def test_an_action_by_name_never_reaches_a_runtime_that_got_the_name_later(
    place: Place, daemon: Daemon, actor: Make
) -> None:
    """A name moves between two requests with one request ref: the second one repeats the first's answer."""
    daemon.start()
    first, second = actor().start(), actor().start("other")
    first.ready(daemon)
    second.ready(daemon)
    assert place.cli("name", first.pane, "builder").returncode == 0
    asked = {"request_ref": "one-request", "ref": "builder", "text": "for the first", "enter": True}
    assert daemon.client.act("send", asked).json()["result"]["delivery"] == "submitted"
    before = second.keys()
    assert place.cli("agent", "bind", "builder", second.pane, "--take", "--yes").returncode == 0
    assert daemon.client.act("send", asked).json()["replayed"] is True
    assert (first.sent(), second.keys()) == (["for the first"], before)
    assert place.cli("send", "builder", "--text", "for the second", "--enter").returncode == 0
    assert (first.sent(), second.sent()) == (["for the first"], ["for the second"])


@pytest.mark.tc("TC-632")
def test_an_agent_asks_who_it_is_and_changes_nothing(place: Place, daemon: Daemon, agent: Callable[..., Agent]) -> None:
    daemon.start()
    mine, other = agent().start("mine"), agent().start("other")
    daemon.wait_agent(mine.pane)
    runtime = daemon.wait_agent(other.pane)["runtime_id"]
    assert place.cli("name", mine.pane, "builder").returncode == 0
    who = by(mine, AGTMUX, "whoami", "--json")
    body = json.loads(who["out"])
    assert (who["status"], body["kind"], body["agent"]["name"]) == (0, "agent", "builder")
    assert place.json("whoami")["kind"] == "person"
    assert by(mine, AGTMUX, "agents")["status"] == 0
    for argv in (
        ("name", other.pane, "mine-too"), ("agent", "rename", "builder", "x"), ("agent", "add", "x"),
        ("agent", "bind", "builder", other.pane, "--take", "--yes"), ("agent", "retire", "builder"),
        ("team", "remove", "web", "--yes"), ("send", "builder", "--text", "x"),
    ):  # fmt: skip
        done = by(mine, AGTMUX, *argv)
        assert done["status"] == 3, (argv, done)
    assert named(daemon, "builder")["runtime_id"] != runtime


@pytest.mark.tc("TC-633")
def test_a_named_agent_is_itself_again_after_its_tmux_server_was_lost(
    place: Place, daemon: Daemon, tmux: Tmux, agent: Callable[..., Agent]
) -> None:
    install(place)
    daemon.start()
    one = agent().start("main")
    daemon.wait_agent(one.pane)
    one.hook("UserPromptSubmit", session_id="s-0", prompt="go")
    until(lambda: (daemon.pane(one.pane) or {})["agent_session_id"] == "s-0", within=PATIENCE, what="the session")
    assert place.cli("name", one.pane, "builder").returncode == 0
    before = named(daemon, "builder")
    tmux.run("kill-server")
    until(lambda: named(daemon, "builder")["runtime_id"] is None, within=PATIENCE, what="builder has no runtime")
    daemon.stop()
    daemon.start()
    assert restore(place, "--apply").returncode == 0
    row = until(lambda: next(iter(daemon.panes()), None), within=PATIENCE, what="the agent is back") or {}
    stand_in = named(daemon, "claude-2")
    assert stand_in["runtime_id"] == row["runtime_id"], "nothing has said yet which session it continues"
    report(place, row["runtime_id"], "s-0")
    again = until(
        lambda: (found := named(daemon, "builder"))["runtime_id"] is not None and found, within=PATIENCE,
        what="builder is back",
    ) or {}  # fmt: skip
    assert (again["agent_id"], again["runtime_id"], again["epoch"]) == (before["agent_id"], row["runtime_id"], 2)
    assert {item["name"] for item in daemon.client.agents({"all": "true"}).json()["items"]} == {"builder"}


def report(place: Place, runtime_id: str, session: str) -> None:
    """Post the session of a runtime as a hook does."""
    payload = {"hook_event_name": "SessionStart", "session_id": session, "source": "resume"}
    event = {
        "event_id": f"event-{session}-again", "event_type": "SessionStart", "source": "hook", "agent_type": "claude",
        "event_time": time.time_ns(), "runtime_id": runtime_id, "payload": payload,
    }  # fmt: skip
    connection = http.client.HTTPConnection("agtmux")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(str(place.socket))
    connection.request("POST", "/v1/events", json.dumps(event), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()
