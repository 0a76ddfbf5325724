"""A daemon with targets behind real sshds: partial where one fails, whole again after it, and nobody else held up."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agtmuxd.targets.local import process_table
from tests.acceptance.stage import PATIENCE, Agent, Daemon, Item, Place
from tests.conftest import Tmux, until
from tests.ssh.sshd import Keys, Sshd
from tests.ssh.wire import Wire, WireError

Make = Callable[..., Sshd]


class RemoteMachine:
    """A machine: its sshd, its tmux server and one agent there, whose status file says what it does."""

    def __init__(self, sshd: Sshd, tmux: Tmux, place: Place) -> None:
        self.sshd, self.tmux, self.place = sshd, tmux, place
        self.name = sshd.alias
        self.tmux.env = {**place.env, "HOME": str(sshd.home)}
        self.agent: Agent | None = None

    def start_agent(self) -> Agent:
        self.agent = Agent(self.tmux, self.place).start()
        return self.agent

    def says(self, status: str, **more: str) -> None:
        """The agent's own status file, written whole."""
        assert self.agent is not None
        proc = process_table.read_one(self.agent.pid)
        assert proc is not None
        data = {"pid": proc.pid, "procStart": proc.start, "entrypoint": "cli", "status": status, **more}
        folder = Path(self.tmux.env["HOME"]) / ".claude" / "sessions"
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"{proc.pid}.new"
        fresh.write_text(json.dumps(data))
        fresh.replace(folder / f"{proc.pid}.json")

    def asks(self) -> None:
        self.says("waiting", waitingFor="permission prompt")

    def add(self, *more: str) -> None:
        options = ["--kind", "ssh", "--ssh-target", self.name, "--tmux-socket", str(self.tmux.socket), *more]
        self.place.json("target", "add", self.name, *options)


@pytest.fixture
def place(short_dir: Path, tmux: Tmux, keys: Keys) -> Place:
    made = Place(short_dir)
    tmux.env = dict(made.env)
    made.configure(
        tmux, f'[ssh]\nconfig_file = "{keys.config}"\n[targets]\nconnect_timeout = 2.0\ncommand_timeout = 2.0\n'
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
def far(place: Place, new_sshd: Make, new_tmux: Callable[[], Tmux]) -> Callable[..., RemoteMachine]:
    """Makes machines: ``far("vm1")``."""
    return lambda name, **more: RemoteMachine(new_sshd(name, **more), new_tmux(), place)


@pytest.fixture
def near(place: Place, tmux: Tmux) -> RemoteMachine:
    """The host target with an agent of the same kind."""
    made = RemoteMachine.__new__(RemoteMachine)
    made.tmux, made.place, made.name, made.agent = tmux, place, "host", None
    return made


def health(daemon: Daemon, name: str) -> Item:
    return next(item for item in daemon.client.targets().json()["items"] if item["target"] == name)


def becomes(daemon: Daemon, name: str, level: str) -> Item:
    until(lambda: health(daemon, name)["health"] == level, within=PATIENCE, what=f"{name} is {level}")
    return health(daemon, name)


@pytest.mark.tc("TC-014")
def test_a_target_is_added_tried_listed_and_removed(
    place: Place, daemon: Daemon, far: Callable[..., RemoteMachine]
) -> None:
    vm = far("vm1")
    agent = vm.start_agent()
    vm.add()
    body = place.json("target", "connect", "vm1")
    steps = ["resolve", "connect", "host key", "auth", "tmux found", "version", "round trip"]
    assert [(step["step"], step["ok"]) for step in body["steps"]] == [(name, True) for name in steps]
    daemon.wait_agent(agent.pane, "vm1")
    item = next(i for i in place.json("target", "list")["items"] if i["target"] == "vm1")
    assert (item["kind"], item["health"], item["reason"], item["agents"]) == ("ssh", "ok", None, 1)
    assert item["rtt_ms"] > 0
    assert item["last_seen_at"]
    with closing(sqlite3.connect(f"file:{place.state}/agtmux.db?mode=ro", uri=True)) as reader:
        refs = reader.execute("SELECT connection_ref FROM targets WHERE kind = 'ssh'").fetchall()
    assert refs == [("vm1",)], "the alias and nothing else"
    assert place.cli("target", "remove", "vm1").returncode == 2, "there is no terminal to ask in"
    assert place.cli("target", "remove", "vm1", "--yes").returncode == 0
    assert daemon.pane(agent.pane, "vm1") is None
    until(lambda: not vm.sshd.sessions(), within=PATIENCE, what="it hung up")


@pytest.mark.tc("TC-014")
@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--ssh-target", "vm1", "--tmux-socket", "s"], "E_TARGET_EXISTS"),
        (["--ssh-target", "-oProxyCommand=touch x"], "E_INVALID_REQUEST"),
        (["--ssh-target", "me@vm1; id"], "E_INVALID_REQUEST"),
        (["--ssh-target", "vm1", "--tmux-socket", "some/where"], "E_INVALID_REQUEST"),
    ],
)
def test_what_cannot_be_a_target_is_refused(place: Place, daemon: Daemon, options: list[str], code: str) -> None:
    place.json("target", "add", "one", "--kind", "ssh", "--ssh-target", "vm1", "--tmux-socket", "s")
    done = place.cli("target", "add", "two", "--kind", "ssh", *options, "--json")
    assert json.loads(done.stdout)["error"]["code"] == code


