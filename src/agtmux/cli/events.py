"""List the events that agents reported (``agtmux events``). Owns its options."""

from __future__ import annotations

import sys
import time

import click

from agtmux import render
from agtmux.cli import completion_values
from agtmux.cli import ref as refs
from agtmux.cli.context import App, pass_app, shared, write_body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


@click.command()
@click.argument("ref", required=False, shell_complete=completion_values.refs)
@click.option("--action", metavar="ACTION_ID", help="Show only events of this action.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Show at most this many.")
@click.option("--before", metavar="EVENT_ID", help="Show only events older than this one (the next page).")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def events(app: App, ref: str | None, action: str | None, limit: int, before: str | None, as_json: bool) -> None:
    """List events that agents reported, newest first.

    With REF, list only the events of that pane or runtime.

    REF is a full ref (pane:…, runtime:…) or, if unique, a pane id (%12), a position (work:1.0) or an agent (claude).

    \b
    Examples:
      agtmux events --limit 20
      agtmux events %12 --json
    """
    client = app.client()
    params: dict[str, str | None] = {"action": action, "limit": str(limit), "before": before}
    if ref is not None:
        full = refs.resolve(ref, client)
        kind, _, rest = full.partition(":")
        params |= {"runtime": rest} if kind == "runtime" else {"pane": full}
    rows = () if as_json else client.listing("panes", {}).json().get("items") or ()
    reply = client.events(params)
    if as_json:
        write_body(reply.body)
        return
    items, now = _with_panes(reply.json().get("items") or [], rows), time.time()
    if app.styled():
        render.console(app.color).print(render.ListingView("events", {"items": items}, now))
    else:
        sys.stdout.write(render.plain("events", items, now))


def _with_panes(items: list[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events with the agents and panes of listed runtimes, because a runtime id tells a person nothing."""
    known = {row.get("runtime_id"): row for row in rows}
    out = []
    for item in items:
        row = known.get(item.get("runtime_id")) or {}
        out.append({"agent_type": row.get("agent_type"), "identity": row.get("identity"), **item})
    return out
