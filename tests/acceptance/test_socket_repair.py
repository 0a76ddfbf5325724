"""A daemon stays where its clients look for it, whatever becomes of its runtime folder; and it can be stopped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agtmux.client import Client
from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Place
from tests.conftest import until


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock on this file. Asked of the kernel, so that nobody is disturbed."""
    if not path.exists():
        return False
    mark = f":{path.stat().st_ino} "
    return any(mark in line for line in Path("/proc/locks").read_text().splitlines())


def answers_at(place: Place, spare: Path) -> None:
    """Wait until the daemon answers at the spare socket: it is bound some moments before."""
    until(spare.is_socket, within=PATIENCE)
    until(lambda: place.cli("daemon", "status").returncode == 0, within=PATIENCE, what="it answers at the spare socket")


@pytest.mark.tc("TC-200")
def test_a_daemon_whose_runtime_folder_was_emptied_is_reached_again(place: Place, daemon: Daemon) -> None:
    daemon.start()
    pid = daemon.health()["pid"]
    for one in place.runtime.iterdir():
        one.unlink()
    until(daemon.answers, within=PATIENCE)
    assert daemon.health()["pid"] == pid
    assert daemon.health()["last_errors"] == []
    assert mode(place.socket) == 0o600
    until(lambda: is_locked(place.runtime / "agtmuxd.lock"), within=PATIENCE)
    assert daemon.stop() == 0
    assert not place.socket.exists()


@pytest.mark.tc("TC-200")
def test_a_runtime_folder_that_was_removed_is_made_again_for_its_owner_only(place: Place, daemon: Daemon) -> None:
    place.runtime = place.root / "login" / "agtmux"
    place.socket = place.runtime / "agtmuxd.sock"
    place.env["AGTMUX_RUNTIME_DIR"] = str(place.runtime)
    daemon.client = Client([str(place.socket)], timeout=PATIENCE)
    daemon.start()
    shutil.rmtree(place.root / "login")
    until(daemon.answers, within=PATIENCE)
    assert [oct(mode(p)) for p in (place.root / "login", place.runtime, place.socket)] == ["0o700", "0o700", "0o600"]


@pytest.mark.tc("TC-200")
def test_while_the_runtime_folder_cannot_be_made_the_daemon_is_found_in_the_state_folder(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    shutil.rmtree(place.runtime)
    place.runtime.write_text("no folder can be made here")
    spare = place.state / "agtmuxd.spare.sock"
    answers_at(place, spare)
    status = place.json("daemon", "status")
    assert status["socket"] == str(spare)
    assert status["status"] == "degraded"
    assert any(f"{place.runtime} cannot be made" in error for error in status["last_errors"])
    assert place.runtime.read_text() == "no folder can be made here"
    one.hook("UserPromptSubmit", prompt="hello")
    until(lambda: place.json("ls")["items"][0]["state"] == "running", within=PATIENCE)
    assert not (place.state / "spool.jsonl").exists()
    place.runtime.unlink()
    until(daemon.answers, within=PATIENCE)
    until(lambda: daemon.health()["last_errors"] == [], within=PATIENCE)
    assert daemon.health()["socket"] == str(place.socket)
    assert not spare.exists()


@pytest.mark.tc("TC-200")
@pytest.mark.parametrize("what", ["file", "pipe", "folder", "link"])
def test_what_took_the_place_of_the_socket_is_left_alone_and_told(place: Place, daemon: Daemon, what: str) -> None:
    daemon.start()
    place.socket.unlink()
    match what:
        case "file":
            place.socket.write_text("mine")
        case "pipe":
            os.mkfifo(place.socket)
        case "folder":
            place.socket.mkdir()
        case "link":
            place.socket.symlink_to(place.root / "elsewhere")
    kind = stat.S_IFMT(place.socket.lstat().st_mode)
    answers_at(place, place.state / "agtmuxd.spare.sock")
    body = until(lambda: place.json("daemon", "status")["last_errors"], within=PATIENCE)
    assert any(f"{place.socket} exists and is not a socket: move it away" in error for error in body)
    assert stat.S_IFMT(place.socket.lstat().st_mode) == kind
    assert not (place.root / "elsewhere").exists()
    place.socket.rename(place.root / "moved")
    until(daemon.answers, within=PATIENCE)


@pytest.mark.tc("TC-200")
def test_a_socket_of_somebody_else_at_the_usual_path_is_replaced(place: Place, daemon: Daemon) -> None:
    daemon.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(place.root / "other"))
        other.listen()
        (place.root / "other").replace(place.socket)
        mark = place.socket.stat().st_ino
        until(lambda: place.socket.exists() and place.socket.stat().st_ino != mark, within=PATIENCE)
        assert daemon.health()["status"] == "ok"


@pytest.mark.tc("TC-200")
def test_nothing_is_put_where_a_link_in_place_of_the_folder_leads(place: Place, daemon: Daemon) -> None:
    daemon.start()
    place.runtime.rename(place.root / "old")
    elsewhere = place.root / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    place.runtime.symlink_to(elsewhere)
    answers_at(place, place.state / "agtmuxd.spare.sock")
    body = until(lambda: place.json("daemon", "status")["last_errors"], within=PATIENCE)
    assert any(f"{place.runtime} leads to {elsewhere}" in error for error in body)
    assert not (elsewhere / "agtmuxd.sock").exists()


