"""Print the daemon's stream as it is (jsonl) or as a table, across restarts of the daemon (``agtmux watch``).

Lines are passed on byte for byte. ``cli.live`` owns the table, and how the stream goes on after a break.
"""

from __future__ import annotations

import sys

import click

from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.cli.listing import filters, params_of
from agtmux.cli.live import LISTEN, REDRAW, Follower, can_draw_in_place, show_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@click.command()
@click.option(
    "--scope",
    type=click.Choice(["panes", "windows", "sessions", "coord", "all"]),
    default="panes",
    show_default=True,
    help="Watch rows per pane, window or session. coord: messages, leases and the like. all: panes and coord.",
)
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
    reconnect = not options["no_reconnect"] and not options["once"]
    if not jsonl and options["scope"] in ("coord", "all"):
        raise click.UsageError(f"--scope {options['scope']} has no table: add --format jsonl")
    try:
        if jsonl:
            _pass_on(Follower(app, params, reconnect=reconnect))
        else:
            # A terminal that cannot move its cursor gets one table below the other.
            live = not options["once"] and can_draw_in_place()
            show_table(app, options["scope"], params, reconnect=reconnect, live=live)
    except KeyboardInterrupt:
        click.get_current_context().exit(130)


def _pass_on(follower: Follower) -> None:
    for line in follower.lines(lambda: None, LISTEN):
        write_body(line if line.endswith(b"\n") else line + b"\n")