@pytest.mark.tc("TC-014")
@pytest.mark.tc("TC-040")
def test_the_step_that_fails_is_told_and_so_is_the_reason(
    place: Place, daemon: Daemon, far: Callable[..., RemoteMachine]
) -> None:
    vm = far("vm1")
    vm.add("--tmux-path", "/nowhere/tmux")
    assert becomes(daemon, "vm1", "down")["reason"] == "no_tmux"
    done = place.cli("target", "connect", "vm1")
    assert done.returncode == 6
    assert "FAIL  tmux found: no /nowhere/tmux on vm1" in done.stdout
    vm.sshd.keys.forget(vm.sshd.port)
    vm.sshd.hang_up()
    until(lambda: health(daemon, "vm1")["reason"] == "host_key", within=PATIENCE)
    assert "FAIL  host key: " in place.cli("target", "connect", "vm1").stdout


@pytest.mark.tc("TC-023")
@pytest.mark.tc("TC-034")
@pytest.mark.tc("TC-043")
def test_a_machine_that_is_gone_leaves_its_rows_with_their_age_and_comes_back_as_it_was(
    place: Place, daemon: Daemon, far: Callable[..., RemoteMachine], near: RemoteMachine
) -> None:
    """Panes of one id on three servers are three panes."""
    one, two = far("vm1"), far("vm2")
    everybody = {"host": near.start_agent(), "vm1": one.start_agent(), "vm2": two.start_agent()}
    one.add()
    two.add()
    assert len({agent.pane for agent in everybody.values()}) == 1
    pane = near.agent.pane if near.agent else ""
    assert len({daemon.wait_agent(pane, name)["runtime_id"] for name in everybody}) == 3
    one.asks()
    two.says("busy")
    before = daemon.wait_for(pane, "waiting_approval", "vm1")
    daemon.wait_for(pane, "running", "vm2")

    one.sshd.kill()
    gone = daemon.wait_for(pane, "unknown", "vm1")
    assert gone["reason_code"] == "target_unreachable"
    assert (gone["last_known"]["state"], gone["attention"]) == ("waiting_approval", "needs_action")
    assert gone["last_seen_at"] < gone["updated_at"]  # as old as the last good reading, not as the news of its end
    for listing in (
        ["ls"],
        ["list", "windows"],
        ["list", "sessions"],
        ["list", "sessions", "--group-by", "session-name"],
    ):
        body = place.json(*listing)
        assert body["partial"], listing
        assert body["requested_targets"] == ["host", "vm1", "vm2"]
        assert body["responded_targets"] == ["host", "vm2"]
        (error,) = body["target_errors"]
        assert (error["target"], error["code"]) == ("vm1", "E_TARGET_UNREACHABLE")
        assert error["reason"] in ("lost", "refused")
        assert error["last_seen_at"]
    assert {row["identity"]["target"] for row in place.json("ls")["items"]} == set(everybody)
    assert not place.json("ls", "--target", "vm2")["partial"]
    assert daemon.pane(pane, "vm2")["state"] == "running"  # type: ignore[index]

    one.sshd.start()
    after = daemon.wait_for(pane, "waiting_approval", "vm1")
    assert (after["resumed"], after["since"], after["runtime_id"]) == (True, before["since"], before["runtime_id"])
    assert after["attention_since"] == before["attention_since"]
    becomes(daemon, "vm1", "ok")
    assert not place.json("ls")["partial"]


