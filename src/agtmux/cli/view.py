"""Show what a pane shows (``agtmux view-output``). Owns its options."""

from __future__ import annotations

import sys
import time

import click

from agtmux.cli import completion_values
from agtmux.cli import ref as refs
from agtmux.cli.action_options import guards, perform
from agtmux.cli.context import App, pass_app, shared, write_body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from agtmux.client import Client

EVERY = 0.5
"""Seconds between two readings of ``--follow``."""
FOLLOWED = 200
"""Rows that each reading takes."""


@click.command("view-output")
@click.argument("ref", shell_complete=completion_values.refs)
@click.option(
    "--lines", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Print at most this many rows."
)
@click.option("--ansi", is_flag=True, help="Keep colours and styles in the output.")
@click.option("-f", "--follow", is_flag=True, help="Keep printing new rows until the agent ends or you press Ctrl-C.")
@guards
@shared()
@pass_app
def view_output(app: App, ref: str, lines: int, ansi: bool, follow: bool, guard: dict[str, Any]) -> None:
    """Show what is on a pane's screen.

    Prints the last rows, also those that scrolled away, without control sequences.

    REF is a full ref (pane:…, runtime:…) or, if unique, a pane id (%12), a position (work:1.0) or an agent (claude).

    \b
    Examples:
      agtmux view-output %12
      agtmux view-output claude --lines 2000 --ansi | less -R
      agtmux view-output %12 --follow
    """
    if follow and guard["json"]:
        raise click.UsageError("give --follow or --json, not both")
    client = app.client()
    full = refs.resolve(ref, client)
    reply = perform(app, client, "view-output", full, guard, lines=lines, ansi=ansi)
    if guard["json"]:
        write_body(reply.body)
        return
    body = reply.json()
    result = body.get("result") or {}
    shown = str(result.get("output") or "")
    sys.stdout.write(shown)
    if result.get("truncated"):
        app.say(f"older rows are left out: use --lines {min(lines * 5, 10_000)} to see more")
    if follow:
        try:
            _follow(app, client, full, guard, body, shown, ansi=ansi)
        except KeyboardInterrupt:
            click.get_current_context().exit(130)


def _follow(
    app: App, client: Client, ref: str, guard: dict[str, Any], first: Mapping[str, Any], shown: str, *, ansi: bool
) -> None:
    """Read the pane again and again, and print the new rows. Raises AgtmuxError when the agent ends."""
    seen = {**guard, "request_ref": None, "if_runtime": guard["if_runtime"] or first.get("runtime_id")}
    before = shown.splitlines()
    while True:
        sys.stdout.flush()
        time.sleep(EVERY)
        body = perform(
            app, client, "view-output", ref, seen, lines=FOLLOWED, ansi=ansi, again=first["action_id"]
        ).json()
        rows = str((body.get("result") or {}).get("output") or "").splitlines()
        for row in added(before, rows):
            sys.stdout.write(row + "\n")
        before = rows


def added(before: list[str], rows: list[str]) -> list[str]:
    """Return the new rows: those after the longest end of ``before`` that ``rows`` continues.

    A screen that was redrawn continues nothing. Then all rows count that were not there before.
    """
    for size in range(min(len(before), len(rows)), max(1, min(3, len(before))) - 1, -1):
        tail = before[len(before) - size :]
        for start in range(len(rows) - size, -1, -1):
            if rows[start : start + size] == tail:
                return rows[start + size :]
    known = set(before)
    return [row for row in rows if row not in known]
