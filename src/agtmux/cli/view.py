"""``agtmux view-output``: what a pane shows. Owns its options."""

from __future__ import annotations

import sys

import click

from agtmux.cli import ref as refs
from agtmux.cli.acting import guards, perform
from agtmux.cli.context import App, pass_app, shared, write_body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@click.command("view-output")
@click.argument("ref")
@click.option("--lines", type=click.IntRange(1, 10_000), default=200, show_default=True, help="At most so many rows.")
@click.option("--ansi", is_flag=True, help="Keep colours and styles.")
@guards
@shared()
@pass_app
def view_output(app: App, ref: str, lines: int, ansi: bool, guard: dict[str, Any]) -> None:
    """What a pane shows and has shown: its last rows, without anything that a terminal would obey.

    REF is pane:…, runtime:…, or where it is unique a pane id (%12), a place (work:1.0) or an agent (claude).

    \b
    Examples:
      agtmux view-output %12
      agtmux view-output claude --lines 2000 --ansi | less -R
    """
    client = app.client()
    reply = perform(app, client, "view-output", refs.resolve(ref, client), guard, lines=lines, ansi=ansi)
    if guard["json"]:
        write_body(reply.body)
        return
    result = reply.json().get("result") or {}
    sys.stdout.write(str(result.get("output") or ""))
    if result.get("truncated"):
        app.say(f"older rows are left out: --lines {min(lines * 5, 10_000)} shows more")
