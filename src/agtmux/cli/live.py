"""Follow the daemon's stream across its restarts, and keep a table live (``agtmux watch`` and ``agtmux ls --watch``).

Owns reconnecting, the cursor to continue from, the rows of the table and their order, and when it is drawn again.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress

from agtmux import render
from agtmux.cli.context import App
from agtmux.protocol.errors import CODES, AgtmuxError
from agtmux.transport import Exchange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from agtmux.client import Client

    Item = dict[str, Any]

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
LISTEN = 1.0
"""Seconds to wait for a line at a time. A Ctrl-C in the instant before such a wait is noticed after it."""
REDRAW = 2.0
"""Seconds after which a table is drawn again, because ages grow."""
_LAST = len(render.STATES)


def show_table(app: App, scope: str, params: dict[str, Any], *, reconnect: bool, live: bool, sort: str = "") -> None:
    """Show the rows of a stream as a table until it ends.

    ``params``: of the stream. ``live``: draw in place, else print one table below the other. ``sort``: as for listings.
    Raises AgtmuxError, BrokenPipeError and KeyboardInterrupt.
    """
    follower, rows = Follower(app, params, reconnect=reconnect), Rows(sort or "attention")
    if not live:
        for line in follower.lines(lambda: None, LISTEN):
            if rows.apply(json.loads(line)):
                _print(app, scope, rows)
        return

    def screen() -> render.ListingView:
        return render.ListingView(scope, rows.body, time.time(), quiet=app.quiet, in_place=True)

    with _resizes() as resized, render.live(screen(), app.color) as drawn:
        for line in follower.lines(lambda: drawn.update(screen(), refresh=True), REDRAW, wake=resized):
            if rows.apply(json.loads(line)):
                drawn.update(screen(), refresh=True)


def can_draw_in_place() -> bool:
    """Return whether standard output is a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


@contextmanager
def _resizes() -> Iterator[int]:
    """Give a descriptor that can be read whenever the terminal was resized."""
    reader, writer = os.pipe()
    for fd in (reader, writer):
        os.set_blocking(fd, False)

    def resized(_number: int, _frame: object) -> None:
        with suppress(BlockingIOError):
            os.write(writer, b"x")

    before = signal.signal(signal.SIGWINCH, resized)
    try:
        yield reader
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(reader)
        os.close(writer)


def _print(app: App, scope: str, rows: Rows) -> None:
    if app.styled():
        render.console(app.color).print(render.ListingView(scope, rows.body, time.time(), quiet=app.quiet))
    else:
        sys.stdout.write(render.plain(scope, rows.body["items"], time.time()))
        sys.stdout.flush()


class Follower:
    """Yields the stream's lines over any number of connections. ``cursor``: where the next connection continues."""

    def __init__(
        self,
        app: App,
        params: dict[str, Any],
        *,
        reconnect: bool,
        lost: Callable[[AgtmuxError], None] | None = None,
    ) -> None:
        """``lost`` is called once for each time that the daemon is lost. By default it is said on stderr."""
        self._app, self._params, self._reconnect = app, params, reconnect
        self._lost = lost or (lambda _error: app.say("lost the daemon; waiting for it to come back"))
        self.cursor: str | None = params["cursor"]
        self._connected = False

    def lines(self, idle: Callable[[], None], every: float, wake: int | None = None) -> Iterator[bytes]:
        """Yield each line of the stream. Call ``idle`` whenever ``every`` seconds passed without one, or ``wake`` could
        be read.

        Ends if the daemon ends the stream and reconnecting is off. Raises AgtmuxError, and BrokenPipeError if nobody
        reads standard output any more.
        """
        client, pause, warned = self._app.client(), FIRST_PAUSE, False
        while True:
            try:
                with self._open(client) as exchange:
                    warned = False
                    while (line := _next(exchange, idle, every, wake)) is not None:
                        self._note(line)
                        pause = FIRST_PAUSE
                        yield line
                if not self._reconnect:
                    return
            except AgtmuxError as error:
                if error.code == "E_CURSOR_INVALID" and self.cursor and self.cursor != self._params["cursor"]:
                    self.cursor = None  # the database lost its last moments: begin with a snapshot
                    continue
                if not self._reconnect or not CODES[error.code].retryable or not self._was_connected(error):
                    raise
                if not warned:
                    self._lost(error)
                    warned = True
            client = self._app.client(autostart=False)
            _pause(pause, idle)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _open(self, client: Client) -> Exchange:
        exchange = client.watch(self._params | {"cursor": self.cursor})
        self._connected = True
        return exchange

    def _was_connected(self, error: AgtmuxError) -> bool:
        return self._connected or error.code != "E_DAEMON_UNREACHABLE"

    def _note(self, line: bytes) -> None:
        """Keep the cursor to continue from. A reset makes the shown rows invalid, so only a snapshot can follow it. But
        a reset that only reports the daemon's shutdown changes nothing.
        """
        try:
            message = json.loads(line)
        except ValueError:
            return
        if message.get("type") == "reset":
            self.cursor = self.cursor if message.get("reason") == "shutdown" else None
        else:
            self.cursor = message.get("cursor") or self.cursor


