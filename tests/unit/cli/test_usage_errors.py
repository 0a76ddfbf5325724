"""What a stranger types and meets: misspelled words, nothing to show, streams that are closed or full."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import click
import pytest

from agtmux.cli.root import root
from tests.unit.daemon_stub import STAMP, Stub, agtmux, command, environment, listing, on_terminal, out, pane


@pytest.mark.tc("TC-018")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("lst", "No such command 'lst' (did you mean agtmux list or agtmux ls?); see agtmux --help"),
        ("aprove claude", "No such command 'aprove' (did you mean agtmux approve?); see agtmux --help"),
        ("install", "No such command 'install' (did you mean agtmux install-skill or agtmux guard install"),
        ("panes", "No such command 'panes' (did you mean agtmux list panes?); see agtmux --help"),
        ("xyzzy", "No such command 'xyzzy'; see agtmux --help"),
        ("list pane", "No such command 'pane' (did you mean panes?); see agtmux list --help"),
        ("ls --jso", "No such option '--jso' (did you mean --json or --sort?); see agtmux ls --help"),
        (
            "--jsn ls",
            "No such option '--jsn' before a command: put a command's options after its name; see agtmux --help",
        ),
    ],
)
def test_a_misspelled_word_is_told_with_what_may_have_been_meant(short_dir: Path, typed: str, expected: str) -> None:
    done = agtmux(short_dir, *typed.split())
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"agtmux: {expected}")


@pytest.mark.tc("TC-112")
def test_the_short_help_of_a_command_is_a_whole_sentence() -> None:
    root_context = click.Context(root, info_name="agtmux", terminal_width=80)
    for name in root.list_commands(root_context):
        group = root.get_command(root_context, name)
        if isinstance(group, click.Group):
            listed = group.get_help(click.Context(group, root_context, name)).partition("Commands:")[2]
            assert "..." not in listed


@pytest.mark.tc("TC-018")
def test_the_help_says_what_each_exit_status_means(short_dir: Path) -> None:
    result = out(short_dir, "--help").partition("Exit status:")[2]
    assert [word for word in result.replace(",", " ").split() if word.isdigit()] == [*"01234567", "130"]


def test_a_list_of_nothing_in_particular_is_that_of_panes(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(pane()))
    assert out(short_dir, "list") == out(short_dir, "list", "panes")
    assert out(short_dir, "list", "--json", "--needs-action") == out(short_dir, "ls", "--json", "--needs-action")
    assert "Commands:" in out(short_dir, "list", "--help")


def test_a_name_for_several_states_is_spelled_out(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing())
    out(short_dir, "ls", "--state", "waiting,running", "--state", "done", "--state", "odd")
    assert stub.calls[0].query["state"] == ["waiting_approval,waiting_input,running", "completed,idle", "odd"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "no agents: run agtmux list panes --all to see every pane"),
        ({"all": True}, "no panes: is tmux running?"),
        ({"agent": ["cluade"]}, "no agent matches these filters"),
        ({"all": True, "session": ["x"]}, "no pane matches these filters"),
    ],
)
def test_where_there_is_nothing_to_show_it_is_said_why(
    short_dir: Path, stub: Stub, filters: dict[str, object], expected: str
) -> None:
    stub.answer("GET /v1/panes", listing(filters=filters))
    assert expected in on_terminal(short_dir, "ls")


def test_a_narrow_list_of_targets_keeps_their_names(short_dir: Path, stub: Stub) -> None:
    item = {
        "target": "build", "kind": "ssh", "health": "down", "reason": "auth_failed", "agents": 2, "panes": 3,
        "rtt_ms": 12.5, "tmux_version": "3.4", "connection_ref": "build-box", "last_seen_at": None,
    }  # fmt: skip
    stub.answer("GET /v1/targets", {"items": [item]})
    for cols in (30, 40, 60):
        drawn = on_terminal(short_dir, "target", "list", cols=cols, NO_COLOR="1")
        assert all(word in drawn for word in ("TARGET", "build", "down", "auth_failed"))


@pytest.mark.parametrize("argv", [["ls"], ["ls", "--json"], ["-h"]])
def test_a_stream_that_is_closed_or_full_is_no_accident(short_dir: Path, stub: Stub, argv: list[str]) -> None:
    stub.answer("GET /v1/panes", listing(pane()))
    line, env = " ".join(command(argv)), environment(short_dir)
    closed = subprocess.run(["bash", "-c", f"exec {line} >&-"], capture_output=True, env=env, check=False)
    assert (closed.returncode, closed.stderr) == (0, b"")
    if Path("/dev/full").exists():
        full = subprocess.run(["bash", "-c", f"exec {line} >/dev/full"], capture_output=True, env=env, check=False)
        assert (full.returncode, full.stderr) == (1, b"agtmux: No space left on device (E_INTERNAL)\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("argv", [["ls"], ["explain", "--help"], ["ls", "--color", "always"], ["explain", "─"]])
def test_what_an_encoding_lacks_is_replaced(short_dir: Path, stub: Stub, argv: list[str], encoding: str) -> None:
    stub.answer("GET /v1/panes", listing(pane(title="┃ Größe ✳")))
    done = agtmux(short_dir, *argv, PYTHONIOENCODING=encoding)
    assert b"Traceback" not in done.stderr
    assert done.returncode == (4 if argv[1:] == ["─"] else 0)
    assert argv[0] != "ls" or "? Größe ?".encode(encoding, "replace") in done.stdout


def test_a_target_that_is_not_there_is_told_before_anybody_is_asked(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/targets", {"items": [{"target": "host"}]})
    done = agtmux(short_dir, "target", "remove", "wrk", stdin=b"")
    assert (done.returncode, done.stderr) == (
        4,
        b"agtmux: there is no target wrk: use one of host (E_TARGET_NOT_FOUND)\n",
    )


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("agtmux approve c", ["codex"]),
        ("agtmux explain %", ["%1", "%2", "%3"]),
        ("agtmux wait %3 %", ["%1", "%2", "%3"]),
        ("agtmux ls --state waiting", ["waiting_approval", "waiting_input", "waiting"]),
        ("agtmux ls --state idle,run", ["idle,running"]),
        ("agtmux watch --agent ge", ["gemini", "generic"]),
        ("agtmux ls --sort n", ["name"]),
        ("agtmux target connect ", ["host", "build"]),
        ("agtmux hooks status --target b", ["build"]),
    ],
)
def test_what_is_there_can_be_completed(short_dir: Path, stub: Stub, typed: str, completed: list[str]) -> None:
    stub.answer("GET /v1/panes", listing(pane(), pane("%2", agent_type="codex"), pane("%3")))
    stub.answer("GET /v1/targets", {"items": [{"target": "host"}, {"target": "build"}]})
    done = agtmux(
        short_dir, _AGTMUX_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD=str(len(typed.split(" ")) - 1)
    )
    assert done.stdout.decode().split() == [f"plain,{word}" for word in completed]


def test_without_a_daemon_nothing_is_completed_and_none_is_started(short_dir: Path) -> None:
    done = agtmux(short_dir, _AGTMUX_COMPLETE="bash_complete", COMP_WORDS="agtmux explain ", COMP_CWORD="2")
    assert (done.stdout.strip(), done.stderr) == (b"", b"")
    assert not (short_dir / "run").exists()


def test_a_target_without_a_server_is_told_apart_from_one_with(short_dir: Path, stub: Stub) -> None:
    item = {"target": "work", "health": "ok", "kind": "local", "read": True, "tmux_version": None}
    steps = [{"step": "round trip", "ok": True, "message": "1 ms"}]
    stub.answer("POST /v1/targets/wrk/connect", {"steps": steps, "item": item})
    stub.answer("GET /v1/targets", {"items": [item, item | {"tmux_version": "3.4"}, item | {"read": False}]})
    assert out(short_dir, "target", "connect", "wrk").endswith("wrk: ok, but no tmux server runs there now\n")
    result = out(short_dir, "target", "list").splitlines()
    assert ["no server" in line for line in result] == [False, True, False, False]


def test_whom_a_signal_will_hit_is_asked_in_one_sentence(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(pane()))
    stub.answer("GET /v1/panes/pane:host/work/@1/%1/explain", {"item": pane()})
    master, slave = pty.openpty()
    argv = ["kill", "%1", "--mode", "signal", "--signal", "TERM"]
    env = environment(short_dir, AGTMUX_NO_AUTOSTART="1")
    process = subprocess.Popen(command(argv), stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=env)
    os.close(slave)
    os.write(master, b"n\n")
    result = process.communicate(timeout=30)[1]
    os.close(master)
    assert result.startswith(b"Send SIGTERM to claude in %1 (process 7, running)? [y/N]: ")
    assert process.returncode == 130


def test_sessions_that_are_merged_name_their_targets(short_dir: Path, stub: Stub) -> None:
    merged = {"identity": {"session_name": "work"}, "state": "idle", "targets": [{"target": "host"}, {"target": "b"}]}
    stub.answer("GET /v1/sessions", listing() | {"items": [merged]})
    assert "  host,b  work  " in out(short_dir, "list", "sessions", "--group-by", "session-name")


def test_a_narrow_history_keeps_the_names_of_its_columns(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(pane()))
    row = {"event_id": "e" * 36, "event_type": "claim:waiting_approval", "source": "transcript", "applied": "applied"}
    stub.answer("GET /v1/events", {"items": [row | {"event_time": STAMP, "runtime_id": "r" * 16}]})
    for cols in (40, 60, 80, 120):
        drawn = on_terminal(short_dir, "events", cols=cols, NO_COLOR="1")
        assert "…" not in drawn.splitlines()[0]
        assert "transcript" in drawn