@pytest.mark.tc("TC-200")
def test_a_deleted_lock_is_taken_again_and_a_second_daemon_still_refused(place: Place, daemon: Daemon) -> None:
    daemon.start()
    assert daemon.process is not None
    locks = [place.runtime / "agtmuxd.lock", place.state / "agtmux.db.lock"]
    for lock in locks:
        lock.unlink()
    until(lambda: all(is_locked(lock) for lock in locks), within=PATIENCE)
    for other in ("AGTMUX_STATE_DIR", "AGTMUX_RUNTIME_DIR"):
        done = subprocess.run(
            [str(PROGRAMS / "agtmuxd")], env={**place.env, other: str(place.root / "other")}, capture_output=True,
            text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert f"pid {daemon.process.pid}" in done.stderr
    assert daemon.health()["pid"] == daemon.process.pid


@pytest.mark.tc("TC-200")
def test_a_daemon_whose_folder_another_one_took_ends_and_leaves_that_one_alone(place: Place, daemon: Daemon) -> None:
    daemon.start()
    first = daemon.process
    assert first is not None
    first.send_signal(signal.SIGSTOP)
    shutil.rmtree(place.runtime)
    second = Daemon(place)
    place.env["AGTMUX_STATE_DIR"] = str(place.root / "other")
    try:
        second.start()
        first.send_signal(signal.SIGCONT)
        assert first.wait(PATIENCE) == 1
        assert second.process is not None
        assert f"the daemon with pid {second.process.pid} holds {place.runtime / 'agtmuxd.lock'} now" in daemon.said()
        assert second.health()["pid"] == second.process.pid
        assert second.stop() == 0
    finally:
        second.close()


@pytest.mark.tc("TC-200")
def test_the_file_of_a_socket_from_systemd_is_put_back_too(place: Place, daemon: Daemon) -> None:
    place.runtime.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
        opened.bind(str(place.socket))
        opened.listen()
        code = (
            "import os, sys\n"
            "os.dup2(int(sys.argv[1]), 3)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
            "os.execv(sys.argv[2], sys.argv[2:])\n"
        )
        argv = [sys.executable, "-c", code, str(opened.fileno()), str(PROGRAMS / "agtmuxd")]
        process = daemon.launch(argv, pass_fds=[opened.fileno()])
        assert daemon.health()["pid"] == process.pid
        shutil.rmtree(place.runtime)
        until(daemon.answers, within=PATIENCE)
        assert daemon.health()["pid"] == process.pid
        assert daemon.stop() == 0
    assert not place.socket.exists()


@pytest.mark.tc("TC-200")
def test_a_daemon_starts_in_a_tmux_whose_login_has_ended(place: Place, daemon: Daemon) -> None:
    del place.env["AGTMUX_RUNTIME_DIR"]
    place.env["XDG_RUNTIME_DIR"] = "/proc/agtmux-login-that-ended"  # nobody can make a folder there
    daemon.launch()
    answers_at(place, place.state / "agtmuxd.spare.sock")
    status = place.json("daemon", "status")
    assert status["socket"] == str(place.state / "agtmuxd.spare.sock")
    assert place.cli("daemon", "stop").returncode == 0
    assert not (place.state / "agtmuxd.spare.sock").exists()


@pytest.mark.tc("TC-200")
def test_stop_ends_a_daemon_that_nobody_can_reach(place: Place, daemon: Daemon) -> None:
    daemon.start()
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)  # so that it does not put back what is taken away here
    shutil.rmtree(place.runtime)
    (place.state / "socket-path").unlink()
    output = place.cli("daemon", "status")
    assert output.returncode == 3
    assert f"the daemon (pid {daemon.process.pid}) runs but does not listen at {place.socket}" in output.stderr
    done = place.cli("daemon", "stop")
    assert (done.returncode, done.stdout) == (0, f"stopped (pid {daemon.process.pid})\n"), done.stderr
    assert daemon.process.wait(PATIENCE) == 0


@pytest.mark.tc("TC-200")
def test_stop_signals_no_process_for_its_number_in_a_file(place: Place) -> None:
    for folder in (place.runtime, place.state):
        folder.mkdir(mode=0o700)
    locks = [place.runtime / "agtmuxd.lock", place.state / "agtmux.db.lock"]
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        for lock in locks:
            lock.write_text(f"{bystander.pid}\n")
        done = place.cli("daemon", "stop")
        assert (done.returncode, done.stdout) == (0, "not running\n")
        for text in ("-1\n", "0\n", "1\n", "99999999999999999999\n", "\0\0", ""):
            for lock in locks:
                lock.write_text(text)
            assert place.cli("daemon", "stop").stdout == "not running\n"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.tc("TC-200")
def test_stop_by_another_socket_leaves_the_usual_daemon_alone(place: Place, daemon: Daemon) -> None:
    daemon.start()
    done = place.cli("daemon", "stop", env={"AGTMUX_SOCKET": str(place.root / "none.sock")})
    assert (done.returncode, done.stdout) == (0, "not running\n")
    assert daemon.health()["status"] == "ok"
