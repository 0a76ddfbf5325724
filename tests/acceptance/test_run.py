"""``agtmux run``: any program in a pane, from its start to its end, and how it ended."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Daemon, Place
from tests.conftest import Tmux, until


def wrapped(place: Place, *command: str) -> str:
    """The shell line that wraps ``command``."""
    return "exec " + shlex.join([str(PROGRAMS / "agtmux"), "run", "--", *command])


def take(daemon: socket.socket, meanwhile: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The event of one report, which is taken after ``meanwhile``."""
    with daemon.accept()[0] as talk:
        result = b""
        while b"\r\n\r\n" not in result:
            result += talk.recv(65536)
        meanwhile()
        head, _, body = result.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        while len(body) < length:
            body += talk.recv(65536)
        talk.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    event: dict[str, Any] = json.loads(body)
    return event


def test_the_wrapper_ends_as_its_program_does(place: Place) -> None:
    assert place.cli("run", "--", "true").returncode == 0
    assert place.cli("run", "--", "sh", "-c", "echo said; exit 7").stdout == "said\n"
    assert place.cli("run", "sh", "-c", "exit 7").returncode == 7
    assert place.cli("run", "--", "sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL
    missing = place.cli("run", "--", "no-such-program-here")
    assert (missing.returncode, "not found" in missing.stderr) == (127, True)


def test_a_signal_to_the_wrapper_reaches_its_program(place: Place) -> None:
    argv = [
        str(PROGRAMS / "agtmux"),
        "run",
        "--",
        "sh",
        "-c",
        'trap "exit 9" TERM; echo up; while :; do sleep 0.1; done',
    ]
    with subprocess.Popen(argv, env=place.env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.terminate()
        assert process.wait(PATIENCE) == 9


def test_a_program_runs_where_nothing_of_it_can_be_reported(place: Place) -> None:
    place.state.mkdir()
    place.state.chmod(0o777)
    done = place.cli("run", "--", "sh", "-c", "echo said; exit 7")
    assert (done.returncode, done.stdout) == (7, "said\n")
    assert done.stderr.count("could not report") == 2


def test_a_program_runs_in_a_folder_that_was_removed(place: Place) -> None:
    line = f'cd "$(mktemp -d)" && rmdir "$PWD" && {wrapped(place, "echo", "said")}'
    done = subprocess.run(["sh", "-c", line], env=place.env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "said\n", "")


def test_a_signal_behind_the_programs_end_changes_nothing_of_what_is_told(place: Place) -> None:
    place.runtime.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
        daemon.bind(str(place.socket))
        daemon.listen()
        daemon.settimeout(PATIENCE)
        argv = [str(PROGRAMS / "agtmux"), "run", "--", "sh", "-c", "exit 7"]
        with subprocess.Popen(argv, env=place.env, stderr=subprocess.PIPE) as process:
            listed = [take(daemon), take(daemon, lambda: process.send_signal(signal.SIGTERM))]
            assert process.wait(PATIENCE) == 7
            assert process.stderr is not None
            assert process.stderr.read() == b""
    assert [event["event_type"] for event in listed] == ["start", "exit"]


@pytest.mark.tc("TC-046")
def test_a_wrapped_program_runs_and_is_gone_when_it_ends_well(place: Place, daemon: Daemon, tmux: Tmux) -> None:
    daemon.start()
    pane = tmux.run("new-session", "-d", "-P", "-F", "#{pane_id}", "sh").strip()
    go = place.root / "go"
    line = f"while ! test -e {go}; do sleep 0.1; done"
    tmux.run("send-keys", "-t", pane, wrapped(place, "sh", "-c", line).removeprefix("exec "), "Enter")
    item = daemon.wait_for(pane, "running")
    assert item["agent_type"] == "generic"
    until(lambda: str(daemon.wait_for(pane, "running")["task"]).startswith("sh -c while"), within=PATIENCE)
    go.touch()
    until(lambda: all(i["agent_type"] is None for i in place.json("list", "panes", "--all")["items"]), within=PATIENCE)


@pytest.mark.tc("TC-046")
def test_a_wrapped_program_that_was_interrupted_is_gone_and_needs_nobody(
    place: Place, daemon: Daemon, tmux: Tmux
) -> None:
    daemon.start()
    pane = tmux.run("new-session", "-d", "-P", "-F", "#{pane_id}", "sh").strip()
    tmux.run("send-keys", "-t", pane, wrapped(place, "sleep", "600").removeprefix("exec "), "Enter")
    until(lambda: str(daemon.wait_for(pane, "running")["task"]) == "sleep 600", within=PATIENCE)
    tmux.run("send-keys", "-t", pane, "C-c")
    until(lambda: all(i["agent_type"] is None for i in place.json("list", "panes", "--all")["items"]), within=PATIENCE)


@pytest.mark.tc("TC-046")
def test_a_wrapped_program_that_fails_stays_listed_as_an_error(place: Place, daemon: Daemon, tmux: Tmux) -> None:
    daemon.start()
    pane = tmux.run("new-session", "-d", "-P", "-F", "#{pane_id}", "sh").strip()
    go = place.root / "go"
    line = f"while ! test -e {go}; do sleep 0.1; done; exit 3"
    tmux.run("send-keys", "-t", pane, wrapped(place, "sh", "-c", line).removeprefix("exec "), "Enter")
    daemon.wait_for(pane, "running")
    go.touch()
    item = daemon.wait_for(pane, "error")
    assert (item["agent_type"], item["attention"]) == ("generic", "needs_action")
    until(lambda: daemon.wait_for(pane, "error")["reason_code"] == "agent_crashed", within=PATIENCE)
    assert daemon.wait_for(pane, "error")["detail"] == "exited 3"
    assert "[exited 3] sh -c while" in place.cli("ls").stdout
    assert "the end of its process: exited 3" in place.cli("explain", pane).stdout
    events = place.json("events", pane)["items"]
    assert {"start", "exit"} <= {e["event_type"] for e in events}


@pytest.mark.tc("TC-046")
def test_an_agent_in_a_wrapped_program_is_listed_as_itself(place: Place, daemon: Daemon, tmux: Tmux) -> None:
    (place.root / "rules").mkdir()
    rules = 'format = 1\nagent = "toy"\nrecorded_on = ["1"]\n[process]\nnames = ["toycli"]\n'
    rule = '[[rule]]\nname = "asks"\nclaim = "waiting_input"\nstrength = "hint"\nwaiting = { kind = "question" }\n'
    rule += 'all = [{ contains = "Which way?" }]\n'
    (place.root / "rules/toy.toml").write_text(rules + rule)
    program, go = place.root / "toycli", place.root / "go"
    program.write_text("import time\nprint('Which way?', flush=True)\ntime.sleep(600)\n")
    daemon.start()
    line = f"while ! test -e {go}; do sleep 0.1; done; {sys.executable} {program}; exit 0"
    pane = tmux.run("new-session", "-d", "-P", "-F", "#{pane_id}", wrapped(place, "sh", "-c", line)).strip()
    assert daemon.wait_for(pane, "running")["agent_type"] == "generic"
    go.touch()
    until(lambda: daemon.wait_agent(pane)["agent_type"] == "toy", within=PATIENCE)
    daemon.wait_for(pane, "waiting_input")
