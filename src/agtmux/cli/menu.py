"""Show a tmux menu of the agents that need you (``agtmux menu``).

Texts of panes stand in the menu as they are: tmux runs none of them. A choice runs ``agtmux jump`` with a full ref.
"""

from __future__ import annotations

import re
import time

import click

from agtmux.cli.attach import become
from agtmux.cli.context import App, pass_app, shared
from agtmux.cli.jump import waiting
from agtmux.cli.tmux_plugin import menu_command, own_argv, popup_options
from agtmux.cli.tmux_server import TmuxServer
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.tmux_quote import format_literal, line
from agtmux.render import age, clean, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from agtmux.cli.tmux_server import Client

    Item = Mapping[str, Any]

MOST = 20
"""Agents in a menu. ``agtmux top`` shows all."""
COLUMNS = 70
"""Cells of an entry."""
MOST_PLACE = 30
"""Characters of a place."""
_FRAME = 6
"""Rows and columns of a client that a menu leaves free."""
_REF = re.compile(r"runtime:[A-Za-z0-9._:-]{16,128}|pane:[A-Za-z0-9._-]+/[!-.0-~]*/@[0-9]+/%[0-9]+")


@click.command()
@click.option("-c", "--client", "client_name", metavar="NAME", help="Show the menu on this tmux client.")
@shared()
@pass_app
def menu(app: App, client_name: str | None) -> None:
    """Show a tmux menu of agents that need you.

    Choose one to go to its pane. Those that wait longest stand first.

    \b
    Examples:
      agtmux menu
      tmux bind-key a run-shell -b "agtmux menu --client '#{client_name}'"
    """
    server = TmuxServer.here()
    try:
        client = server.client(client_name)
        items = waiting(app.client())
        if not items:
            server.show_message(client.name, "no agent needs you now")
            return
        dashboard = ["display-popup", *popup_options(server), "--", *own_argv(), "top", "--popup"]
        become(server.argv(*menu_words(client, items, own_argv(), dashboard, time.time())))  # it waits for the choice
    except AgtmuxError as error:
        if client_name is None:
            raise
        server.show_error(client_name, error)


def menu_words(
    client: Client, items: Sequence[Item], program: Sequence[str], dashboard: Sequence[str], now: float
) -> list[str]:
    """Return the words of ``display-menu``. ``dashboard``: the tmux command of its last entry."""
    words = ["display-menu", "-c", client.name, "-T", " agents that need you ", "-x", "C", "-y", "C", "--"]
    room = min(COLUMNS, client.columns - _FRAME)
    shown = items[: max(1, min(MOST, client.rows - _FRAME))]
    for number, (item, text) in enumerate(zip(shown, labels(shown, now), strict=True), 1):
        ref = str(item["ref"])
        if not _REF.fullmatch(ref):
            raise AgtmuxError("E_INTERNAL", f"the daemon sent something that is not a ref: {ref[:80]!r}")
        go = [*program, "jump", "--client", client.name, "--", ref]
        words += [_text(text, room), str(number) if number < 10 else "", menu_command(go)]
    return [*words, "", "dashboard", "d", format_literal(line(dashboard).removesuffix("\n"))]


def labels(items: Sequence[Item], now: float) -> list[str]:
    """Return the entry of each agent, in columns: sign, agent, place, age, and what it asks or why it failed."""
    rows = [_columns(item, now) for item in items]
    widths = [max((width(row[n]) for row in rows), default=0) for n in range(3)]
    return [
        " ".join([sign, *(_pad(text, wide) for text, wide in zip(columns, widths, strict=True)), request]).rstrip()
        for (*columns, sign, request) in rows
    ]


def _columns(item: Item, now: float) -> tuple[str, str, str, str, str]:
    """Return agent, place and age, then sign and request."""
    identity, failed = item["identity"], item.get("state") == "error"
    place = f"{clean(identity['session_name'])}:{clean(item.get('window_index'))}.{clean(item.get('pane_index'))}"
    if identity["target"] != "host":
        place = f"{clean(identity['target'])} {place}"
    waits = item.get("waiting_for") or {}
    parts = (
        (item.get("detail") or item.get("reason_code"), item.get("task"))
        if failed
        else (waits.get("subject"), waits.get("text"))
    )
    since = age(item.get("attention_since") or item.get("since"), now)
    request = ": ".join(clean(part) for part in parts if part)
    return clean(item.get("agent_type")), place[:MOST_PLACE], since, "✗" if failed else "!", request


def _pad(text: str, wide: int) -> str:
    return text + " " * (wide - width(text))


def _text(text: str, room: int) -> str:
    """Return a text that a menu shows as it is, cut to ``room`` cells."""
    shown = text[: 2 * room]
    while width(shown) > room:
        shown = shown[:-1]
    if shown != text:
        shown = f"{shown[:-1]}…"
    return format_literal(shown.replace("#[", "# ["))
