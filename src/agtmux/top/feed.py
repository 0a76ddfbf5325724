"""Follow the daemon's stream on a thread of its own: a snapshot, then changes, across restarts of the daemon.

Owns the rows, the cursor and when the daemon counts as lost. Knows no screen: it says that ``view`` has changed, at
most ten times a second.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

from agtmux.protocol.errors import AgtmuxError
from agtmux.top.model import View, row_of, targets_of
from agtmux.transport import ConnectionLostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from agtmux.client import Client
    from agtmux.top.model import Row
    from agtmux.transport import Exchange

EVERY = 0.1
"""Seconds between two changes of what is shown."""
HEARTBEAT = 5.0
"""The daemon says something at least this often (seconds)."""
SILENCE = 12.0
"""Seconds without a line after which the daemon counts as lost."""
TARGETS_EVERY = 10.0
"""Seconds between two looks at the health of targets."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


class Feed:
    """``view`` is what is known, replaced as a whole. ``moved`` is called on this thread after it was replaced.

    ``connect(first)`` gives the client; only the first one may start a daemon.
    """

    def __init__(self, connect: Callable[[bool], Client], clock: Callable[[], float] = time.time) -> None:
        self._connect, self._clock = connect, clock
        self.view = View()
        self.moved: Callable[[], object] = lambda: None
        self._rows: dict[tuple[str, str], Row] = {}
        self._cursor: str | None = None
        self._changed = False
        self._shown_at = self._targets_at = float("-inf")
        self._end = threading.Event()
        self._first = threading.Event()
        self._error: AgtmuxError | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end. It may take a moment, and nothing needs to wait for it."""
        self._end.set()

    def first(self) -> View:
        """Wait for the first snapshot. Raises the AgtmuxError with which the first attempt failed."""
        self._first.wait()
        if self._error is not None:
            raise self._error
        return self.view

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._end.is_set():
            begun = not self._first.is_set()
            try:
                client = self._connect(begun)
                with client.watch({"cursor": self._cursor, "heartbeat": f"{HEARTBEAT:g}s"}) as exchange:
                    pause = FIRST_PAUSE
                    self._found(client)
                    self._read(exchange, client)
                error = AgtmuxError("E_DAEMON_UNREACHABLE", "the daemon ended the stream")
            except AgtmuxError as caught:
                error = caught
            except Exception as caught:  # noqa: BLE001 - the edge of this thread: it goes on, and says why
                error = AgtmuxError("E_INTERNAL", f"the stream could not be read: {caught!r}")
            if begun and not self._first.is_set():
                self._error = error
                self._first.set()
                return
            if error.code in ("E_CURSOR_INVALID", "E_CURSOR_EXPIRED") and self._cursor is not None:
                self._cursor = None
                continue
            self._lose(error)
            self._end.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _read(self, exchange: Exchange, client: Client) -> None:
        """Take in lines until the stream ends. Raises AgtmuxError if the daemon falls silent."""
        last_line_at = time.monotonic()
        while not self._end.is_set():
            now = time.monotonic()
            due = max(0.0, self._shown_at + EVERY - now) if self._changed else EVERY * 5
            if exchange.wait(due):
                line = exchange.line()
                if line is None:
                    return
                last_line_at = time.monotonic()
                self._take(line)
            elif now - last_line_at > SILENCE:
                raise ConnectionLostError(
                    "E_DAEMON_UNREACHABLE", f"the daemon said nothing for {now - last_line_at:.0f} s"
                )
            if self._changed and time.monotonic() >= self._shown_at + EVERY:
                self._show()
            if time.monotonic() >= self._targets_at + TARGETS_EVERY:
                self._look_at_targets(client)

    def _found(self, client: Client) -> None:
        """The daemon is there. With a cursor it may have nothing to say for long."""
        if self.view.lost_at is not None:
            self._look_at_targets(client)
            self.view = replace(self.view, lost_at=None, why="")
            self.moved()

    def _lose(self, error: AgtmuxError) -> None:
        lost_at = self._clock() if self.view.lost_at is None else self.view.lost_at
        self.view = replace(self.view, lost_at=lost_at, why=str(error.message))
        self.moved()

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        kind = message.get("type")
        if kind == "reset":
            if message.get("reason") != "shutdown":  # a daemon that stops takes nothing back
                self._cursor = None
            return
        self._cursor = message.get("cursor") or self._cursor
        if kind == "snapshot":
            rows = (_row(item) for item in message.get("items") or ())
            self._rows = {row.key: row for row in rows if row is not None}
            self._changed = True
        elif kind == "delta":
            for change in message.get("changes") or ():
                self._change(change)

    def _change(self, change: dict[str, Any]) -> None:
        identity = change.get("identity") or {}
        key = (str(identity.get("target")), str(identity.get("pane_id")))
        row = None if change.get("op") == "delete" else _row(change.get("item") or {})
        if row is None:
            self._changed |= self._rows.pop(key, None) is not None
        else:
            self._rows[row.key] = row
            self._changed = True

    def _show(self) -> None:
        self._changed, self._shown_at = False, time.monotonic()
        self.view = replace(self.view, rows=dict(self._rows), cursor=self._cursor)
        if self._first.is_set():
            self.moved()
        self._first.set()

    def _look_at_targets(self, client: Client) -> None:
        self._targets_at = time.monotonic()
        try:
            targets = targets_of(client.targets().json())
        except AgtmuxError:
            return  # the stream will say it too
        if targets != self.view.targets:
            self.view = replace(self.view, targets=targets)
            self.moved()


def _row(item: dict[str, Any]) -> Row | None:
    """Return the row of an item. One that cannot be read costs no other row anything."""
    try:
        return row_of(item)
    except (AttributeError, TypeError, ValueError):
        return None
