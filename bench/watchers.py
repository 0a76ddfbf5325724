"""Watchers of the stream, many in one thread, and a client that keeps its connection for posting.

Owns only sockets. Reads lines as bytes; parses JSON only where it is asked to.
"""

from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from agtmux.transport import Exchange


class Crowd:
    """``count`` watchers of the panes."""

    def __init__(self, path: str, count: int) -> None:
        self._sockets = []
        self._selector = selectors.DefaultSelector()
        self._text: dict[int, bytes] = {}
        for i in range(count):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(path)
            sock.sendall(b"GET /v1/watch HTTP/1.1\r\nHost: a\r\n\r\n")
            self._sockets.append(sock)
            self._selector.register(sock, selectors.EVENT_READ, i)
        self.all_have(b'"type":"snapshot"', 20)

    def all_have(self, marker: bytes, timeout: float) -> float:
        """Wait until each watcher got ``marker`` in what came since the last call; the clock then."""
        missing = set(range(len(self._sockets)))
        tails = dict.fromkeys(missing, b"")
        end = time.perf_counter() + timeout
        while missing:
            ready = self._selector.select(max(0.0, end - time.perf_counter()))
            if not ready:
                raise TimeoutError(f"{len(missing)} watchers got no {marker!r}")
            for key, _ in ready:
                i: int = key.data
                tails[i] = tails[i][-64:] + self._sockets[i].recv(1 << 20)
                if marker in tails[i]:
                    missing.discard(i)
        return time.perf_counter()

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._selector.close()


class TimedWatcher:
    """One watcher in a thread: notes when which pane was first told of in which state."""

    def __init__(self, path: str) -> None:
        self._exchange = Exchange(path, "GET", "/v1/watch")
        self.heard: list[tuple[float, dict[str, Any]]] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._listen, name="ear", daemon=True)
        self._exchange.line()
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                line = self._exchange.line()
            except (OSError, RuntimeError, ValueError):
                return
            now = time.perf_counter()
            if line is None:
                return
            body = json.loads(line)
            items = [change["item"] for change in body.get("changes", ()) if "item" in change]
            with self._news:
                self.heard += [(now, item) for item in items]
                self._news.notify_all()

    def first(self, wanted: Callable[[dict[str, Any]], bool], since: float, timeout: float) -> float | None:
        """When the first matching item came at or after ``since``; None if none did within ``timeout`` seconds."""
        end = time.perf_counter() + timeout
        with self._news:
            while True:
                for at, item in self._after(since):
                    if wanted(item):
                        return at
                left = end - time.perf_counter()
                if left <= 0:
                    return None
                self._news.wait(left)

    def _after(self, since: float) -> Iterator[tuple[float, dict[str, Any]]]:
        return iter([pair for pair in self.heard if pair[0] >= since])


class Poster:
    """Posts bodies over one kept connection."""

    def __init__(self, path: str) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.connect(path)
        self._left = b""

    def request(self, method: str, target: str, body: bytes = b"") -> bytes:
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
        head = f"{method} {target} HTTP/1.1\r\nHost: a\r\n{kind}\r\n\r\n"
        self._sock.sendall(head.encode() + body)
        while b"\r\n\r\n" not in self._left:
            self._more()
        head_text, _, self._left = self._left.partition(b"\r\n\r\n")
        status = int(head_text.split(b" ", 2)[1])
        size = next(
            int(line.split(b":")[1]) for line in head_text.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        while len(self._left) < size:
            self._more()
        answer, self._left = self._left[:size], self._left[size:]
        if status != 200:
            raise RuntimeError(f"{method} {target}: {status} {answer[:300]!r}")
        return answer

    def _more(self) -> None:
        data = self._sock.recv(1 << 20)
        if not data:
            raise RuntimeError("the daemon hung up")
        self._left += data

    def close(self) -> None:
        self._sock.close()
