"""Signals, waits and rules between real agents, through the command line, and across restarts of the daemon."""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agtmux.client import Client
from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Agent, Daemon, Item, Place
from tests.acceptance.test_supervised_agents import AGTMUX, by
from tests.conftest import Tmux, until

Make = Callable[..., Actor]
Wait = Callable[..., "subprocess.Popen[str]"]
ACK = """
import sys
from agtmux.client import Client
Client()._ask("POST", f"/v1/messages/{sys.argv[1]}/ack", {"request_ref": "ack-request"})
"""


@pytest.fixture
def waiting(place: Place) -> Iterator[Wait]:
    """Starts ``agtmux wait`` in the background."""
    made: list[subprocess.Popen[str]] = []

    def begin(*argv: str) -> subprocess.Popen[str]:
        made.append(
            subprocess.Popen(
                [AGTMUX, "wait", *argv], env={**place.env, "AGTMUX_NO_AUTOSTART": "1"}, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
        return made[-1]

    yield begin
    for one in made:
        if one.poll() is None:
            one.kill()
        one.communicate()


def open_waits(daemon: Daemon) -> list[Item]:
    items: list[Item] = daemon.client.waits({"status": "open"}).json()["items"]
    return items


def name_of(daemon: Daemon, pane: str) -> str:
    """The name of the agent in a pane."""
    runtime = daemon.wait_agent(pane)["runtime_id"]

    def known() -> str | None:
        items = daemon.client.agents().json()["items"]
        return next((one["name"] for one in items if one["runtime_id"] == runtime), None)

    return until(known, within=PATIENCE, what=f"a name for {pane}") or ""


@pytest.mark.tc("TC-764")
def test_a_wait_for_a_state_a_signal_and_an_acknowledgement_outlives_a_crash(
    daemon: Daemon, actor: Make, agent: Callable[..., Agent], waiting: Wait, place: Place
) -> None:
    daemon.start()
    one, mine = actor().start("one"), agent().start("mine")
    one.ready(daemon)
    sent = {"to": [name_of(daemon, mine.pane)], "body": "please look", "request_ref": "message-1"}
    message = daemon.client._ask("POST", "/v1/messages", sent).json()["item"]["message_id"]
    conditions = (f"state:{one.pane}=waiting", "signal:team/web/built", f"msg:{message}=acked")
    first, every = waiting("--any", *conditions), waiting("--all", *conditions, "--json")
    left = waiting("--all", *conditions)
    until(lambda: len(open_waits(daemon)) == 3, within=PATIENCE)
    assert place.cli("signal", "send", "team/web/built", "--data", "1").returncode == 0
    out, err = first.communicate(timeout=PATIENCE)
    assert (first.returncode, "met signal:team/web/built" in out) == (0, True), err
    assert (every.poll(), left.poll()) == (None, None)
    wait_id = open_waits(daemon)[0]["wait_id"]
    left.kill()
    daemon.kill9()
    one.tell(ask="while nobody looked")
    daemon.start()
    daemon.wait_for(one.pane, "waiting_approval")
    assert every.poll() is None
    done = by(mine, str(PROGRAMS / "python"), "-c", ACK, message)
    assert done["status"] == 0, done
    out, err = every.communicate(timeout=PATIENCE)
    assert every.returncode == 0, err
    item = json.loads(out)["item"]
    assert [item["met"], *(one["state"] for one in item["conditions"])] == [3, "met", "met", "met"]
    assert place.json("wait", "--id", wait_id)["item"]["state"] == "met", "who comes back gets the result"


@pytest.mark.tc("TC-764")
def test_a_wait_that_is_not_met_in_time_tells_what_was(daemon: Daemon, place: Place) -> None:
    daemon.start()
    late = place.cli("wait", "--all", "signal:a>0", "signal:b", "--timeout", "0s")
    assert (late.returncode, late.stdout) == (7, "open signal:a>0\nopen signal:b\n")
    place.cli("signal", "send", "a")
    done = place.cli("wait", "--all", "signal:a>0", "signal:b", "--timeout", "300ms", "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"], error["details"]["wait"]["met"]) == (7, "E_TIMEOUT", 1)
    assert place.cli("wait", "signal:a", "state:nobody=idle").returncode == 4
    assert place.cli("wait", "signal:a b").returncode == 2


@pytest.mark.tc("TC-765")
def test_an_agent_signals_in_its_own_name_within_its_rate(
    daemon: Daemon, agent: Callable[..., Agent], place: Place
) -> None:
    daemon.start()
    mine = agent().start("mine")
    name = name_of(daemon, mine.pane)
    refused = by(mine, AGTMUX, "signal", "send", "team/web/built")
    assert (refused["status"], f"agent/{name}/" in refused["out"]) == (3, True), refused
    script = f'for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do "{AGTMUX}" signal send agent/{name}/x || exit; done'
    limited = by(mine, "sh", "-c", script)
    assert (limited["status"], "try again in" in limited["out"]) == (6, True), limited
    items = place.json("signal", "read", f"agent/{name}/x")["items"]
    assert len(items) >= 10
    assert {item["sender"] for item in items} == {f"agent:{name}"}


@pytest.mark.tc("TC-766")
def test_a_rule_lets_one_agent_do_one_thing_and_a_reload_takes_it_away(
    daemon: Daemon, actor: Make, agent: Callable[..., Agent], place: Place, tmux: Tmux
) -> None:
    rule = '[[policies]]\neffect = "allow"\nsubject = "agent:claude-1"\nverb = "act.send"\nobject = "target:host"\n'
    place.configure(tmux, rule)
    daemon.start()
    mine = agent().start("mine")
    assert name_of(daemon, mine.pane) == "claude-1"
    other, third = actor().start("other"), agent().start("third")
    other.ready(daemon)
    daemon.wait_agent(third.pane)
    send = (AGTMUX, "send", other.pane, "--text", "from a friend", "--enter")
    assert by(mine, *send)["status"] == 0
    assert other.sent() == ["from a friend"]
    for who, argv in ((third, send), (mine, (AGTMUX, "interrupt", other.pane)), (mine, (AGTMUX, "daemon", "reload"))):
        refused = by(who, *argv)
        assert (refused["status"], "E_FORBIDDEN" in refused["out"]) == (3, True), refused
    tested = place.cli("policy", "test", "agent:claude-1", "act.send", "target:host")
    assert tested.stdout == "allowed (rule 1: allow agent:claude-1 act.send target:host)\n"
    place.configure(tmux, rule + '[[policies]]\neffect = "deny"\nsubject = "agent:*"\nverb = "act"\n')
    assert place.cli("daemon", "reload").returncode == 0
    refused = by(mine, *send)
    assert (refused["status"], "rule 2 refuses this" in refused["out"]) == (3, True), refused
    assert other.sent() == ["from a friend"]
    recorded = [row["error_code"] for row in place.json("actions", "--kind", "send")["items"]]
    assert recorded == ["E_POLICY_DENIED", "E_FORBIDDEN", None]


class Stream:
    """One reader of the stream of coordination, over a plain socket."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(path))
        self.sock.sendall(b"GET /v1/watch?scope=coord HTTP/1.1\r\nHost: a\r\n\r\n")
        self.types: list[str] = []
        self.signals: list[int] = []
        """The sequences of the signals so far."""
        self._rest = b""

    def read(self) -> bool:
        """Take in what is there, or wait for it; False."""
        data = self._rest + self.sock.recv(1 << 20)
        *whole, self._rest = data.split(b"\n")
        for raw in whole:
            if raw.startswith(b'{"'):
                line = json.loads(raw)
                self.types.append(line["type"])
                changes = line.get("changes") or ()
                self.signals += [c["item"]["seq"] for c in changes if c["identity"]["kind"] == "signal"]
        return False


@pytest.mark.tc("TC-767")
@pytest.mark.timeout(300)
def test_a_hundred_readers_get_two_thousand_signals_each_once_and_a_slow_one_is_reset(
    daemon: Daemon, place: Place
) -> None:
    daemon.start()
    count, last = 2000, 0
    selector = selectors.DefaultSelector()
    slow, readers = Stream(place.socket), [Stream(place.socket) for _ in range(100)]
    for one in readers:
        selector.register(one.sock, selectors.EVENT_READ, one)

    def drain(pause: float) -> bool:
        """Take in what is there; False."""
        for key, _ in selector.select(pause):
            key.data.read()
        return False

    until(lambda: drain(0.1) or all(one.types for one in readers), within=PATIENCE, what="all snapshots")
    client = Client([str(place.socket)])
    for number in range(count):
        body: dict[str, Any] = {"topic": "load/test", "data": number, "request_ref": f"load-{number:05d}"}
        last = client.send_signal(body).json()["item"]["seq"]
        drain(0)
    until(lambda: drain(0.1) or all(one.signals[-1:] == [last] for one in readers), within=PATIENCE, what="the last")
    expected = list(range(last - count + 1, last + 1))
    assert [one.signals for one in readers] == [expected] * 100
    assert {kind for one in readers for kind in one.types} <= {"snapshot", "delta", "heartbeat"}
    until(lambda: "reset" in slow.types or slow.read(), within=PATIENCE, what="a reset")
    before = slow.signals
    assert before == expected[: len(before)], "nothing is missing before the reset"
    assert len(before) < count
    until(lambda: slow.types[-1] != "reset" or slow.read(), within=PATIENCE, what="a new beginning")
    assert "snapshot" in slow.types[slow.types.index("reset") :]
    for one in (slow, *readers):
        one.sock.close()