@pytest.mark.tc("TC-034")
def test_a_frozen_machine_holds_up_nobody(
    place: Place, daemon: Daemon, far: Callable[..., RemoteMachine], near: RemoteMachine
) -> None:
    one, two = far("vm1"), far("vm2")
    pane = near.start_agent().pane
    for vm in (one, two):
        vm.start_agent()
        vm.add()
        daemon.wait_agent(pane, vm.name)
    one.sshd.freeze()
    assert becomes(daemon, "vm1", "down")["reason"] == "timeout"
    for turn in range(3):
        for vm in (near, two):
            vm.says("busy") if turn % 2 == 0 else vm.asks()
            daemon.wait_for(pane, "running" if turn % 2 == 0 else "waiting_approval", vm.name)
    assert health(daemon, "vm1")["health"] == "down"
    assert {health(daemon, name)["health"] for name in ("host", "vm2")} == {"ok"}
    one.sshd.thaw()
    becomes(daemon, "vm1", "ok")


@pytest.fixture
def wire() -> Iterator[Wire]:
    try:
        made = Wire()
    except WireError as error:
        pytest.skip(str(error))
    yield made
    made.close()


@pytest.mark.tc("TC-023")
@pytest.mark.tc("TC-034")
@pytest.mark.tc("TC-043")
def test_a_network_that_is_cut_tells_nobody_and_is_noticed_all_the_same(
    place: Place, daemon: Daemon, far: Callable[..., RemoteMachine], near: RemoteMachine, wire: Wire
) -> None:
    """Nothing is refused and nothing hangs up: packets are lost, in the midst of rounds."""
    one, two = far("vm1", wire=wire), far("vm2")
    pane = near.start_agent().pane
    for vm in (one, two):
        vm.start_agent()
        vm.add()
        daemon.wait_agent(pane, vm.name)
    one.asks()
    before = daemon.wait_for(pane, "waiting_approval", "vm1")

    wire.cut()
    one.says("busy")  # seen by nobody while the wire is cut
    assert becomes(daemon, "vm1", "down")["reason"] in ("timeout", "refused")  # as soon as there is no route
    gone = daemon.wait_for(pane, "unknown", "vm1")
    assert (gone["reason_code"], gone["last_known"]["state"]) == ("target_unreachable", "waiting_approval")
    assert gone["last_seen_at"] == health(daemon, "vm1")["last_seen_at"] < gone["updated_at"]
    for vm in (near, two):
        vm.asks()
        daemon.wait_for(pane, "waiting_approval", vm.name)
    body = place.json("ls")
    assert (body["partial"], body["responded_targets"]) == (True, ["host", "vm2"])
    assert [(e["target"], e["code"]) for e in body["target_errors"]] == [("vm1", "E_TARGET_UNREACHABLE")]

    wire.mend()
    after = daemon.wait_for(pane, "running", "vm1")
    assert (after["runtime_id"], after["last_known"]) == (before["runtime_id"], None)
    becomes(daemon, "vm1", "ok")
    assert not place.json("ls")["partial"]


@pytest.mark.tc("TC-034")
def test_a_machine_that_flaps_slows_no_other_and_is_the_same_after_it(
    place: Place, daemon: Daemon, far: Callable[..., RemoteMachine], near: RemoteMachine
) -> None:
    one = far("vm1")
    pane = near.start_agent().pane
    one.start_agent()
    one.add()
    one.says("busy")
    before = daemon.wait_for(pane, "running", "vm1")
    enough = threading.Event()
    failures: list[Exception] = []

    def flap() -> None:
        try:
            while not enough.wait(0.3):
                one.sshd.kill()
                enough.wait(0.3)
                one.sshd.start()
        except Exception as error:  # noqa: BLE001 told below
            failures.append(error)

    thread = threading.Thread(target=flap)
    thread.start()
    try:
        for turn in range(6):
            near.says("busy") if turn % 2 == 0 else near.asks()
            daemon.wait_for(pane, "running" if turn % 2 == 0 else "waiting_approval")
        until(lambda: health(daemon, "vm1")["reason"], within=PATIENCE, what="it was seen to fail")
    finally:
        enough.set()
        thread.join(PATIENCE)
    assert failures == []
    becomes(daemon, "vm1", "ok")
    after = daemon.wait_for(pane, "running", "vm1")
    assert (after["runtime_id"], after["pane_epoch"]) == (before["runtime_id"], before["pane_epoch"])
    assert health(daemon, "host")["health"] == "ok"


