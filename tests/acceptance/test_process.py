"""The folders, locks and the socket of one daemon."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from agtmux.client import Client
from tests.acceptance.stage import PATIENCE, PROGRAMS, Daemon, Place


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.tc("TC-110")
def test_everything_it_makes_is_for_its_owner_only(place: Place, daemon: Daemon) -> None:
    before = os.umask(0)
    try:
        daemon.start()
    finally:
        os.umask(before)
    assert mode(place.runtime) == 0o700
    assert mode(place.state) == 0o700
    files = [path for folder in (place.runtime, place.state) for path in folder.iterdir()]
    assert {path.name for path in files} >= {"agtmuxd.sock", "agtmuxd.lock", "agtmux.db", "socket-path"}
    assert {path.name: oct(mode(path)) for path in files} == {path.name: "0o600" for path in files}


@pytest.mark.tc("TC-110")
@pytest.mark.parametrize("which", ["runtime", "state"])
def test_a_directory_that_others_may_write_to_is_refused(place: Place, daemon: Daemon, which: str) -> None:
    folder = getattr(place, which)
    folder.mkdir()
    folder.chmod(0o777)
    assert daemon.launch().wait(PATIENCE) == 1
    assert f"{folder} is writable by others: run chmod 700 {folder} (E_FORBIDDEN)" in daemon.said()


@pytest.mark.tc("TC-110")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(place: Place, daemon: Daemon) -> None:
    place.state.mkdir(mode=0o700)
    os.chown(place.state, 65534, -1)
    assert daemon.launch().wait(PATIENCE) == 1
    assert f"{place.state} belongs to uid 65534" in daemon.said()


@pytest.mark.tc("TC-115")
@pytest.mark.parametrize("shared", ["runtime", "state"])
def test_a_second_daemon_exits_with_1_and_names_the_first(place: Place, daemon: Daemon, shared: str) -> None:
    daemon.start()
    assert daemon.process is not None
    other = {"runtime": "AGTMUX_STATE_DIR", "state": "AGTMUX_RUNTIME_DIR"}[shared]
    done = subprocess.run(
        [str(PROGRAMS / "agtmuxd")], env={**place.env, other: str(place.root / "other")}, capture_output=True,
        text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"pid {daemon.process.pid}" in done.stderr
    assert daemon.health()["pid"] == daemon.process.pid


@pytest.mark.tc("TC-115")
def test_the_socket_of_a_crashed_daemon_is_replaced(place: Place, daemon: Daemon) -> None:
    daemon.start().kill9()
    assert place.socket.is_socket()
    assert not daemon.answers()
    daemon.start()
    assert daemon.health()["status"] == "ok"


@pytest.mark.tc("TC-115")
@pytest.mark.parametrize("usual", [True, False])
def test_a_socket_that_systemd_opened_is_served_and_left_in_place(place: Place, daemon: Daemon, usual: bool) -> None:
    place.runtime.mkdir(mode=0o700)
    path = place.socket if usual else place.root / "elsewhere"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
        opened.bind(str(path))
        opened.listen()
        code = (
            "import os, sys\n"
            "os.dup2(int(sys.argv[1]), 3)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
            "os.execv(sys.argv[2], sys.argv[2:])\n"
        )
        argv = [sys.executable, "-c", code, str(opened.fileno()), str(PROGRAMS / "agtmuxd")]
        process = daemon.launch(argv, pass_fds=[opened.fileno()])
        asked = Client([str(path)], timeout=PATIENCE).health()  # it waits in systemd's queue until the daemon is up
        assert asked.json()["pid"] == process.pid
        assert place.json("daemon", "status")["socket"] == str(path)
        assert daemon.stop() == 0
    assert path.is_socket()
