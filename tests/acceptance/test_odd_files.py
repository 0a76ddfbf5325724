"""A pipe, a folder or a device where agtmux has a file: it is told in a line, and nobody waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, Agent, Daemon, Place
from tests.conftest import until

SAYS = "is not a regular file: move it away"

HOLDER = """
import fcntl, os, signal, sys
file = open(sys.argv[1], "ab")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


def put(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        path.unlink()
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
        case "huge":
            path.touch()
            os.truncate(path, 1 << 40)


@pytest.mark.tc("TC-201")
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "huge"])
def test_a_configuration_that_is_no_file_is_refused_at_the_start_and_at_a_reload(
    place: Place, daemon: Daemon, kind: str
) -> None:
    good = place.config.read_text()
    put(place.config, kind)
    assert daemon.launch().wait(PATIENCE) == 1
    wrong = f"{place.config} cannot be read: it is "
    assert wrong in daemon.said()
    listed = place.cli("ls", env={"AGTMUX_NO_AUTOSTART": "0"})
    assert (listed.returncode, listed.stderr.count("\n")) == (2, 1)
    place.config.rename(place.root / "odd")
    place.config.write_text(good)
    daemon.start()
    put(place.config, kind)
    assert wrong in place.cli("daemon", "reload").stderr
    assert any(wrong in error for error in daemon.health()["last_errors"])


@pytest.mark.tc("TC-201")
@pytest.mark.parametrize("kind", ["pipe", "folder"])
@pytest.mark.parametrize("name", ["agtmuxd.log", "agtmux.db", "agtmux.db.lock", "actions.key"])
def test_a_file_of_the_state_folder_that_is_none_is_told_at_the_start(place: Place, name: str, kind: str) -> None:
    put(place.state / name, kind)
    done = place.cli("daemon", "start")
    assert done.returncode == 3
    assert str(place.state / name) in done.stderr
    assert "it is not a regular file: move it away" in done.stderr
    assert place.cli("daemon", "status").returncode == 3


@pytest.mark.tc("TC-201")
def test_a_log_that_is_a_pipe_is_told_by_the_command_that_shows_it(place: Place) -> None:
    put(place.state / "agtmuxd.log", "pipe")
    done = place.cli("daemon", "logs")
    assert done.returncode == 2
    assert SAYS in done.stderr


@pytest.mark.tc("TC-201")
def test_the_last_lines_of_a_huge_log_are_shown_at_once(place: Place) -> None:
    log = place.state / "agtmuxd.log"
    put(log, "huge")
    with log.open("ab") as file:
        file.write("\n".join(f"line {n} é" for n in range(30_000)).encode() + b"\n")
    assert place.cli("daemon", "logs", "-n", "2").stdout == "line 29998 é\nline 29999 é\n"
    shown = place.cli("daemon", "logs", "-n", "20000").stdout.splitlines()
    assert (len(shown), shown[0], shown[-1]) == (20_000, "line 10000 é", "line 29999 é")
    assert place.cli("daemon", "logs", "-n", "0").stdout == ""


