"""How a daemon comes, goes, and refuses to come."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agtmux.client import Client
from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Place
from tests.conftest import until


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
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_and_takes_the_socket_away(
    place: Place, daemon: Daemon, number: signal.Signals
) -> None:
    daemon.start()
    assert daemon.send(number) == 0
    assert not place.socket.exists()
    assert "Traceback" not in daemon.said()


@pytest.mark.tc("TC-115")
def test_reload_takes_a_good_configuration_and_keeps_the_old_one_before_a_bad_one(place: Place, daemon: Daemon) -> None:
    good = place.config.read_text()
    daemon.start()
    place.config.write_text("autostart = false\n" + good)
    assert place.cli("daemon", "reload").returncode == 0
    assert place.json("daemon", "config")["config"]["autostart"] is False
    place.config.write_text("autostart = false\nnot_a_key = 1\n" + good)
    refused = place.cli("daemon", "reload")
    assert refused.returncode == 2
    assert f"{place.config}, line 2: not_a_key: unknown setting" in refused.stderr
    assert place.json("daemon", "config")["config"]["autostart"] is False
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: any("not_a_key" in error for error in daemon.health()["last_errors"]), within=PATIENCE)


@pytest.mark.tc("TC-115")
@pytest.mark.parametrize("cleared_by", ["command", "signal"])
@pytest.mark.parametrize("told_by", ["command", "signal"])
def test_a_configuration_that_was_not_taken_is_told_in_health_until_it_is_right(
    place: Place, daemon: Daemon, told_by: str, cleared_by: str
) -> None:
    good = place.config.read_text()
    daemon.start()

    def reload(how: str) -> None:
        assert daemon.process is not None
        if how == "command":
            place.cli("daemon", "reload")
        else:
            daemon.process.send_signal(signal.SIGHUP)

    def output() -> list[str]:
        return [error for error in daemon.health()["last_errors"] if "configuration not loaded" in error]

    place.config.write_text("not_a_key = 1\n" + good)
    reload(told_by)
    assert "line 1: not_a_key" in until(output, within=PATIENCE)[0]
    reload(told_by)
    place.config.write_text("also_wrong = 1\n" + good)
    reload(told_by)
    until(lambda: "also_wrong" in output()[0], within=PATIENCE)
    assert len(output()) == 1
    place.config.write_text(good)
    reload(cleared_by)
    until(lambda: not output(), within=PATIENCE)


@pytest.mark.tc("TC-115")
def test_a_signal_during_the_start_leaves_nothing_behind(place: Place, daemon: Daemon) -> None:
    process = daemon.launch()
    until(place.socket.exists, within=PATIENCE)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert not place.socket.exists()


@pytest.mark.tc("TC-116")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[observe]\nactive_interval = 0.25\nquiet = 3\n", "line 3: observe.quiet: unknown setting"),
        ("autostart = true\nlog_level = 'loud'\n", "line 2: log_level: "),
        ("[retention]\nevents = 14\npayloads = -1\n", "line 3: retention.payloads: "),
        ("[redaction]\npatterns = ['(']\n", "line 2: redaction.patterns: "),
        ("[adapters.claude]\nenabled = 'perhaps'\n", "line 2: adapters.claude.enabled: "),
        ("[host]\ntmux_socket = \n", "line 2"),
    ],
)
def test_a_wrong_setting_is_told_with_its_name_and_line(place: Place, daemon: Daemon, text: str, expected: str) -> None:
    place.config.write_text(text)
    assert daemon.launch().wait(PATIENCE) == 1
    assert str(place.config) in daemon.said()
    assert expected in daemon.said()
    assert "(E_INVALID_REQUEST)" in daemon.said()


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


@pytest.fixture
def started(place: Place) -> Iterator[None]:
    """Ends the daemon that a command started in the background."""
    yield
    done = place.cli("daemon", "stop")
    assert done.returncode == 0, done.stderr


@pytest.mark.tc("TC-115")
@pytest.mark.usefixtures("started")
def test_a_command_starts_the_daemon_and_says_so_once(place: Place) -> None:
    first = place.cli("ls", "--json", env={"AGTMUX_NO_AUTOSTART": "0"})
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["items"] == []
    assert first.stderr.count("no daemon was running: started one") == 1
    second = place.cli("ls", "--json", env={"AGTMUX_NO_AUTOSTART": "0"})
    assert (second.returncode, second.stderr) == (0, "")


@pytest.mark.tc("TC-115")
@pytest.mark.usefixtures("started")
def test_the_daemon_is_managed_by_the_command_line(place: Place) -> None:
    assert place.cli("daemon", "status").returncode == 3
    assert place.cli("daemon", "start").stdout.startswith("started (pid ")
    pid = place.json("daemon", "status")["pid"]
    assert place.cli("daemon", "start").stdout == f"already running (pid {pid})\n"
    again = place.cli("daemon", "restart")
    assert again.returncode == 0, again.stderr
    assert place.json("daemon", "status")["pid"] != pid
    logged = place.cli("daemon", "logs", "-n", "5")
    assert "ready" in logged.stdout


@pytest.mark.tc("TC-115")
def test_a_stop_does_not_wait_for_somebody_to_collect_the_daemon(place: Place, daemon: Daemon) -> None:
    daemon.start()  # our child: ended, it is a zombie until we look
    done = place.cli("daemon", "stop")
    assert (done.returncode, done.stderr) == (0, "")
    assert daemon.process is not None
    assert daemon.process.wait(PATIENCE) == 0


@pytest.mark.tc("TC-115")
@pytest.mark.parametrize("how", ["flag", "variable", "config"])
def test_autostart_can_be_turned_off_and_the_error_says_what_to_type(place: Place, how: str) -> None:
    place.config.write_text(("autostart = false\n" if how == "config" else "") + place.config.read_text())
    done = place.cli(
        "ls", "--json", *(["--no-autostart"] if how == "flag" else []),
        env={"AGTMUX_NO_AUTOSTART": "1" if how == "variable" else "0"},
    )  # fmt: skip
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "E_DAEMON_UNREACHABLE"
    assert "run agtmux daemon start" in done.stderr
    assert not place.socket.exists()


@pytest.mark.tc("TC-115")
def test_a_hook_without_the_runtime_directory_finds_the_daemon_by_its_pointer(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    tmux = agent().tmux
    tmux.env = {name: value for name, value in tmux.env.items() if name != "AGTMUX_RUNTIME_DIR"}
    one = agent().start()
    daemon.wait_agent(one.pane)
    one.hook("UserPromptSubmit", prompt="hello")
    daemon.wait_for(one.pane, "running")
    assert not (place.state / "spool.jsonl").exists()


@pytest.mark.tc("TC-115")
def test_a_corrupt_database_is_set_aside_and_a_fresh_one_started(place: Place, daemon: Daemon) -> None:
    daemon.start().stop()
    (place.state / "agtmux.db").write_bytes(b"this is no database, however long one looks at it" * 100)
    daemon.start()
    kept = list(place.state.glob("agtmux.db.corrupt-*"))
    assert len(kept) == 1
    assert any(str(kept[0]) in error for error in daemon.health()["last_errors"])


@pytest.mark.tc("TC-001")
def test_a_newer_database_is_refused_and_not_touched(place: Place, daemon: Daemon) -> None:
    import sqlite3

    daemon.start().stop()
    path = place.state / "agtmux.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA user_version = 4711")
    connection.close()
    before = path.read_bytes()
    assert daemon.launch().wait(PATIENCE) == 1
    assert "schema 4711" in daemon.said()
    assert path.read_bytes() == before
