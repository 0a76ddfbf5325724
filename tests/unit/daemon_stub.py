"""A small real HTTP server over a Unix socket that answers with canned bodies: the daemon as the CLI sees it.

Knows the wire, not the daemon. A route is a function from a Call to ``(status, body)``, the body bytes, an object or an
iterator of lines (then it goes out chunked).
"""

from __future__ import annotations

import json
import os
import pty
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

STAMP = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: dict[str, list[str]]
    body: Any


Route = Callable[[Call], tuple[int, Any]]


@dataclass
class Stub:
    """``calls`` are the requests so far; ``routes`` maps ``"GET /v1/panes"`` to a Route."""

    socket: Path
    routes: dict[str, Route] = field(default_factory=dict)
    version: str = "9.0.0"
    calls: list[Call] = field(default_factory=list)
    _server: Any = None

    def start(self) -> Stub:
        self.socket.unlink(missing_ok=True)
        self._server = _Server(str(self.socket), _Handler)
        self._server.stub = self
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            self.socket.unlink(missing_ok=True)

    def answer(self, route: str, body: Any, status: int = 200) -> None:
        self.routes[route] = lambda _: (status, body)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    stub: Stub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def version_string(self) -> str:
        return f"agtmuxd/{self.server.stub.version}"

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _serve(self) -> None:
        stub = self.server.stub
        url = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        call = Call(self.command, unquote(url.path), parse_qs(url.query), json.loads(raw) if raw else None)
        stub.calls.append(call)
        route = stub.routes.get(f"{call.method} {call.path}")
        status, body = route(call) if route else (404, error("E_INVALID_REQUEST", f"no route {call.path}"))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if isinstance(body, Iterator):
            self._stream(body)
            return
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    def _stream(self, lines: Iterator[bytes]) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that http.server calls


def error(code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "schema_version": "1.0",
        "error": {"code": code, "message": message, "details": details or {}, "retryable": False},
    }


def pane(pane_id: str = "%1", **fields: Any) -> dict[str, Any]:
    """A pane item with every field of the API."""
    identity = {"target": "host", "session_name": "work", "window_id": "@1", "pane_id": pane_id}
    return {
        "ref": f"pane:host/work/@1/{pane_id}", "identity": identity, "agent_type": "claude", "agent_version": "2.1",
        "agent_session_id": "s", "runtime_id": "r" * 16, "pid": 7, "pane_epoch": 1, "state": "running",
        "reason_code": "hook", "confidence": "definitive", "state_version": 3, "since": STAMP, "updated_at": STAMP,
        "last_seen_at": STAMP, "attention": "none", "attention_since": None, "title": "a title", "task": None,
        "waiting_for": None, "accepts_input": True, "background_tasks": 0, "resumed": False, "last_known": None,
        "window_name": "w", "window_index": 1, "pane_index": 0, "session_id": "$1", "cwd": "/tmp", "command": "claude",
        "source": "hook", "project": "agtmux", "branch": "main", "worktree": None, "agent_name": None, "message": None,
        "message_at": None,
        **fields,
    }  # fmt: skip


def listing(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The body of a listing of panes."""
    by_state: dict[str, int] = {}
    for item in items:
        by_state[str(item["state"])] = by_state.get(str(item["state"]), 0) + 1
    needs = sum(item["attention"] == "needs_action" for item in items)
    return {
        "schema_version": "1.0", "generated_at": STAMP, "filters": {}, "partial": False,
        "summary": {"total": len(items), "by_state": by_state, "by_attention": {"needs_action": needs}},
        "requested_targets": ["host"], "responded_targets": ["host"], "target_errors": [], "items": list(items),
        **fields,
    }  # fmt: skip


def environment(folder: Path, **extra: str) -> dict[str, str]:
    """An environment in which agtmux keeps everything below ``folder``."""
    from tests.conftest import clean_environment  # late: who is only a stub needs no pytest, and is there sooner

    own = {"AGTMUX_RUNTIME_DIR": str(folder / "run"), "AGTMUX_STATE_DIR": str(folder / "state")}
    return clean_environment({**own, "AGTMUX_CONFIG": str(folder / "config.toml"), "HOME": str(folder), **extra})


def agtmux(folder: Path, *argv: str, stdin: bytes = b"", **extra: str) -> subprocess.CompletedProcess[bytes]:
    """Run the real command line as its own process, without autostart unless ``extra`` says so."""
    env = environment(folder, **{"AGTMUX_NO_AUTOSTART": "1", **extra})
    return subprocess.run(command(argv), input=stdin, capture_output=True, timeout=60, env=env, check=False)


def command(argv: Sequence[str]) -> list[str]:
    """The installed console script with these arguments."""
    return [str(Path(sys.executable).parent / "agtmux"), *argv]


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
