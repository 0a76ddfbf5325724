"""The HTTP side of a fake model: a threaded server on 127.0.0.1 that notes what was asked. Knows no wire format.

A model subclasses ``FakeModel`` and writes its answers through ``Reply``. Requests are kept
in ``seen``, in order, and the last ones as they came in ``bodies``.
"""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that was understood: the keyword that chose the answer, the prompt, and what was sent."""

    script: str
    prompt: str


class Reply:
    """How a model answers one request."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler

    def json(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        """A whole JSON answer."""
        data = json.dumps(body).encode()
        self._handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self._handler.send_header(name, value)
        self._handler.send_header("Content-Length", str(len(data)))
        self._handler.end_headers()
        self._handler.wfile.write(data)

    def stream(self) -> None:
        """Begin an answer of server-sent events; it ends when the connection closes."""
        self._handler.send_response(200)
        self._handler.send_header("Content-Type", "text/event-stream")
        self._handler.send_header("Cache-Control", "no-cache")
        self._handler.send_header("Connection", "close")
        self._handler.end_headers()
        self._handler.close_connection = True

    def event(self, data: object, name: str | None = None) -> None:
        """One server-sent event. Raises OSError when the client has gone."""
        head = f"event: {name}\n" if name else ""
        self.raw(f"{head}data: {json.dumps(data)}\n\n")

    def raw(self, text: str) -> None:
        """Bytes of the stream as they are."""
        self._handler.wfile.write(text.encode())
        self._handler.wfile.flush()

    def wait(self, seconds: float) -> None:
        """Say nothing for so long, but notice a client that has gone (a comment line a second)."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
            if left > 1.0:
                self.raw(": waiting\n\n")


class FakeModel(ABC):
    """A model service that answers from scripts. A context manager; ``port`` is valid inside it."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.seen: list[Seen] = []
        self.user_agents: list[str] = []
        self.bodies: deque[str] = deque(maxlen=50)
        self.port = 0
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._refusals: dict[str, int] = {}

    @property
    def url(self) -> str:
        """Base address, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.model = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def note(self, script: str, prompt: str) -> None:
        """Remember a request."""
        with self._lock:
            self.seen.append(Seen(script, prompt))

    def refuse(self, prompt: str, times: int) -> bool:
        """True for the first ``times`` requests with this prompt."""
        with self._lock:
            self._refusals[prompt] = self._refusals.get(prompt, 0) + 1
            return self._refusals[prompt] <= times

    def get(self, path: str, reply: Reply) -> None:
        """Answer a GET: an empty list, unless the service needs more."""
        reply.json(200, {"data": [], "has_more": False})

    @abstractmethod
    def post(self, path: str, body: dict[str, Any], reply: Reply) -> None:
        """Answer a POST whose body was JSON."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a handler may sit in a script of 25 s
    model: FakeModel

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of every interrupt test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Quiet: ``FakeModel.seen`` is the log."""

    def _model(self) -> FakeModel:
        return cast("_Server", self.server).model

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self._model().get(self.path.split("?")[0], Reply(self))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._model().user_agents.append(self.headers.get("User-Agent") or "")
        self._model().bodies.append(raw.decode("utf-8", "replace"))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            Reply(self).json(400, {"error": {"message": "the body is not a JSON object"}})
            return
        try:
            self._model().post(self.path.split("?")[0], body, Reply(self))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
