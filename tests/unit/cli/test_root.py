"""The command line against a real socket: what it asks, what it prints, how it fails, what it explains."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agtmux.cli.root import root
from agtmux.protocol.errors import CODES
from agtmux.protocol.text import one_line
from tests.unit.daemon_stub import STAMP, Stub, agtmux, command, environment, listing, on_terminal, out, pane

# --- listings


@pytest.mark.tc("TC-021")
@pytest.mark.parametrize("scope", ["panes", "windows", "sessions"])
def test_a_listing_as_json_is_the_body_of_the_api_byte_for_byte(short_dir: Path, stub: Stub, scope: str) -> None:
    body = b'{ "schema_version":"1.7", "items" : [], "of_a_newer_minor": "\\u00e4\xc3\xa4" }\n\n'
    stub.answer(f"GET /v1/{scope}", body)
    assert agtmux(short_dir, "list", scope, "--json").stdout == body


def test_filters_and_sorts_are_handed_on_as_given(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing())
    out(
        short_dir, "ls", "--target", "host,build", "--session", "a/b %ü&=", "--target-session", "host/a%2Fb", "--state",
        "running", "--state", "idle", "--agent", "claude", "--needs-action", "--all", "--sort", "-since",
    )  # fmt: skip
    assert stub.calls[0].query == {
        "target": ["host,build"], "session": ["a/b %ü&="], "target_session": ["host/a%2Fb"],
        "state": ["running", "idle"], "agent": ["claude"], "needs_action": ["true"], "all": ["true"],
        "sort": ["-since"],
    }  # fmt: skip
    stub.answer("GET /v1/sessions", listing())
    out(short_dir, "list", "sessions", "--group-by", "session-name")
    assert stub.calls[1].query == {"group_by": ["session-name"]}


def test_a_target_that_does_not_answer_is_named_beside_the_data(short_dir: Path, stub: Stub) -> None:
    lost = {
        "target": "build",
        "code": "E_TARGET_UNREACHABLE",
        "message": "m",
        "reason": "timeout",
        "last_seen_at": STAMP,
    }
    stub.answer("GET /v1/panes", listing(pane(), partial=True, target_errors=[lost]))
    done = agtmux(short_dir, "ls")
    assert done.stderr.startswith(b"agtmux: partial: build did not answer: timeout (E_TARGET_UNREACHABLE, last seen ")
    assert done.stderr.endswith(b" ago); run agtmux target connect build to see why\n")
    assert done.returncode == 0
    assert agtmux(short_dir, "ls", "--quiet").stderr == b""
    assert "partial: build" in on_terminal(short_dir, "ls")


@pytest.mark.tc("TC-105")
def test_json_on_a_terminal_does_not_steer_it(short_dir: Path, stub: Stub) -> None:
    body = json.dumps(listing(pane(title="a\x9b2Jb\u202ec\x7f", task="漢✳")), ensure_ascii=False)
    stub.answer("GET /v1/panes", body.encode())
    drawn = on_terminal(short_dir, "ls", "--json")
    assert json.loads(drawn) == json.loads(body)
    assert "a\\u009b2Jb\\u202ec\\u007f" in drawn
    assert "漢✳" in drawn


ODD = "a\x9b2Jb\u202ec\x7fd\u2066e\u200bf\ufeffg\U000e0041h\u2028i"


def is_harmless(text: bytes) -> bool:
    """Whether nothing but printable characters and newlines is in it."""
    shown = text.decode().replace("\n", "")
    return shown == one_line(shown)


@pytest.mark.tc("TC-105")
@pytest.mark.parametrize(
    ("route", "argv"),
    [
        ("GET /v1/panes", ["ls", "--json"]),
        ("GET /v1/windows", ["list", "windows", "--json"]),
        ("GET /v1/sessions", ["list", "sessions", "--json"]),
        ("GET /v1/targets", ["target", "list", "--json"]),
        ("GET /v1/events", ["events", "--json"]),
        ("GET /v1/actions", ["actions", "--json"]),
        ("GET /v1/health", ["daemon", "status", "--json"]),
        ("GET /v1/daemon/config", ["daemon", "config", "--json"]),
        ("GET /v1/panes/pane:host/work/@1/%1/explain", ["explain", "pane:host/work/@1/%1", "--json"]),
        ("POST /v1/hooks", ["hooks", "install", "--json"]),
        ("POST /v1/rules/check", ["rules", "check", "--json"]),
        ("POST /v1/actions/view-output", ["view-output", "pane:host/work/@1/%1", "--json"]),
        ("POST /v1/actions/send", ["send", "pane:host/work/@1/%1", "--text", "x", "--json"]),
        ("GET /v1/watch", ["watch", "--once", "--json"]),
        ("GET /v1/watch", ["watch", "--no-reconnect", "--cursor", "s:1", "--format", "jsonl"]),
    ],
)
def test_json_in_a_pipe_means_the_same_and_steers_no_terminal_at_its_end(
    short_dir: Path, stub: Stub, route: str, argv: list[str]
) -> None:
    body = {**listing(pane(title=ODD, cwd=ODD)), "type": "snapshot", "cursor": "s:1", "result": {"output": ODD}}
    text = json.dumps(body, ensure_ascii=False).encode() + b"\n"
    assert not is_harmless(text)
    stub.routes[route] = lambda _: (200, iter([text]) if "watch" in route else text)
    for needed in ("GET /v1/panes", "GET /v1/panes/pane:host/work/@1/%1/explain"):
        stub.routes.setdefault(needed, lambda _: (200, text))
    done = agtmux(short_dir, *argv)
    assert json.loads(done.stdout) == body
    assert is_harmless(done.stdout)
    assert is_harmless(done.stderr)


@pytest.mark.tc("TC-105")
@pytest.mark.parametrize("argv", [["ls"], ["ls", "--json"], ["watch", "--once"], ["explain", "%1"], ["events"]])
def test_neither_errors_nor_tables_in_a_pipe_steer_a_terminal_at_its_end(
    short_dir: Path, stub: Stub, argv: list[str]
) -> None:
    stub.answer("GET /v1/panes", listing(pane(title=ODD, cwd=ODD)))
    good = agtmux(short_dir, "ls")
    assert is_harmless(good.stdout)
    failed = {"schema_version": "1.0", "error": {"code": "E_REF_NOT_FOUND", "message": ODD, "details": {"x": ODD}}}
    for route in ("GET /v1/panes", "GET /v1/watch", "GET /v1/events"):
        stub.answer(route, json.dumps(failed, ensure_ascii=False).encode(), 404)
    done = agtmux(short_dir, *argv)
    assert done.returncode == 4
    assert is_harmless(done.stdout)
    assert is_harmless(done.stderr)


# --- errors


@pytest.mark.tc("TC-018")
@pytest.mark.parametrize("argv", [["ls", "--bogus"], ["target", "add", "x", "--kind", "ssh"], ["bogus"], ["explain"]])
def test_a_wrong_command_line_is_an_error_like_any_other(short_dir: Path, argv: list[str]) -> None:
    done = agtmux(short_dir, *argv, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "E_INVALID_REQUEST"
    assert done.stderr.endswith(b"--help (E_INVALID_REQUEST)\n")
    assert done.stderr.count(b"\n") == 1


def test_a_socket_path_that_is_too_long_says_what_to_set(short_dir: Path) -> None:
    done = agtmux(short_dir, "ls", AGTMUX_RUNTIME_DIR=str(short_dir / ("x" * 150)))
    assert done.returncode == 3
    assert b"AGTMUX_RUNTIME_DIR" in done.stderr


def test_a_reader_that_leaves_ends_a_command_quietly(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(*(pane(f"%{n}", task="x" * 200) for n in range(2000))))
    script = f"{' '.join(command(['ls']))} | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], capture_output=True, env=environment(short_dir), check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


# --- the daemon's side


# --- refs


PANES = [
    pane("%1"),
    pane("%2", ref="pane:host/a%2Fb/@2/%2", agent_type="codex", runtime_id="r2", window_index=10, pane_index=3),
    pane("%2", ref="pane:build/work/@2/%2", agent_type=None, window_index=0, pane_index=0),
]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("%1", "pane:host/work/@1/%1"),
        ("work:10.3", "pane:host/a%2Fb/@2/%2"),
        ("work:10", "pane:host/a%2Fb/@2/%2"),
        ("codex", "pane:host/a%2Fb/@2/%2"),
        ("pane:host/x%2Fy/@9/%9", "pane:host/x%2Fy/@9/%9"),
        ("runtime:abcdefghijklmnop", "runtime:abcdefghijklmnop"),
    ],
)
def test_a_short_ref_becomes_the_full_one(short_dir: Path, stub: Stub, text: str, path: str) -> None:
    stub.answer("GET /v1/panes", listing(*PANES))
    stub.answer(f"GET /v1/panes/{path}/explain", b"{}")
    assert agtmux(short_dir, "explain", text, "--json").stdout == b"{}"


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("%2", "E_REF_AMBIGUOUS", "pane:build/work/@2/%2, pane:host/a%2Fb/@2/%2"),
        ("%7", "E_REF_NOT_FOUND", "agtmux list panes --all"),
        ("gemini", "E_REF_NOT_FOUND", "agtmux list panes --all"),
        ("%x", "E_REF_INVALID", "%12"),
        ("work:x", "E_REF_INVALID", "work:1.0"),
    ],
)
def test_a_short_ref_that_names_no_single_pane_is_refused(
    short_dir: Path, stub: Stub, text: str, code: str, says: str
) -> None:
    stub.answer("GET /v1/panes", listing(*PANES))
    done = agtmux(short_dir, "explain", text, "--json")
    body = json.loads(done.stdout)["error"]
    assert (body["code"], done.returncode) == (code, CODES[code].exit)
    assert says in body["message"]
    if code == "E_REF_AMBIGUOUS":
        assert body["details"]["candidates"] == ["pane:build/work/@2/%2", "pane:host/a%2Fb/@2/%2"]


# --- targets, hooks, daemon


def test_the_daemons_state_and_config_are_told(short_dir: Path, stub: Stub) -> None:
    sizes = {
        "bytes": 3 << 20,
        "used_bytes": 1 << 20,
        "max_bytes": 9 << 20,
        "wal_bytes": 0,
        "failures": 4,
        "checking": True,
    }
    log = {"path": None, "lost": 5, "left_out": 6}
    health = {"version": "1", "pid": 5, "uptime_s": 3, "status": "ok", "counters": {"events": 7}}
    stub.answer("GET /v1/health", {**health, "store": sizes, "log": log})
    result = out(short_dir, "daemon", "status")
    assert "events 7" in result
    assert (
        "3.0 MiB on disk, 1.0 MiB used, 9.0 MiB allowed (store.max_bytes), log 0.0 MiB, 4 writes failed, being"
        in result
    )
    assert "log       standard error, 5 lines lost, 6 repeated lines left out" in result
    stub.answer("GET /v1/daemon/config", {"path": "/c.toml", "config": {"autostart": True, "log": {"level": "info"}}})
    assert out(short_dir, "daemon", "config") == '# /c.toml\nautostart = true\n\n[log]\nlevel = "info"\n'
    stub.answer("POST /v1/daemon/reload", {"ok": True})
    assert out(short_dir, "daemon", "reload") == "reloaded\n"
    assert "already running (pid 5)" in out(short_dir, "daemon", "start")


def test_without_a_daemon_its_commands_say_so(short_dir: Path) -> None:
    assert agtmux(short_dir, "daemon", "status").returncode == 3
    assert out(short_dir, "daemon", "stop") == "not running\n"
    assert agtmux(short_dir, "daemon", "logs").returncode == 2


@pytest.mark.tc("TC-151")
def test_the_log_that_was_set_aside_is_shown_before_the_one_that_took_its_place(short_dir: Path) -> None:
    (short_dir / "state").mkdir()
    log = short_dir / "state" / "agtmuxd.log"
    log.with_name("agtmuxd.log.1").write_text("one\ntwo\n")
    log.write_text("three\n")
    assert out(short_dir, "daemon", "logs", "-n", "2") == "two\nthree\n"
    assert out(short_dir, "daemon", "logs", "-n", "9") == "one\ntwo\nthree\n"
    assert out(short_dir, "daemon", "logs", "-n", "1") == "three\n"
    process = subprocess.Popen(
        command(["daemon", "logs", "-n", "1", "-f"]), stdout=subprocess.PIPE, env=environment(short_dir), bufsize=0
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"three\n"
    log.replace(log.with_name("agtmuxd.log.1"))
    log.write_text("four\n")
    assert process.stdout.readline() == b"four\n"
    process.send_signal(2)
    assert process.wait(30) == 130
    process.stdout.close()


def test_the_log_is_shown_from_its_end_and_followed(short_dir: Path) -> None:
    (short_dir / "state").mkdir()
    log = short_dir / "state" / "agtmuxd.log"
    log.write_text("one\ntwo\x1b[2J\nthree\n")
    assert out(short_dir, "daemon", "logs", "-n", "2") == "two[2J\nthree\n"
    process = subprocess.Popen(
        command(["daemon", "logs", "-n", "1", "-f"]), stdout=subprocess.PIPE, env=environment(short_dir), bufsize=0
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"three\n"
    with log.open("a") as file:
        file.write("four\n")
    assert process.stdout.readline() == b"four\n"
    process.send_signal(2)
    assert process.wait(30) == 130
    process.stdout.close()


# --- help and completion


def walk(command_: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command_, click.Group):
        ctx = click.Context(command_)
        for name in command_.list_commands(ctx):
            found = command_.get_command(ctx, name)
            assert found is not None
            yield from walk(found, (*path, name))


@pytest.mark.tc("TC-112")
@pytest.mark.parametrize("path", sorted(walk(root)), ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.exceptions.Exit) as ended:
        root.make_context("agtmux", [*path, "--help"]).command.invoke(root.make_context("agtmux", [*path, "--help"]))
    assert ended.value.exit_code == 0
    text = capsys.readouterr().out
    assert text.startswith("Usage: agtmux")
    assert "Example" in text
    line = next(line for line in text.partition("Example")[2].splitlines()[1:] if line.strip())
    assert "agtmux" in line


def test_help_names_every_command_and_the_version_is_told(short_dir: Path) -> None:
    text = out(short_dir, "-h")
    assert all(f"\n  {name} " in text for name in root.list_commands(click.Context(root)))
    assert out(short_dir, "--version").startswith("agtmux ")
    assert agtmux(short_dir).returncode == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_this_program(short_dir: Path, shell: str) -> None:
    assert "_AGTMUX_COMPLETE" in out(short_dir, "completion", shell)


def test_it_runs_as_a_module_too(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing())
    python = str(Path(command([])[0]).parent / "python")
    done = subprocess.run([python, "-m", "agtmux", "ls"], capture_output=True, env=environment(short_dir), check=False)
    assert done.returncode == 0
