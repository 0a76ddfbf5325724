"""Explain a pane's state, or what the rules find on a captured screen (``agtmux explain``).

Owns the command, and the wording for captured screens.
"""

from __future__ import annotations

import time

import click

from agtmux.cli import completion_values
from agtmux.cli import ref as refs
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.cli.explain_text import explanation, section, too_old, waits
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO, Any

    Row = Mapping[str, Any]


_MOST = 262_144
"""Characters of a captured screen that the daemon accepts."""
_SCREEN = click.File("r", encoding="utf-8", errors="replace")


@click.command()
@click.argument("ref", required=False, shell_complete=completion_values.refs)
@click.option("--file", "screen", type=_SCREEN, help="Read a captured screen instead of a pane; - for standard input.")
@click.option("--agent", metavar="AGENT", help="With --file: use the rules of this agent.")
@click.option("--title", default="", help="With --file: set the pane's title.")
@click.option("--cols", type=click.IntRange(1, 10_000), help="With --file: set the pane's width.")
@click.option("--rows", type=click.IntRange(1, 10_000), help="With --file: set the pane's height.")
@click.option(
    "--cursor", type=(int, int), default=(0, 0), metavar="X Y", help="With --file: set the cursor's position."
)
@click.option("--cursor-hidden", is_flag=True, help="With --file: the cursor is hidden (#{cursor_flag} is 0).")
@click.option("--before", metavar="CLAIM", help="With --file: set the claim of the previous screen, e.g. running.")
@click.option("--all", "every", is_flag=True, help="With --file: also show why the other rules do not match.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def explain(
    app: App,
    ref: str | None,
    screen: IO[str] | None,
    agent: str | None,
    title: str,
    cols: int | None,
    rows: int | None,
    cursor: tuple[int, int],
    cursor_hidden: bool,
    before: str | None,
    every: bool,
    as_json: bool,
) -> None:
    """Explain why a pane is in its state.

    Shows each claim, its source and age, and which claims were ignored.

    REF is a full ref (pane:…, runtime:…) or, if unique, a pane id (%12), a position (work:1.0) or an agent (claude).

    \b
    Examples:
      agtmux explain %12
      agtmux explain work:1.0 --json
      tmux capture-pane -e -p -t %12 | agtmux explain --file - --agent claude
    """
    client = app.client()
    if screen is not None:
        if agent is None or ref is not None:
            raise click.UsageError("--file needs --agent and takes no REF")
        request = {
            "agent": agent, "screen": _read(screen), "title": title, "cols": cols, "rows": rows, "before": before,
            "cursor_x": cursor[0], "cursor_y": cursor[1], **({"cursor_visible": False} if cursor_hidden else {}),
        }  # fmt: skip
        replayed = client.replay(request)
        if as_json:
            write_body(replayed.body)
            return
        for line in replay_story(replayed.json(), every=every):
            click.echo(line)
        return
    if ref is None:
        raise click.UsageError("Missing argument 'REF': give a REF, or --file with --agent.")
    reply = client.explain(refs.resolve(ref, client))
    if as_json:
        write_body(reply.body)
        return
    for line in explanation(reply.json(), time.time()):
        click.echo(line)


def _read(screen: IO[str]) -> str:
    """Read a capture. A usage error if it is longer than any screen (a device, a log)."""
    text = screen.read(_MOST + 1)
    if len(text) > _MOST:
        raise click.UsageError(
            f"the file is longer than {_MOST >> 10} KiB: give a screen captured with tmux capture-pane -e -p"
        )
    return text


def replay_story(body: Row, *, every: bool = False) -> Iterator[str]:
    """Yield what the rules find on a captured screen, line by line, safe for a terminal.

    ``every``: also why rules do not match. If none matches, this is always printed.
    """
    where = clean(body.get("rules_file"), "the shipped rules")
    versions = ", ".join(clean(v) for v in body.get("recorded_on") or ()) or "nothing"
    yield f"{clean(body.get('agent'))}: {where}, recorded on {versions}"
    if body.get("older"):
        yield f"  {too_old(body.get('version'), body.get('oldest_version'))}"
    if body.get("rule") is None:
        yield "  no rule matches: agtmux cannot tell the state from this screen"
    else:
        strength = " (hint)" if body.get("strength") == "hint" else ""
        yield f"  {clean(body.get('claim'))}{strength}, by {clean(body['rule'])}"
    waiting = body.get("waiting_for")
    if waiting:
        yield from waits(waiting)
    yield f"  input field: {clean(body.get('composer'), 'not found')}"
    if body.get("background_tasks"):
        yield f"  background tasks: {body['background_tasks']}"
    rows = [
        f"{rule.get('priority'):>4} {clean(rule.get('rule'))} → {clean(rule.get('claim'))}" for rule in body["matched"]
    ]
    yield from section("Rules that match (the first one decides)", rows, None)
    if every or not rows:
        missed = [f"{clean(rule.get('rule'))}: {clean(rule.get('why'))}" for rule in body.get("missed") or ()]
        yield from section("Rules that do not match", missed, None)
