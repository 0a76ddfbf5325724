"""Hooks of agents on machines behind ssh: at once while connected, later and once else, and never more than events."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.remote_hooks import install_program
from tests.acceptance.stage import PATIENCE, Agent, Daemon, Item, Place, Watch
from tests.conftest import Tmux, until
from tests.route_tables import ROUTES
from tests.ssh.sshd import Keys, Sshd
from tests.ssh.test_target_manager import RemoteMachine, becomes

MINUTES = 60 * 1_000_000_000


class HookedMachine(RemoteMachine):
    """A machine where the hook program was placed, with one agent."""

    agent: Agent

    @property
    def home(self) -> Path:
        return self.sshd.home

    @property
    def state(self) -> Path:
        return self.home / install_program.STATE

    def placed(self) -> HookedMachine:
        file = Path(install_program.path(str(self.home)))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(install_program.text())
        return self

    def hook(self, event: str, env: Mapping[str, str] | None = None, **payload: Any) -> None:
        """Call the hook program as the agent there does; it must exit 0 and print nothing."""
        body = {"hook_event_name": event, "session_id": f"s-{self.agent.pid}", **payload}
        argv = [sys.executable, "-IS", install_program.path(str(self.home)), "hook", "claude"]
        env = {"AGTMUX_HOOK_CAP_MS": "5000", **(env or {})}
        result = self.agent.tell(hook={"argv": argv, "payload": body, "env": env})
        assert result == {"status": 0, "out": ""}

    def asks_by_hook(self, command: str = "rm -rf build") -> None:
        self.hook("UserPromptSubmit", prompt="tidy up")
        self.hook("PermissionRequest", tool_name="Bash", tool_input={"command": command})

    def socket(self) -> Path | None:
        """The forwarded socket, where one is open."""
        for pointer in self.state.glob("*.supervisor"):
            output = pointer.read_text().strip()
            if output and Path(output).is_socket():
                return Path(output)
        return None

    def reached(self) -> Path:
        until(self.socket, within=PATIENCE, what="a forwarded socket")
        found = self.socket()
        assert found is not None
        return found

    def refused(self) -> int:
        """How many requests were refused for being too many."""
        return int(self.place.json("daemon", "status")["counters"].get("remote_events_refused", 0))

    def spooled(self) -> list[Item]:
        lines = [line for path in sorted(self.state.glob("*.spool.jsonl*")) for line in path.read_text().splitlines()]
        return [json.loads(line) for line in lines]


@pytest.fixture
def place(short_dir: Path, tmux: Tmux, keys: Keys) -> Place:
    made = Place(short_dir)
    tmux.env = dict(made.env)
    made.configure(
        tmux, f'[ssh]\nconfig_file = "{keys.config}"\n[targets]\nconnect_timeout = 5.0\ncommand_timeout = 5.0\n'
    )
    return made


@pytest.fixture
def daemon(place: Place) -> Iterator[Daemon]:
    made = Daemon(place)
    made.start()
    yield made
    made.close()
    print(made.said())


@pytest.fixture
def vm(place: Place, new_sshd: Callable[..., Sshd], new_tmux: Callable[[], Tmux]) -> Callable[..., HookedMachine]:
    """Makes machines with an agent: ``vm("vm1")``."""

    def make(name: str = "vm1", *, placed: bool = True, start: bool = True, **more: Any) -> HookedMachine:
        sshd = new_sshd(name, start=False, **more)
        (sshd.root / "run").mkdir(mode=0o700)
        sshd.force = str(sshd.force).replace("env -u SHLVL", f"env -u SHLVL XDG_RUNTIME_DIR={sshd.root / 'run'}")
        if start:
            sshd.start()
        made = HookedMachine(sshd, new_tmux(), place)
        if placed:
            made.placed()
        made.start_agent()
        return made

    return make


def events(place: Place, ref: str) -> list[Item]:
    """What was taken in from hooks, oldest first."""
    found = place.json("events", ref, "--limit", "200")["items"]
    return [item for item in reversed(found) if item["source"] == "hook"]


def post(path: Path, request: str, target: str, body: bytes = b"") -> tuple[int, Item]:
    """One request to a Unix socket; status and body of the answer."""
    head = f"{request} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(path))
        sock.sendall(head.encode() + body)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    first, _, rest = answer.partition(b"\r\n\r\n")
    document: Item = json.loads(rest) if rest else {}
    return int(first.split()[1]), document


def event(agent: Agent, name: str, *, ahead: int = 0, **more: Any) -> Item:
    """An event as the hook program there sends it."""
    server = int(agent.tmux.show(agent.pane, "#{pid}"))
    start = Path(f"/proc/{agent.pid}/stat").read_text().rpartition(")")[2].split()[19]
    now = time.time_ns()
    return {
        "event_id": f"test-{now}", "event_type": name, "source": "hook", "agent_type": "claude",
        "event_time": now + ahead, "tmux": {"socket": str(agent.tmux.socket), "server_pid": server},
        "pane_id": agent.pane, "chain": [{"pid": agent.pid, "start": start}],
        "payload": {"hook_event_name": name, "session_id": f"s-{agent.pid}"}, **more,
    }  # fmt: skip


@pytest.mark.tc("TC-103")
def test_a_hook_there_is_seen_here_at_once_while_connected(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine]
) -> None:
    far = vm()
    far.add()
    daemon.wait_agent(far.agent.pane, "vm1")
    path = far.reached()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.parent.parent == far.sshd.root / "run"
    watch = Watch(place)
    watch.until(lambda line: line["type"] == "snapshot")
    far.asks_by_hook("make clean")
    line = watch.until(lambda line: any(c["item"]["state"] == "waiting_approval" for c in line.get("changes", ())))
    watch.close()
    (change,) = line["changes"]
    assert change["identity"]["target"] == "vm1"
    assert change["item"]["waiting_for"]["text"] == "make clean"
    assert change["item"]["source"] == "hook"
    assert far.spooled() == []
    place.json("target", "remove", "vm1", "--yes")
    assert not far.state.exists(), "nothing of ours is left there but what was installed"
    assert not path.parent.exists()


@pytest.mark.tc("TC-104")
def test_what_hooks_wrote_while_nobody_was_connected_is_taken_in_once_and_in_order(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine]
) -> None:
    far = vm()
    far.add()
    ref = daemon.wait_agent(far.agent.pane, "vm1")["ref"]
    far.reached()
    far.hook("SessionStart", source="startup")
    until(lambda: len(events(place, ref)) == 1, within=PATIENCE)
    far.sshd.kill()
    far.hook("UserPromptSubmit", prompt="go")
    for number in range(20):
        far.hook("PreToolUse", tool_name="Bash", tool_input={"command": f"step {number}"})
    far.hook("PermissionRequest", tool_name="Bash", tool_input={"command": "make release"})
    written = far.spooled()
    assert len(written) == 22
    far.sshd.start()
    becomes(daemon, "vm1", "ok")
    until(lambda: not far.spooled(), within=PATIENCE, what="the spool is fetched")
    item = daemon.wait_for(far.agent.pane, "waiting_approval", "vm1")
    assert item["waiting_for"]["text"] == "make release"
    taken = events(place, ref)
    assert [e["event_id"] for e in taken[1:]] == [e["event_id"] for e in written]
    far.reached()
    far.hook("Stop")
    until(lambda: len(events(place, ref)) == 24, within=PATIENCE)


@pytest.mark.tc("TC-104")
def test_a_daemon_that_was_stopped_finds_what_hooks_wrote_meanwhile(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine]
) -> None:
    far = vm()
    far.add()
    ref = daemon.wait_agent(far.agent.pane, "vm1")["ref"]
    path = far.reached()
    daemon.stop()
    assert far.socket() is None
    assert not path.parent.exists()
    far.asks_by_hook()
    assert len(far.spooled()) == 2
    daemon.start()
    daemon.wait_for(far.agent.pane, "waiting_approval", "vm1")
    until(lambda: not far.spooled(), within=PATIENCE)
    assert len(events(place, ref)) == 2


@pytest.mark.tc("TC-113")
def test_the_forwarded_socket_takes_events_and_nothing_else(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine]
) -> None:
    far = vm()
    far.add()
    item = daemon.wait_agent(far.agent.pane, "vm1")
    path = far.reached()
    for route in ROUTES:
        if (route.method, route.path) == ("POST", "/v1/events"):
            continue
        target = route.path.replace("{name}", "vm1").replace("{ref}", item["ref"].replace("/", "%2F"))
        status, one_answer = post(path, route.method, target, b"{}")
        assert (status, one_answer["error"]["code"]) == (403, "E_FORBIDDEN"), route.path
    for other in ("/v1/events?x=1", "/v1//events", "/V1/events", "/", "http://x/v1/panes", "/v1/events/../panes"):
        assert post(path, "POST", other, b"{}")[0] == 403, other
    assert post(path, "POST", "/v1/events", json.dumps(event(far.agent, "Stop", source="status")).encode())[0] == 403
    assert post(path, "POST", "/v1/events", b"x" * (1024 * 1024 + 1))[0] == 413
    many = json.dumps({"events": [event(far.agent, "Stop")] * 400}).encode()
    answers = [post(path, "POST", "/v1/events", many) for _ in range(6)]
    assert [status for status, _ in answers[:2]] == [200, 200]
    flooded = [one_answer["error"] for status, one_answer in answers if status != 200]
    assert flooded, "a flood is refused"
    assert {(error["code"], error["retryable"]) for error in flooded} == {("E_OVERLOADED", True)}
    assert far.refused() == len(flooded)


@pytest.mark.tc("TC-104")
def test_what_a_flood_kept_out_is_taken_in_once_and_nothing_is_lost(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine]
) -> None:
    far = vm()
    far.add()
    ref = daemon.wait_agent(far.agent.pane, "vm1")["ref"]
    path = far.reached()
    noise = json.dumps({"events": [event(far.agent, "Notification")] * 20}).encode()
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            post(path, "POST", "/v1/events", noise)

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: far.refused(), within=PATIENCE, what="the flood is refused")
        for number in range(12):
            far.hook("PreToolUse", tool_name="Bash", tool_input={"command": f"step {number}"})
        far.hook("PermissionRequest", tool_name="Bash", tool_input={"command": "make release"})
    finally:
        over.set()
        for thread in threads:
            thread.join()
    until(lambda: not far.spooled(), within=PATIENCE, what="the spool is fetched")
    assert daemon.wait_for(far.agent.pane, "waiting_approval", "vm1")["waiting_for"]["text"] == "make release"
    mine = [e["event_id"] for e in events(place, ref) if e["event_type"] != "Notification"]
    assert len(mine) == len(set(mine)) == 13


@pytest.mark.tc("TC-113")
def test_a_machine_speaks_for_itself_only(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine], tmux: Tmux
) -> None:
    far = vm()
    near = Agent(tmux, place).start()
    far.add()
    daemon.wait_agent(far.agent.pane, "vm1")
    here = daemon.wait_agent(near.pane)
    path = far.reached()
    ask = {"tool_name": "Bash", "tool_input": {"command": "x"}, "hook_event_name": "PermissionRequest"}
    for more in ({"runtime_id": here["runtime_id"]}, {"target": "host"}, {}):
        sent = event(near, "PermissionRequest", **more)
        sent["payload"] = {**sent["payload"], **ask}
        status, result = post(path, "POST", "/v1/events", json.dumps(sent).encode())
        assert (status, result["results"][0]["status"]) == (200, "pending_bind"), "it is nobody's there"
    assert events(place, here["ref"]) == []
    other = event(far.agent, "Stop")
    other["tmux"]["server_pid"] = os.getpid()
    status, result = post(path, "POST", "/v1/events", json.dumps(other).encode())
    assert result["results"][0]["status"] == "pending_bind", "it ran under another tmux server there"
    status, result = post(path, "POST", "/v1/events", json.dumps(event(far.agent, "Stop")).encode())
    assert result["results"][0]["status"] == "bound"


@pytest.mark.tc("TC-103")
@pytest.mark.tc("TC-104")
@pytest.mark.parametrize("skew", [10 * MINUTES, -10 * MINUTES, 8_000_000_000], ids=["ahead", "behind", "a-little"])
def test_a_clock_that_is_wrong_there_changes_no_state(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine], skew: int
) -> None:
    """Two turns, one live and one out of the spool: every event counts for the moment at which it was."""
    far = vm(start=False)
    wrong = far.sshd.root / "date"
    wrong.write_text(f"#!/bin/sh\necho $(( $(/bin/date +%s%N) + {skew} ))\n")
    wrong.chmod(0o700)
    far.sshd.force = str(far.sshd.force).replace("env -u SHLVL", f'env -u SHLVL PATH="{far.sshd.root}:$PATH"')
    far.sshd.start()
    far.add()
    ref = daemon.wait_agent(far.agent.pane, "vm1")["ref"]
    path = far.reached()
    real: dict[str, int] = {}

    def make(name: str, **payload: Any) -> Item:
        made = event(far.agent, name, ahead=skew)
        made["payload"] = {**made["payload"], **payload}
        real[made["event_id"]] = made["event_time"] - skew
        return made

    ask = {"tool_name": "Bash", "tool_input": {"command": "make all"}}
    for name, payload, state in (
        ("UserPromptSubmit", {"prompt": "go"}, "running"),
        ("PermissionRequest", ask, "waiting_approval"),
        ("PostToolUse", ask, "running"),
        ("Stop", {}, "completed"),
    ):
        status, result = post(path, "POST", "/v1/events", json.dumps(make(name, **payload)).encode())
        assert (status, result["results"][0]["status"]) == (200, "bound")
        assert daemon.wait_for(far.agent.pane, state, "vm1")["source"] == "hook"

    far.sshd.kill()
    (pointer,) = far.state.glob("*.supervisor")
    spool = pointer.with_suffix(".spool.jsonl")
    spool.write_text("".join(json.dumps(make(n, **p)) + "\n" for n, p in (
        ("UserPromptSubmit", {"prompt": "on"}), ("PermissionRequest", ask))))  # fmt: skip
    far.sshd.start()
    daemon.wait_for(far.agent.pane, "waiting_approval", "vm1")
    path = far.reached()
    status, result = post(path, "POST", "/v1/events", json.dumps(make("PostToolUse", **ask)).encode())
    assert result["results"][0]["status"] == "bound", "newer than what was spooled"
    daemon.wait_for(far.agent.pane, "running", "vm1")
    taken = {e["event_id"]: e for e in events(place, ref)}
    assert set(taken) == set(real)
    for event_id, at in real.items():
        said_at = datetime.fromisoformat(taken[event_id]["event_time"]).timestamp()
        assert abs(said_at - at / 1e9) < 2, "put right by what was measured"
        assert taken[event_id]["event_time"] <= taken[event_id]["ingested_at"]


FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@pytest.mark.tc("TC-103")
@pytest.mark.tc("TC-104")
@pytest.mark.skipif(not FAKETIME, reason="libfaketime, which shifts a program's clock, is not installed")
@pytest.mark.parametrize("shift", ["+600", "-600"])
def test_programs_that_live_in_another_time_there_change_no_state(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine], shift: str
) -> None:
    """The hook program, its spool and all that sshd runs have a clock that is ten minutes off; nothing is made up."""
    other = {"LD_PRELOAD": str(FAKETIME[0]), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    far = vm(start=False)
    words = " ".join(f"{name}={value}" for name, value in other.items())
    far.sshd.force = str(far.sshd.force).replace("env -u SHLVL", f"env -u SHLVL {words}")
    far.sshd.start()
    far.add()
    daemon.wait_agent(far.agent.pane, "vm1")
    far.reached()
    far.hook("UserPromptSubmit", env=other, prompt="go")
    daemon.wait_for(far.agent.pane, "running", "vm1")
    far.hook("PermissionRequest", env=other, tool_name="Bash", tool_input={"command": "make"})
    asked = daemon.wait_for(far.agent.pane, "waiting_approval", "vm1")
    assert asked["since"] <= asked["updated_at"]

    far.sshd.kill()
    becomes(daemon, "vm1", "down")
    far.hook("PostToolUse", env=other, tool_name="Bash", tool_input={"command": "make"})
    far.hook("Stop", env=other)
    shifted = [abs(line["event_time"] / 1e9 - time.time()) for line in far.spooled()]
    assert len(shifted) == 2, "spooled"
    assert min(shifted) > 500, "by the other clock"
    far.sshd.start()
    done = daemon.wait_for(far.agent.pane, "completed", "vm1")
    assert done["runtime_id"] == asked["runtime_id"]
    assert done["since"] <= done["updated_at"]


@pytest.mark.tc("TC-104")
def test_where_no_socket_may_be_forwarded_the_spool_is_looked_at(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine]
) -> None:
    far = vm()
    far.sshd.authorized.write_text("no-port-forwarding " + far.sshd.authorized.read_text())
    far.add()
    daemon.wait_agent(far.agent.pane, "vm1")
    until(lambda: list(far.state.glob("*.supervisor")), within=PATIENCE, what="this daemon is known there")
    assert far.socket() is None
    far.asks_by_hook()
    assert daemon.wait_for(far.agent.pane, "waiting_approval", "vm1")["source"] == "hook"
    assert far.socket() is None


@pytest.mark.tc("TC-103")
@pytest.mark.tc("TC-104")
def test_two_daemons_watch_one_machine_and_neither_misses_anything(
    place: Place, daemon: Daemon, vm: Callable[..., HookedMachine], tmux: Tmux, short_dir: Path
) -> None:
    far = vm()
    folder = short_dir / "2"
    folder.mkdir()
    second = Place(folder)
    second.config.write_text(place.config.read_text())
    other = Daemon(second).start()
    try:
        far.add()
        far.place = second
        far.add()
        both = (daemon, other)
        for one in both:
            one.wait_agent(far.agent.pane, "vm1")
        until(lambda: sum(bool(p.read_text().strip()) for p in far.state.glob("*.supervisor")) == 2, within=PATIENCE)
        far.asks_by_hook("make one")
        for one in both:
            assert one.wait_for(far.agent.pane, "waiting_approval", "vm1")["source"] == "hook"
        assert far.spooled() == []
        other.stop()
        far.hook("PostToolUse", tool_name="Bash", tool_input={"command": "make one"})
        far.hook("Stop")
        daemon.wait_for(far.agent.pane, "completed", "vm1")
        assert len(far.spooled()) == 2
        other.start()
        other.wait_for(far.agent.pane, "completed", "vm1")
        until(lambda: not far.spooled(), within=PATIENCE)
    finally:
        other.close()
