"""List recorded actions (``agtmux actions``). Owns its options."""

from __future__ import annotations

import sys
import time

import click

from agtmux import render
from agtmux.cli import completion_values
from agtmux.cli import ref as refs
from agtmux.cli.context import App, pass_app, shared, write_body


@click.command()
@click.argument("ref", required=False, shell_complete=completion_values.refs)
@click.option("--action", metavar="ACTION_ID", help="Show only this action.")
@click.option("--kind", metavar="KIND", help="Show only this kind: send, approve, kill, …")
@click.option("--since", metavar="TIME", help="Show only actions requested since TIME (RFC 3339).")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Show at most this many.")
@click.option("--before", metavar="ACTION_ID", help="Show only actions older than this one (the next page).")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def actions(
    app: App,
    ref: str | None,
    action: str | None,
    kind: str | None,
    since: str | None,
    limit: int,
    before: str | None,
    as_json: bool,
) -> None:
    """List actions and their results, newest first.

    Each row shows who asked, what for, on which runtime, and the result.

    REF is a full ref (pane:…, runtime:…) or, if unique, a pane id (%12), a position (work:1.0) or an agent (claude).

    \b
    Examples:
      agtmux actions --limit 20
      agtmux actions %12 --json
      agtmux events --action 019a…   list the events of one action
    """
    client = app.client()
    params: dict[str, str | None] = {
        "action": action, "kind": kind, "since": since, "limit": str(limit), "before": before,
    }  # fmt: skip
    if ref is not None:
        full = refs.resolve(ref, client)
        what, _, rest = full.partition(":")
        params |= {"runtime": rest} if what == "runtime" else {"pane": full}
    reply = client.actions(params)
    if as_json:
        write_body(reply.body)
        return
    items, now = reply.json().get("items") or [], time.time()
    if app.styled():
        render.console(app.color).print(render.ListingView("actions", {"items": items}, now))
    else:
        sys.stdout.write(render.plain("actions", items, now))