def _next(exchange: Exchange, idle: Callable[[], None], every: float, wake: int | None) -> bytes | None:
    while not exchange.wait(every, reader=sys.stdout.fileno(), wake=wake):
        idle()
    return exchange.line()


def _pause(seconds: float, idle: Callable[[], None]) -> None:
    time.sleep(seconds)
    idle()


class Rows:
    """The current rows of the stream: a snapshot with its changes applied, in the order of a listing."""

    def __init__(self, sort: str = "attention") -> None:
        self._sort = sort
        self._items: dict[str, Item] = {}
        self.body: Item = {"items": []}

    def apply(self, line: Item) -> bool:
        """Apply one line. False if it changes nothing that is shown."""
        if line.get("type") == "snapshot":
            self._items = {_key(item): item for item in line.get("items") or ()}
        elif line.get("type") == "delta":
            for change in line.get("changes") or ():
                if change.get("op") == "delete":
                    self._items.pop(_key(change), None)
                else:
                    self._items[_key(change)] = change.get("item") or {}
        else:
            return False
        self.body = {**line, "items": ordered(self._items.values(), self._sort)}
        return True


def _key(item: Item) -> str:
    return json.dumps(item.get("identity"), sort_keys=True)


def _by_state(item: Item) -> int:
    state = item.get("state")
    return render.STATES.index(state) if state in render.STATES else _LAST


def _by_attention(item: Item) -> tuple[bool, int, str]:
    return item.get("attention") != "needs_action", _by_state(item), item.get("since") or "~"


def _number(tmux_id: object) -> int:
    digits = str(tmux_id or "")[1:]
    return int(digits) if digits.isdigit() and digits.isascii() else -1


def _by_name(item: Item) -> tuple[str | int, ...]:
    of = item.get("identity") or {}
    return (
        str(of.get("session_name")), item.get("window_index") or 0, _number(of.get("window_id")),
        item.get("pane_index") or 0, _number(of.get("pane_id")), str(of.get("target") or ""),
    )  # fmt: skip


def _by_target(item: Item) -> tuple[str | int, ...]:
    return str((item.get("identity") or {}).get("target") or ""), *_by_name(item)


SORTS: dict[str, Callable[[Item], Any]] = {
    "attention": _by_attention,
    "state": _by_state,
    "since": lambda item: item.get("since"),
    "updated": lambda item: item.get("updated_at"),
    "name": _by_name,
    "target": _by_target,
}
"""The sort orders of a listing, by name. A leading ``-`` reverses one."""


def ordered(items: Iterable[Item], sort: str = "attention") -> list[Item]:
    """Return ``items`` in the order of the daemon's listings. ``sort``: a name of ``SORTS``, maybe after ``-``."""
    rows, key, backwards = sorted(items, key=_by_target), SORTS[sort.removeprefix("-")], sort.startswith("-")
    known = [row for row in rows if key(row) is not None]
    known.sort(key=key, reverse=backwards)
    return known + [row for row in rows if key(row) is None]
