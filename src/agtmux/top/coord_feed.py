"""Hear of changes of coordination on a thread, only while somebody looks at them.

Knows no screen and reads no list: it says which tabs are old.
"""

from __future__ import annotations

import json
import os
import threading
import time

from agtmux.protocol.errors import AgtmuxError
from agtmux.top.coord_lists import TABS, tabs_of
from agtmux.transport import ConnectionLostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from agtmux.client import Client
    from agtmux.transport import Exchange

HEARTBEAT = 5.0
SILENCE = 12.0
"""Seconds without a line after which the daemon counts as lost."""
PAUSE = 2.0
"""Seconds before the stream is opened again."""
TOGETHER = 0.2
"""Seconds in which changes are taken together."""


class CoordFeed:
    """``old`` gets the tabs that are old, ``lost`` an error. Both are called on the thread of the feed."""

    def __init__(
        self, client: Callable[[], Client], old: Callable[[frozenset[str]], object], lost: Callable[[str], object]
    ) -> None:
        self._client, self._old, self._lost = client, old, lost
        self._end = threading.Event()
        self._wake, self._ring = os.pipe()
        self._lock, self._closed = threading.Lock(), False
        self._thread = threading.Thread(target=self._run, name="coordination", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the stream now. The thread closes what it has open."""
        with self._lock:
            if not self._closed and not self._end.is_set():
                os.write(self._ring, b"x")
            self._end.set()

    def join(self, seconds: float) -> bool:
        """Wait for the thread. True if it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                params = {"scope": "coord", "heartbeat": f"{HEARTBEAT:g}s"}
                with self._client().watch(params) as exchange:
                    self._read(exchange)
            except AgtmuxError as error:
                if not self._end.is_set():
                    self._lost(str(error.message))
            self._end.wait(PAUSE)
        with self._lock:
            self._closed = True
            os.close(self._wake)
            os.close(self._ring)

    def _read(self, exchange: Exchange) -> None:
        old: set[str] = set()
        due = 0.0
        while not self._end.is_set():
            left = max(0.0, due - time.monotonic()) if old else SILENCE
            if exchange.wait(left, wake=self._wake):
                line = exchange.line()
                if line is None:
                    return
                if not old:
                    due = time.monotonic() + TOGETHER
                old |= _tabs(line)
            elif not old and not self._end.is_set():
                raise ConnectionLostError("E_DAEMON_UNREACHABLE", f"the daemon said nothing for {SILENCE:g} s")
            if old and time.monotonic() >= due and not self._end.is_set():
                self._old(frozenset(old))
                old.clear()


def _tabs(line: bytes) -> frozenset[str]:
    try:
        message = json.loads(line)
    except ValueError:
        return frozenset()
    if message.get("type") == "snapshot":
        return frozenset(TABS)
    if message.get("type") != "delta":
        return frozenset()
    return tabs_of(str((change.get("identity") or {}).get("kind")) for change in message.get("changes") or ())
