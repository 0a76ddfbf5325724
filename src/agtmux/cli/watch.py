"""Print the daemon's stream as it is (jsonl) or as a table, across restarts of the daemon (``agtmux watch``).

Owns reconnecting, the cursor to continue from, and the live table's rows. Lines are passed on byte for byte.
"""

from __future__ import annotations

import json
import os
import sys
import time

import click

from agtmux import render
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.cli.listing import filters, params_of
from agtmux.protocol.errors import CODES, AgtmuxError
from agtmux.transport import Exchange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from agtmux.client import Client

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
LISTEN = 1.0
"""Seconds to wait for a line at a time. A Ctrl-C in the instant before such a wait is noticed after it."""
REDRAW = 2.0


@click.command()
@click.option("--scope", type=click.Choice(["panes", "windows", "sessions"]), default="panes", show_default=True,
              help="Show one row per pane, window or session.")  # fmt: skip
@click.option(
    "--format",
    "shape",
    type=click.Choice(["table", "jsonl"]),
    help="Print a table (default on a terminal) or JSON lines (default in a pipe).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (short for --format jsonl).")
@click.option("--cursor", metavar="CURSOR", help="Continue after this place in the stream.")
@click.option("--once", is_flag=True, help="Print one snapshot and exit.")
@click.option("--interval", metavar="DURATION", help="Print at most one line per DURATION, e.g. 500ms or 2s.")
@click.option("--heartbeat", metavar="DURATION", help="Print a heartbeat line if nothing changed for DURATION.")
@click.option("--no-reconnect", is_flag=True, help="Exit when the daemon stops, instead of waiting for it.")
@filters
@shared()
@pass_app
def watch(app: App, **options: Any) -> None:
    """Watch agents live, as a table or as JSON lines.

    \b
    Examples:
      agtmux watch
      agtmux watch --format jsonl --needs-action | jq -c '.changes[]?'
      agtmux watch --once --json
    """
    on_terminal = sys.stdout.isatty()
    jsonl = options["as_json"] or options["shape"] == "jsonl" or (options["shape"] is None and not on_terminal)
    interval = options["interval"] or (None if jsonl or options["once"] else f"{REDRAW:g}s")
    params = params_of(options) | {
        "scope": options["scope"],
        "cursor": options["cursor"],
        "once": "true" if options["once"] else None,
        "interval": interval,
        "heartbeat": options["heartbeat"],
    }
    follower = Follower(app, params, reconnect=not options["no_reconnect"] and not options["once"])
    try:
        if jsonl:
            _pass_on(follower)
        else:
            # A terminal that cannot move its cursor gets one table below the other.
            live = on_terminal and not options["once"] and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
            _draw(app, follower, options["scope"], live=live)
    except KeyboardInterrupt:
        click.get_current_context().exit(130)


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

    def lines(self, idle: Callable[[], None], every: float) -> Iterator[bytes]:
        """Yield each line of the stream. Call ``idle`` whenever ``every`` seconds passed without one.

        Ends if the daemon ends the stream and reconnecting is off. Raises AgtmuxError, and BrokenPipeError if nobody
        reads standard output any more.
        """
        client, pause, warned = self._app.client(), FIRST_PAUSE, False
        while True:
            try:
                with self._open(client) as exchange:
                    warned = False
                    while (line := _next(exchange, idle, every)) is not None:
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


def _next(exchange: Exchange, idle: Callable[[], None], every: float) -> bytes | None:
    while not exchange.wait(every, reader=sys.stdout.fileno()):
        idle()
    return exchange.line()


def _pause(seconds: float, idle: Callable[[], None]) -> None:
    time.sleep(seconds)
    idle()


def _pass_on(follower: Follower) -> None:
    for line in follower.lines(lambda: None, LISTEN):
        write_body(line if line.endswith(b"\n") else line + b"\n")


class Rows:
    """The current rows of the stream: a snapshot with its changes applied, in the order of a listing."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, Any]] = {}
        self.body: dict[str, Any] = {"items": []}

    def apply(self, line: dict[str, Any]) -> bool:
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
        self.body = {**line, "items": sorted(self._items.values(), key=_order)}
        return True


def _key(item: dict[str, Any]) -> str:
    return json.dumps(item.get("identity"), sort_keys=True)


def _order(item: dict[str, Any]) -> tuple[bool, int, str, str]:
    """Return the sort key of a listing's default order: what needs a person first, then by precedence, then the oldest
    first.
    """
    state = item.get("state")
    rank = render.STATES.index(state) if state in render.STATES else len(render.STATES)
    return item.get("attention") != "needs_action", rank, str(item.get("since") or ""), _key(item)


def _draw(app: App, follower: Follower, scope: str, *, live: bool) -> None:
    rows = Rows()
    if not live:
        for line in follower.lines(lambda: None, LISTEN):
            if rows.apply(json.loads(line)):
                _print(app, scope, rows)
        return

    def screen() -> render.ListingView:
        return render.ListingView(scope, rows.body, time.time(), quiet=app.quiet)

    with render.live(screen(), app.color) as drawn:
        for line in follower.lines(lambda: drawn.update(screen(), refresh=True), REDRAW):
            if rows.apply(json.loads(line)):
                drawn.update(screen(), refresh=True)


def _print(app: App, scope: str, rows: Rows) -> None:
    if app.styled():
        render.console(app.color).print(render.ListingView(scope, rows.body, time.time(), quiet=app.quiet))
    else:
        sys.stdout.write(render.plain(scope, rows.body["items"], time.time()))
        sys.stdout.flush()
