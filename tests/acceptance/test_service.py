"""The daemon as a service of a real systemd user manager: it is installed, started, stopped, restarted and removed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Place
from tests.acceptance.user_manager import UserManager, why_not
from tests.conftest import Tmux, until

NO_MANAGER = why_not()
needs_manager = pytest.mark.skipif(NO_MANAGER is not None, reason=NO_MANAGER or "")


@pytest.fixture
def service_place(short_dir: Path, tmux: Tmux) -> Place:
    """A place whose folders are the usual ones below its own home and runtime folders: a service knows no variables."""
    place = Place(short_dir)
    place.runtime, place.state = short_dir / "x" / "agtmux", place.home / ".local/state/agtmux"
    place.socket = place.runtime / "agtmuxd.sock"
    place.config = place.home / ".config/agtmux/config.toml"
    place.config.parent.mkdir(parents=True)
    for name in ("AGTMUX_RUNTIME_DIR", "AGTMUX_STATE_DIR", "AGTMUX_CONFIG", "TMUX_TMPDIR"):
        place.env.pop(name, None)
    place.env["XDG_RUNTIME_DIR"] = str(short_dir / "x")
    tmux.env = dict(place.env)
    place.configure(tmux)
    return place


@pytest.fixture
def manager(service_place: Place) -> Iterator[UserManager]:
    made = UserManager(service_place.home, service_place.root / "x")
    yield made
    service_place.cli("daemon", "uninstall")
    made.close()


def ok(place: Place, *words: str, **env: str) -> str:
    done = place.cli(*words, env=env)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def pid_of(place: Place) -> int:
    return int(place.json("daemon", "status")["pid"])


@needs_manager
@pytest.mark.tc("TC-531")
def test_it_is_installed_once_and_removed_without_a_trace(service_place: Place, manager: UserManager) -> None:
    place = service_place
    units = place.home / ".config/systemd/user"
    assert "RemoveOnStop=no" in ok(place, "daemon", "install", "--dry-run")
    assert not units.exists(), "a dry run writes nothing"
    said = ok(place, "daemon", "install")
    assert f"wrote {units}/agtmuxd.service" in said
    pid = pid_of(place)
    assert f"started by systemd (pid {pid})" in said
    assert manager.show("agtmuxd.service", "MainPID") == str(pid)
    assert place.json("daemon", "status")["environment"]["service"] == "systemd"
    assert "service   systemd: enabled, active" in ok(place, "daemon", "status")
    assert manager.show("agtmuxd.socket", "UnitFileState") == "enabled"

    assert ok(place, "daemon", "install").startswith("nothing to change: systemd: enabled, active")
    assert pid_of(place) == pid, "the daemon was left alone"
    own = units / "agtmuxd.service.d" / "mine.conf"
    own.parent.mkdir()
    own.write_text("[Service]\nEnvironment=MINE=1\n")
    removed = ok(place, "daemon", "uninstall")
    assert f"removed {units}/agtmuxd.service" in removed
    assert f"kept {own.parent}" in removed
    assert sorted(path.name for path in units.rglob("*") if path.is_file() or path.is_symlink()) == ["mine.conf"]
    assert ok(place, "daemon", "uninstall") == "not installed\n"
    assert manager.try_systemctl("is-active", "agtmuxd.socket").stdout.strip() == "inactive"


@needs_manager
@pytest.mark.tc("TC-531")
def test_stop_keeps_it_stopped_and_start_restart_and_autostart_go_through_systemd(
    service_place: Place, manager: UserManager
) -> None:
    """With the socket left open, the next command or hook would start the daemon that you just stopped."""
    place = service_place
    ok(place, "daemon", "install")
    pid = pid_of(place)
    assert ok(place, "daemon", "start") == f"already running (pid {pid})\n"
    assert ok(place, "daemon", "stop") == f"stopped (pid {pid})\n"
    assert place.cli("ls").returncode == 3, "nothing starts it by the way"
    assert place.cli("daemon", "status").returncode == 3
    assert ok(place, "daemon", "stop") == "not running\n"
    assert ok(place, "daemon", "start").startswith("started by systemd (pid ")
    again = ok(place, "daemon", "restart")
    assert again == f"restarted by systemd (pid {pid_of(place)})\n"
    ok(place, "daemon", "stop")
    done = place.cli("ls", env={"AGTMUX_NO_AUTOSTART": "0"})
    assert "systemd started it" in done.stderr
    assert manager.show("agtmuxd.service", "MainPID") == str(pid_of(place))


@needs_manager
@pytest.mark.tc("TC-531")
def test_its_log_is_read_from_the_journal(service_place: Place, manager: UserManager) -> None:
    """No journal can be had in the namespaces of this test: a stand-in says how it was asked."""
    place = service_place
    ok(place, "daemon", "install")
    bin_folder = place.root / "bin"
    bin_folder.mkdir()
    (bin_folder / "journalctl").write_text('#!/bin/sh\necho "$@"\nprintf "a\\033]0;b\\n"\n')
    (bin_folder / "journalctl").chmod(0o755)
    said = ok(place, "daemon", "logs", "-n", "7", PATH=f"{bin_folder}:{place.env['PATH']}")
    assert said == "--user -u agtmuxd.service -n 7 -o cat --no-pager -q\na]0;b\n"


@needs_manager
@pytest.mark.tc("TC-531")
def test_a_connection_starts_it_and_looking_at_its_status_does_not(service_place: Place, manager: UserManager) -> None:
    """systemd listens at the socket. Status and doctor say so and start nothing; ls does."""
    place = service_place
    ok(place, "daemon", "install")
    manager.systemctl("stop", "agtmuxd.service")
    assert place.socket.is_socket()
    status = place.cli("daemon", "status")
    assert status.returncode == 3
    assert "waits for the first command" in status.stderr
    report = json.loads(place.cli("doctor", "--json").stdout)
    assert report["checks"][0]["findings"][0]["code"] == "waits"
    assert manager.show("agtmuxd.service", "ActiveState") == "inactive"
    ok(place, "ls")
    assert manager.show("agtmuxd.service", "ActiveState") == "active"


@needs_manager
@pytest.mark.tc("TC-532")
def test_a_tmux_server_and_its_agents_outlive_every_end_of_the_service(
    service_place: Place, manager: UserManager, tmux: Tmux
) -> None:
    """Even a server that lies in the service's own cgroup, as one would that a helper of it had started."""
    place = service_place
    ok(place, "daemon", "install")
    agent = Actor(tmux, place).start()
    server = int(tmux.run("display-message", "-p", "#{pid}"))
    procs = manager.cgroup_of("agtmuxd.service") / "cgroup.procs"
    for pid in (server, agent.pid):
        procs.write_text(str(pid))
    for end in ("restart", "stop", "start", "kill", "uninstall"):
        if end == "kill":
            os.kill(pid_of(place), signal.SIGKILL)
            until(lambda: place.cli("daemon", "status").returncode == 0, within=PATIENCE, what="systemd restarts it")
        else:
            ok(place, "daemon", end)
        assert int(tmux.run("display-message", "-p", "#{pid}")) == server, end
        assert agent.tell(settle=True) is not None, end
    tmux.stop()


