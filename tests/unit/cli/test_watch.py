"""``agtmux watch``: the daemon's lines unchanged, through breaks and restarts, and drawn as a table."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until
from tests.unit.daemon_stub import STAMP, Call, Stub, agtmux, command, environment, error, listing, pane


def line(kind: str, sequence: int, **fields: Any) -> bytes:
    head = {"schema_version": "1.0", "type": kind, "cursor": f"s:{sequence}", "sequence": sequence, "emitted_at": STAMP}
    return json.dumps(head | {"summary": listing()["summary"]} | fields, separators=(" ,", ":")).encode() + b"\n"


SNAPSHOT = line("snapshot", 1, items=[pane("%1")])
DELTA = line("delta", 2, changes=[{"op": "upsert", "identity": pane("%2")["identity"], "item": pane("%2")}])


class Stream:
    """The watch route: each connection takes the next script, a list of lines; ``None`` breaks the connection off and
    ``...`` keeps it open."""

    def __init__(self, *scripts: list[Any]) -> None:
        self.scripts = list(scripts)
        self.end = threading.Event()

    def __call__(self, call: Call) -> tuple[int, Any]:
        script = self.scripts.pop(0) if self.scripts else [...]
        if isinstance(script, dict):
            return 400, script
        return 200, self._lines(script)

    def _lines(self, script: list[Any]) -> Iterator[bytes]:
        for item in script:
            if item is None:
                raise ConnectionAbortedError
            if item is ...:
                self.end.wait(60)
                return
            yield item


Serve = Callable[..., tuple[Stub, Stream]]


@pytest.fixture
def serve(short_dir: Path) -> Iterator[Serve]:
    made: list[tuple[Stub, Stream]] = []

    def start(*scripts: Any) -> tuple[Stub, Stream]:
        (short_dir / "run").mkdir(mode=0o700, exist_ok=True)
        stub, stream = Stub(short_dir / "run" / "agtmuxd.sock"), Stream(*scripts)
        stub.routes["GET /v1/watch"] = stream
        stub.start()
        made.append((stub, stream))
        return stub, stream

    yield start
    for stub, stream in made:
        stream.end.set()
        stub.stop()


class Watching:
    """A running ``agtmux watch`` whose output is read line by line."""

    def __init__(self, folder: Path, *argv: str) -> None:
        self.process = subprocess.Popen(
            command(["watch", *argv]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            env=environment(folder, AGTMUX_NO_AUTOSTART="1"),
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out, self.err = self.process.stdout, self.process.stderr

    def close(self, number: int = signal.SIGINT) -> tuple[int, bytes]:
        """End it; its exit status and what it said on stderr."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, bytes]:
        status = self.process.wait(30)
        result = self.err.read()
        self.out.close()
        self.err.close()
        return status, result


@pytest.mark.tc("TC-021")
def test_lines_pass_unchanged_and_each_at_once(short_dir: Path, serve: Serve) -> None:
    serve([SNAPSHOT, DELTA, ...])
    watching = Watching(short_dir)
    assert [watching.out.readline(), watching.out.readline()] == [SNAPSHOT, DELTA]
    assert watching.close() == (130, b"")


@pytest.mark.tc("TC-021")
def test_once_prints_one_snapshot_and_ends(short_dir: Path, serve: Serve) -> None:
    stub, _ = serve([SNAPSHOT])
    done = agtmux(short_dir, "watch", "--once", "--format", "jsonl", "--agent", "claude", "--scope", "panes")
    assert (done.returncode, done.stdout, done.stderr) == (0, SNAPSHOT, b"")
    assert stub.calls[0].query == {"agent": ["claude"], "scope": ["panes"], "once": ["true"]}


def test_its_options_are_handed_on(short_dir: Path, serve: Serve) -> None:
    stub, _ = serve([])
    options = ["--cursor", "s:7", "--interval", "500ms", "--heartbeat", "15s", "--scope", "windows", "--no-reconnect"]
    assert agtmux(short_dir, "watch", *options).returncode == 0
    assert stub.calls[0].query == {
        "cursor": ["s:7"], "interval": ["500ms"], "heartbeat": ["15s"], "scope": ["windows"],
    }  # fmt: skip


@pytest.mark.tc("TC-051")
def test_a_broken_connection_is_resumed_at_the_last_line(short_dir: Path, serve: Serve) -> None:
    stub, _ = serve([SNAPSHOT, None], [DELTA, None], [line("heartbeat", 9), None], [...])
    watching = Watching(short_dir)
    lines = [watching.out.readline() for _ in range(3)]
    assert lines == [SNAPSHOT, DELTA, line("heartbeat", 9)]
    until(lambda: len(stub.calls) == 4)
    assert [call.query.get("cursor") for call in stub.calls] == [None, ["s:1"], ["s:2"], ["s:9"]]
    status, result = watching.close()
    assert status == 130
    assert result.startswith(b"agtmux: lost the daemon")