@pytest.mark.tc("TC-201")
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_neither_commands_nor_hooks_wait_for_a_pipe_in_place_of_the_sockets_name(
    place: Place, daemon: Daemon, agent: Callable[..., Agent], kind: str
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    put(place.state / "socket-path", kind)
    one.hook("UserPromptSubmit", prompt="hello")
    daemon.wait_for(one.pane, "running")
    assert place.cli("ls").returncode == 0


@pytest.mark.tc("TC-201")
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_stands_in_place_of_the_spool_stops_neither_draining_nor_the_daemon(
    place: Place, daemon: Daemon, agent: Callable[..., Agent], kind: str
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    put(place.state / "spool.jsonl", kind)
    message = until(lambda: daemon.health()["last_errors"], within=PATIENCE)
    assert message == [f"spool: {place.state / 'spool.jsonl'} {SAYS}"]
    one.hook("UserPromptSubmit", prompt="hello")
    daemon.wait_for(one.pane, "running")
    assert daemon.stop() == 0
    one.hook("Stop")  # nobody takes it, and it can be written nowhere: the agent feels nothing of that
    assert kind == "folder" or not (place.state / "spool.jsonl").is_file()


@pytest.mark.tc("TC-222")
@pytest.mark.parametrize("how", ["open to all", "of somebody else", "not writable", "spool"])
def test_health_is_degraded_while_hooks_cannot_write_to_the_spool(place: Place, daemon: Daemon, how: str) -> None:
    """Health tells why hooks cannot leave their reports, and what to do. It is ok again as soon as they can."""
    root = os.getuid() == 0
    if (how == "of somebody else" and not root) or (how == "not writable" and root):
        pytest.skip("only root gives a folder away, and only root may write to every folder")
    daemon.start()
    until(lambda: daemon.health()["status"] == "ok", within=PATIENCE)
    spool = place.state / "spool.jsonl"
    if how == "of somebody else":
        os.chown(place.state, 1, -1)
    elif how == "spool":
        spool.mkdir()
    else:
        place.state.chmod(0o777 if how == "open to all" else 0o500)
    health = until(lambda: h if (h := daemon.health())["status"] == "degraded" else None, within=PATIENCE)
    assert health is not None
    (message,) = health["last_errors"]
    wanted = {"open to all": "chmod 700", "spool": "move it away"}.get(how, "set AGTMUX_STATE_DIR")
    assert message.startswith("spool: ") and wanted in message, message
    if how == "of somebody else":
        os.chown(place.state, os.getuid(), -1)
    elif how == "spool":
        spool.rmdir()
    else:
        place.state.chmod(0o700)
    until(lambda: daemon.health()["status"] == "ok", within=PATIENCE)
    assert daemon.health()["last_errors"] == []


@pytest.mark.tc("TC-222")
@pytest.mark.parametrize("name", ["socket-path", "redaction-patterns.json"])
def test_a_file_for_hooks_that_could_not_be_written_is_written_as_soon_as_it_can_be(
    place: Place, daemon: Daemon, name: str
) -> None:
    """What health says of it is gone with the first success."""
    file = place.state / name
    put(file, "folder")
    daemon.start()
    (message,) = daemon.health()["last_errors"]
    assert str(file) in message
    file.rmdir()
    until(lambda: daemon.health()["last_errors"] == [], within=PATIENCE)
    assert file.is_file()


@pytest.mark.tc("TC-201")
def test_a_stopped_process_that_holds_the_spools_lock_stops_neither_draining_nor_the_daemon(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    daemon.wait_agent(one.pane)
    daemon.kill9()
    one.hook("UserPromptSubmit", prompt="written down while nobody answers")
    spool = place.state / "spool.jsonl"
    assert spool.exists()
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(spool)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        daemon.start()
        daemon.wait_for(one.pane, "running")
        until(lambda: daemon.health()["spool"]["waiting_bytes"] == 0, within=PATIENCE)
        assert daemon.send(signal.SIGTERM) == 0
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.tc("TC-201")
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "huge"])
def test_settings_of_agents_and_rules_that_are_no_files_are_told_and_left_alone(
    place: Place, daemon: Daemon, kind: str
) -> None:
    settings, rules = place.home / ".claude" / "settings.json", place.root / "rules" / "claude.toml"
    put(settings, kind)
    put(rules, kind)
    daemon.start()
    before = settings.lstat()
    for op in ("install", "status", "uninstall"):
        done = place.cli("hooks", op, "--agent", "claude")
        assert done.returncode == 1
        assert str(settings) in done.stderr
    assert os.path.samestat(settings.lstat(), before)
    until(lambda: any(str(rules) in error for error in daemon.health()["last_errors"]), within=PATIENCE)
    assert daemon.stop() == 0