@pytest.mark.tc("TC-532")
def test_the_daemon_never_starts_a_tmux_server(service_place: Place, tmux: Tmux) -> None:
    """A server that it started would end with its service, and all agents with it."""
    place = service_place
    place.root.joinpath("x").mkdir(mode=0o700)
    try:
        ok(place, "daemon", "start")
        ok(place, "target", "add", "two", "--kind", "local", "--tmux-socket", str(place.root / "two"))
        place.cli("target", "connect", "two")
        place.cli("send", "%0", "--text", "x")
        rounds = place.json("daemon", "status")["counters"]["rounds_host"]
        until(lambda: place.json("daemon", "status")["counters"]["rounds_host"] > rounds + 2, within=PATIENCE)
        assert not tmux.socket.exists()
        assert not (place.root / "two").exists()
    finally:
        place.cli("daemon", "stop")


@needs_manager
@pytest.mark.tc("TC-531")
def test_a_daemon_that_a_command_started_gives_way_to_the_service(service_place: Place, manager: UserManager) -> None:
    place = service_place
    ok(place, "daemon", "start")
    pid = pid_of(place)
    done = place.cli("daemon", "install")
    assert done.returncode == 0, done.stderr
    assert f"stopped the daemon that a command had started (pid {pid})" in done.stderr
    assert manager.show("agtmuxd.service", "MainPID") == str(pid_of(place))


@needs_manager
@pytest.mark.tc("TC-531")
def test_a_unit_that_you_changed_is_never_overwritten_or_removed(service_place: Place, manager: UserManager) -> None:
    place = service_place
    ok(place, "daemon", "install")
    unit = place.home / ".config/systemd/user/agtmuxd.service"
    unit.write_text(unit.read_text() + "# mine\n")
    mine = unit.read_text()
    refused = place.cli("daemon", "install")
    assert refused.returncode == 5
    assert f"{unit} was changed by hand: move it away" in refused.stderr
    assert f"kept {unit}" in ok(place, "daemon", "uninstall")
    assert unit.read_text() == mine
    unit.unlink()
    manager.systemctl("daemon-reload")


@pytest.mark.tc("TC-531")
def test_the_socket_of_systemd_is_left_in_place_where_no_manager_can_be_had(service_place: Place) -> None:
    """A launcher passes a socket as systemd does: the daemon serves it, leaves it, and says that systemd started it."""
    place = service_place
    place.runtime.mkdir(mode=0o700, parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
        opened.bind(str(place.socket))
        opened.listen()
        code = (
            "import os, sys\nos.dup2(int(sys.argv[1]), 3)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\nos.execv(sys.argv[2], sys.argv[2:])\n"
        )
        process = subprocess.Popen(
            ["python3", "-c", code, str(opened.fileno()), str(PROGRAMS / "agtmuxd")], env=place.env,
            pass_fds=[opened.fileno()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert place.json("daemon", "status")["environment"]["service"] == "systemd"
        finally:
            process.terminate()
            process.wait(PATIENCE)
    assert place.socket.is_socket()