@pytest.mark.tc("TC-041")
def test_tmux_may_be_missing_and_started_and_restarted_there(
    place: Place, daemon: Daemon, far: Callable[..., RemoteMachine]
) -> None:
    """A rebooted machine is a new tmux server: what ran on the old one has ended."""
    vm = far("vm1")
    vm.add()
    until(lambda: health(daemon, "vm1")["last_seen_at"], within=PATIENCE, what="read, and empty")
    assert (becomes(daemon, "vm1", "ok")["panes"], place.json("ls")["partial"]) == (0, False)
    pane = vm.start_agent().pane
    first = daemon.wait_agent(pane, "vm1")
    vm.tmux.stop()
    until(lambda: daemon.pane(pane, "vm1") is None, within=PATIENCE, what="its panes are gone")
    assert vm.start_agent().pane == pane
    second = daemon.wait_agent(pane, "vm1")
    assert second["runtime_id"] != first["runtime_id"]
    assert second["pane_epoch"] > first["pane_epoch"]
    assert health(daemon, "vm1")["health"] == "ok"


@pytest.mark.tc("TC-008")
def test_a_hook_of_this_machine_is_never_taken_for_one_of_a_server_elsewhere(
    place: Place, daemon: Daemon, far: Callable[..., RemoteMachine], near: RemoteMachine, short_dir: Path
) -> None:
    """A server on another machine may have the same socket path and the same pid. Here it is the same server, on a
    machine that does not tell that it is this one."""
    agent = near.start_agent()
    daemon.wait_agent(agent.pane)
    silent = short_dir / "silent" / "readlink"
    silent.parent.mkdir()
    silent.write_text("#!/bin/sh\nexit 1\n")
    silent.chmod(0o700)
    vm = far("vm1", env={"PATH": f"{silent.parent}:/usr/local/bin:/usr/bin:/bin"})
    vm.tmux = near.tmux
    vm.add()
    daemon.wait_agent(agent.pane, "vm1")
    agent.ask()
    assert daemon.wait_for(agent.pane, "waiting_approval")["waiting_for"]["subject"] == "Bash"
    rows = {name: place.json("events", f"pane:{name}/main/@0/{agent.pane}")["items"] for name in ("host", "vm1")}
    assert [event["source"] for event in rows["vm1"] if event["source"] == "hook"] == []
    assert [event["source"] for event in rows["host"] if event["source"] == "hook"] != []


@pytest.mark.tc("TC-014")
def test_targets_are_there_again_after_a_restart_of_the_daemon(
    place: Place, daemon: Daemon, far: Callable[..., RemoteMachine]
) -> None:
    vm = far("vm1")
    vm.start_agent()
    vm.add()
    vm.asks()
    assert vm.agent is not None
    before = daemon.wait_for(vm.agent.pane, "waiting_approval", "vm1")
    assert daemon.stop() == 0
    daemon.start()
    until(lambda: health(daemon, "vm1")["read"], within=PATIENCE, what="it is read again")
    after = daemon.wait_for(vm.agent.pane, "waiting_approval", "vm1")
    assert (after["runtime_id"], after["since"]) == (before["runtime_id"], before["since"])


@pytest.mark.tc("TC-111")
def test_who_has_no_ssh_target_does_not_load_ssh() -> None:
    result = (
        "import sys, agtmuxd.daemon; print(*[m for m in sys.modules if m.startswith(('asyncssh', 'cryptography'))])"
    )
    done = subprocess.run([sys.executable, "-c", result], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout.split() == []
