"""The command line against a real socket: what it asks, what it prints, how it fails, what it explains."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agtmux import render
from agtmux.cli import hooks
from agtmux.cli.hooks import send_test
from agtmux.cli.hooks import test_for as time_for
from agtmux.cli.root import root
from agtmux.protocol.errors import CODES, AgtmuxError
from agtmux.protocol.text import one_line
from tests.unit.daemon_stub import STAMP, Stub, agtmux, command, environment, error, listing, pane

ASKED = {"kind": "approval", "subject": "Bash", "text": "rm -rf build", "options": ["Yes", "No"], "fingerprint": "f1"}


@pytest.fixture
def stub(short_dir: Path) -> Iterator[Stub]:
    (short_dir / "run").mkdir(mode=0o700)
    served = Stub(short_dir / "run" / "agtmuxd.sock").start()
    yield served
    served.stop()


def out(folder: Path, *argv: str, **extra: str) -> str:
    """Standard output of a command that must succeed and say nothing on stderr."""
    done = agtmux(folder, *argv, stdin=b"", **extra)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def on_terminal(folder: Path, *argv: str, cols: int = 100, **extra: str) -> str:
    """What a command draws on a terminal of its own."""
    master, slave = pty.openpty()
    env = environment(folder, AGTMUX_NO_AUTOSTART="1", COLUMNS=str(cols), LINES="30", **extra)
    process = subprocess.Popen(command(argv), stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=env)
    os.close(slave)
    drawn = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        drawn += piece
    os.close(master)
    assert process.communicate(timeout=30)[1] == b""
    assert process.returncode == 0
    return drawn.decode()


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


def test_plain_text_is_aligned_uncut_and_without_colour(short_dir: Path, stub: Stub) -> None:
    waiting = pane("%2", state="waiting_approval", attention="needs_action", waiting_for=ASKED, window_index=10)
    wide = pane("%3", agent_type="gemini", task="日本語 " + "x" * 300, since=None)
    stub.answer("GET /v1/panes", listing(waiting, wide))
    text = out(short_dir, "list", "panes")
    assert "\x1b" not in text
    header, first, second = text.splitlines()
    assert header.split() == ["STATE", "FOR", "AGENT", "TARGET", "PANE", "PLACE", "ATTENTION", "PROJECT", "WHAT"]
    assert first.endswith("Bash: rm -rf build")
    assert second.endswith("日本語 " + "x" * 300)
    for name in ("AGENT", "WHAT"):
        place = header.index(name)
        assert all(line[place - 1] == " " and line[place] != " " for line in (first, second))


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


def test_a_terminal_gets_a_coloured_table_that_fits_it(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(pane(state="error", attention="needs_action", task="t" * 300)))
    drawn = on_terminal(short_dir, "ls", cols=90)
    assert "\x1b[1;31m✗ error" in drawn
    assert "1 agent: 1 error; 1 needs you" in drawn
    for cols in (40, 80, 200):
        for plain in (
            on_terminal(short_dir, "ls", cols=cols, NO_COLOR="1"),
            on_terminal(short_dir, "ls", "--color", "never", cols=cols),
        ):
            assert not re.search(r"\x1b\[[0-9;]*[34]\dm", plain)
            lines = re.sub(r"\x1b\[[0-9;]*m", "", plain).splitlines()
            assert max(map(len, lines)) <= cols
            assert lines[1].startswith("!  ✗ error")
            assert lines[1].rstrip().endswith("t…")


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


@pytest.mark.tc("TC-105")
def test_a_command_to_be_typed_names_odd_sessions_without_odd_characters(short_dir: Path, stub: Stub) -> None:
    words = ["tmux", "attach", "-t", f"={ODD} it's \\ \n:"]
    stub.answer("POST /v1/actions/attach", {"result": {"whole": words}})
    done = agtmux(short_dir, "attach", "pane:host/work/@1/%1", "--print")
    assert is_harmless(done.stdout)
    shell = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {done.stdout.decode()}"], capture_output=True, check=True, timeout=60
    )
    assert shell.stdout.decode().split("\0")[:-1] == words


@pytest.mark.parametrize("cols", [80, 100])
def test_a_narrow_audit_still_says_what_was_done_and_by_whom(short_dir: Path, stub: Stub, cols: int) -> None:
    row = {
        "action_id": "a" * 36, "action": "view-output", "result_code": "done", "target": "host", "pane_id": "%0",
        "runtime_id": "rt-" + "0" * 40, "caller": {"pid": 12345, "command": "agtmux < script < bash < sshd < init"},
        "requested_at": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip
    stub.answer("GET /v1/actions", {"schema_version": "1.0", "items": [row]})
    drawn = on_terminal(short_dir, "actions", cols=cols)
    assert "AGE" in drawn
    assert "view-output  done" in drawn
    assert "12345 agtmux" in drawn


def test_colour_can_be_asked_for_in_a_pipe(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(pane(state="error")))
    assert "\x1b[1;31m✗ error" in out(short_dir, "--color", "always", "ls")
    assert "\x1b[1;31m✗ error" in out(short_dir, "ls", "--color", "always")


def test_an_empty_listing_says_so_only_to_a_person(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing())
    assert "no agents: run" in on_terminal(short_dir, "ls")
    assert len(out(short_dir, "ls").splitlines()) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (61, "1m"), (3600, "1h00m"), (11100, "3h05m"), (200_000, "2d"), (-5, "0s")],
)
def test_ages_are_short(seconds: float, text: str) -> None:
    assert render.age("2026-01-01T00:00:00.500Z", 1767225600.5 + seconds) == text


def test_an_age_of_nothing_is_a_dash() -> None:
    assert [render.age(stamp, 0.0) for stamp in (None, "", "yesterday", 5)] == ["-"] * 4


# --- errors


@pytest.mark.tc("TC-018")
@pytest.mark.tc("TC-032")
@pytest.mark.parametrize("code", [code for code, row in CODES.items() if row.http])
def test_the_daemons_error_is_the_commands_error(short_dir: Path, stub: Stub, code: str) -> None:
    envelope = AgtmuxError(code, "say what to do", {"a": [1]}).envelope()
    stub.answer("GET /v1/panes", envelope, status=CODES[code].http or 0)
    done = agtmux(short_dir, "ls", "--json")
    assert json.loads(done.stdout) == envelope
    assert done.stderr.decode() == f"agtmux: say what to do ({code})\n"
    assert done.returncode == CODES[code].exit
    assert agtmux(short_dir, "ls").stdout == b""


@pytest.mark.tc("TC-018")
@pytest.mark.parametrize("argv", [["ls", "--bogus"], ["target", "add", "x", "--kind", "ssh"], ["bogus"], ["explain"]])
def test_a_wrong_command_line_is_an_error_like_any_other(short_dir: Path, argv: list[str]) -> None:
    done = agtmux(short_dir, *argv, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "E_INVALID_REQUEST"
    assert done.stderr.endswith(b"--help (E_INVALID_REQUEST)\n")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.tc("TC-018")
def test_without_a_daemon_the_command_to_type_is_named(short_dir: Path) -> None:
    done = agtmux(short_dir, "ls", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "E_DAEMON_UNREACHABLE"
    assert b"run agtmux daemon start (E_DAEMON_UNREACHABLE)\n" in done.stderr


def test_an_error_code_of_a_newer_daemon_is_told_as_it_is(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", error("E_FROM_THE_FUTURE", "later"), status=418)
    done = agtmux(short_dir, "ls")
    assert b"E_FROM_THE_FUTURE" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": 5}'])
def test_an_answer_that_is_not_the_api_is_an_error_with_a_hint(short_dir: Path, stub: Stub, body: bytes) -> None:
    stub.answer("GET /v1/panes", body, status=500)
    done = agtmux(short_dir, "ls")
    assert done.returncode == 1
    assert b"agtmux daemon logs (E_INTERNAL)" in done.stderr


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


def test_an_older_daemon_gets_one_hint_and_a_newer_one_none(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(pane()))
    stub.answer("GET /v1/events", {"items": []})
    stub.version = "0.0.9"
    assert agtmux(short_dir, "events", "%1").stderr.count(b"agtmux daemon restart") == 1
    assert agtmux(short_dir, "-q", "events", "%1").stderr == b""
    stub.version = "0.10.0"
    assert agtmux(short_dir, "events", "%1").stderr == b""


def test_the_daemon_is_found_through_the_state_folder(short_dir: Path) -> None:
    (short_dir / "state").mkdir(mode=0o700)
    (short_dir / "state" / "socket-path").write_text(f"{short_dir}/else.sock\n")
    stub = Stub(short_dir / "else.sock").start()
    stub.answer("GET /v1/panes", listing())
    assert agtmux(short_dir, "ls").returncode == 0
    stub.stop()


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


def test_events_are_asked_for_by_pane_or_by_runtime(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(*PANES))
    row = {"event_id": "e1", "event_type": "Stop", "source": "hook", "event_time": STAMP, "runtime_id": "r2"}
    stub.answer("GET /v1/events", {"items": [row]})
    result = out(short_dir, "events", "codex", "--limit", "5", "--before", "e9").splitlines()[1].split()
    assert result[1:6] == ["Stop", "hook", "codex", "host", "%2"]
    assert stub.calls[-1].query == {"limit": ["5"], "before": ["e9"], "pane": ["pane:host/a%2Fb/@2/%2"]}
    out(short_dir, "events", "runtime:abc")
    assert stub.calls[-1].query == {"limit": ["50"], "runtime": ["abc"]}


# --- targets, hooks, daemon


def test_targets_are_added_connected_and_removed(short_dir: Path, stub: Stub) -> None:
    item = {"target": "work", "health": "ok", "kind": "local"}
    stub.answer("POST /v1/targets", {"item": item})
    assert out(short_dir, "target", "add", "work", "--kind", "local", "--tmux-socket", "w") == "added work: ok\n"
    assert stub.calls[-1].body == {"name": "work", "kind": "local", "tmux_socket": "w"}
    steps = [{"step": "reach", "ok": True, "message": "here"}, {"step": "tmux", "ok": False, "message": "none"}]
    stub.answer("POST /v1/targets/work/connect", {"item": item | {"reason": "no_tmux"}, "steps": steps})
    done = agtmux(short_dir, "target", "connect", "work")
    assert (done.returncode, done.stderr) == (6, b"")
    assert done.stdout == b"ok    reach: here\nFAIL  tmux: none\nwork: ok (no_tmux)\n"
    stub.answer("GET /v1/targets", {"items": [item]})
    assert "work" in out(short_dir, "target", "list")
    stub.answer("DELETE /v1/targets/work", {"removed": "work"})
    assert agtmux(short_dir, "target", "remove", "work").returncode == 2
    assert [call.method for call in stub.calls].count("DELETE") == 0
    assert out(short_dir, "target", "remove", "work", "--yes") == "removed work\n"


def test_hooks_are_asked_for_by_absolute_paths(short_dir: Path, stub: Stub) -> None:
    done = {"agent": "claude", "path": "/h/.claude/settings.json", "changed": True, "diff": "+ x", "installed": True,
            "outdated": False, "events": ["Stop"], "notes": ["a note"], "error": None, "backup": "/h/b"}  # fmt: skip
    stub.answer("POST /v1/hooks", {"items": [done]})
    homes = {"CODEX_HOME": "/c", "GEMINI_CLI_HOME": "/g", "PI_CODING_AGENT_DIR": "/p"}
    text = out(short_dir, "hooks", "install", "--agent", "claude", "--dry-run", **homes)
    assert "would change" in text
    assert "+ x" in text
    assert "a note" in text
    assert stub.calls[0].body == {
        "op": "install", "agents": ["claude"], "dry_run": True, "command": f"{command([])[0]} hook",
        "config_homes": {"claude": f"{short_dir}/.claude", "codex": "/c", "gemini": "/g/.gemini",
                         "copilot": f"{short_dir}/.copilot", "opencode": f"{short_dir}/.config/opencode",
                         "pi": "/p", "qwen": f"{short_dir}/.qwen", "cursor": f"{short_dir}/.cursor"},
    }  # fmt: skip
    out(short_dir, "hooks", "status")
    assert "agents" not in stub.calls[1].body
    stub.answer("POST /v1/hooks", {"items": [done | {"error": "cannot read it"}]})
    assert agtmux(short_dir, "hooks", "uninstall").returncode == 1


@pytest.mark.parametrize(
    "argv", [["install", "--help"], ["install", "-h", "--agent", "claude"], ["uninstall", "--help"]]
)
def test_asking_for_help_installs_nothing(short_dir: Path, stub: Stub, argv: list[str]) -> None:
    assert "Usage:" in out(short_dir, "hooks", *argv)
    assert stub.calls == []


def test_a_test_event_has_the_time_that_hooks_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's setting gives a hook ten seconds: a proof that ends it after five proves nothing."""
    assert [time_for({"AGTMUX_HOOK_CAP_MS": cap}) for cap in ("10000", "250", "", "x", "9" * 20)] == [13, 5, 5, 5, 5]
    monkeypatch.setattr(hooks, "TEST_FOR", 0.0)
    monkeypatch.setattr(hooks, "SPOOLED_FOR", 0.0)
    monkeypatch.setenv("AGTMUX_HOOK_CAP_MS", "60000")
    send_test({"command": f"cat > {tmp_path}/came"})
    assert "agtmux_test" in (tmp_path / "came").read_text()


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


def test_a_shell_is_told_the_completions(short_dir: Path) -> None:
    done = agtmux(short_dir, _AGTMUX_COMPLETE="bash_complete", COMP_WORDS="agtmux target re", COMP_CWORD="2")
    assert done.stdout == b"plain,remove\n"


def test_it_runs_as_a_module_too(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing())
    python = str(Path(command([])[0]).parent / "python")
    done = subprocess.run([python, "-m", "agtmux", "ls"], capture_output=True, env=environment(short_dir), check=False)
    assert done.returncode == 0