@pytest.mark.tc("TC-051")
def test_a_watcher_survives_a_restart_of_the_daemon(short_dir: Path, serve: Serve) -> None:
    goodbye = line("reset", 5, reason="shutdown")
    first, stream = serve([SNAPSHOT, goodbye])
    watching = Watching(short_dir)
    assert [watching.out.readline(), watching.out.readline()] == [SNAPSHOT, goodbye]
    first.stop()
    stream.end.set()
    assert b"lost the daemon" in watching.err.readline()
    second, _ = serve([DELTA, ...])
    assert watching.out.readline() == DELTA
    assert second.calls[0].query["cursor"] == ["s:1"]
    watching.close()


@pytest.mark.tc("TC-020")
def test_after_a_reset_only_a_snapshot_will_do(short_dir: Path, serve: Serve) -> None:
    stub, _ = serve([SNAPSHOT, line("reset", 6, reason="slow"), None], [...])
    watching = Watching(short_dir)
    until(lambda: len(stub.calls) == 2)
    assert "cursor" not in stub.calls[1].query
    watching.close()


def test_a_cursor_that_the_daemon_no_longer_knows_is_given_up_for_a_snapshot(short_dir: Path, serve: Serve) -> None:
    stub, _ = serve([SNAPSHOT, None], error("E_CURSOR_INVALID", "from the future"), [SNAPSHOT, ...])
    watching = Watching(short_dir)
    assert [watching.out.readline(), watching.out.readline()] == [SNAPSHOT, SNAPSHOT]
    assert [call.query.get("cursor") for call in stub.calls] == [None, ["s:1"], None]
    watching.close()


@pytest.mark.tc("TC-018")
def test_a_wrong_cursor_of_the_callers_is_an_error(short_dir: Path, serve: Serve) -> None:
    serve(error("E_CURSOR_INVALID", "no cursor looks like that"))
    done = agtmux(short_dir, "watch", "--cursor", "bogus")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"agtmux: no cursor looks like that (E_CURSOR_INVALID)\n"


def test_without_reconnecting_a_broken_connection_ends_it(short_dir: Path, serve: Serve) -> None:
    serve([SNAPSHOT, None])
    done = agtmux(short_dir, "watch", "--no-reconnect")
    assert (done.returncode, done.stdout) == (3, SNAPSHOT)
    assert done.stderr.endswith(b"(E_DAEMON_UNREACHABLE)\n")


def test_a_reader_that_leaves_ends_it_even_while_nothing_happens(short_dir: Path, serve: Serve) -> None:
    serve([SNAPSHOT, ...])
    watching = Watching(short_dir)
    assert watching.out.readline() == SNAPSHOT
    watching.out.close()
    assert watching.ended() == (0, b"")


def test_without_a_daemon_it_says_so(short_dir: Path) -> None:
    assert agtmux(short_dir, "watch").returncode == 3


# --- the table


def test_a_table_in_a_pipe_is_plain(short_dir: Path, serve: Serve) -> None:
    serve([SNAPSHOT])
    text = agtmux(short_dir, "watch", "--once", "--format", "table").stdout.decode()
    assert text.splitlines()[0].startswith("STATE")
    assert "running" in text


def test_on_a_terminal_the_table_follows_the_stream(short_dir: Path, serve: Serve) -> None:
    changed = pane("%1", state="waiting_input", attention="needs_action")
    stub, _ = serve(
        [SNAPSHOT, line("delta", 2, changes=[{"op": "upsert", "identity": changed["identity"], "item": changed}]), ...]
    )
    master, slave = pty.openpty()
    env = environment(short_dir, AGTMUX_NO_AUTOSTART="1", COLUMNS="100", LINES="20")
    process = subprocess.Popen(command(["watch"]), stdin=slave, stdout=slave, stderr=slave, env=env)
    os.close(slave)
    drawn = bytearray()
    while b"waiting_input" not in drawn:
        drawn += os.read(master, 65536)
    assert stub.calls[0].query["interval"] == ["2s"]
    process.send_signal(signal.SIGINT)
    try:
        while piece := os.read(master, 65536):
            drawn += piece
    except OSError:
        os.close(master)
    assert process.wait(30) == 130
    assert b"Traceback" not in drawn
    assert b"\x1b[?1049l" in drawn  # the terminal's own screen is back


@pytest.mark.parametrize("kind", ["dumb", "unknown", None])
def test_a_terminal_that_cannot_be_drawn_on_gets_one_table_below_the_other(
    short_dir: Path, serve: Serve, kind: str | None
) -> None:
    changed = pane("%1", state="waiting_input", attention="needs_action")
    serve(
        [SNAPSHOT, line("delta", 2, changes=[{"op": "upsert", "identity": changed["identity"], "item": changed}]), ...]
    )
    master, slave = pty.openpty()
    env = environment(short_dir, AGTMUX_NO_AUTOSTART="1", COLUMNS="100", LINES="20") | ({"TERM": kind} if kind else {})
    if kind is None:
        env.pop("TERM", None)
    process = subprocess.Popen(command(["watch"]), stdin=slave, stdout=slave, stderr=slave, env=env)
    os.close(slave)
    drawn = bytearray()
    while b"waiting_input" not in drawn:
        drawn += os.read(master, 65536)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    os.close(master)
    assert drawn.count(b"STATE") == 2
    assert b"\x1b[?1049h" not in drawn
