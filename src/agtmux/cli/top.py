"""Watch agents in a dashboard (``agtmux top``), or choose one (``agtmux pick``).

Owns the options and ``[top]`` of the configuration. The daemon only checks the types there: keys belong to this
program. The dashboard itself is imported after the stream was opened, so that both load at the same time.
"""

from __future__ import annotations

import os
import sys

import click

from agtmux.cli.attach import become
from agtmux.cli.context import App, config_values, pass_app, shared
from agtmux.client import Client
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

TIMEOUT = 5.0
"""Seconds that a request of the dashboard waits for the daemon."""


def _mouse(function: F) -> F:
    return click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")(function)


@click.command()
@click.option("--popup", is_flag=True, help="Exit after going to a pane, as a tmux popup should.")
@click.option("--pick", "picks", is_flag=True, help="Only choose an agent and go to it (short: agtmux pick).")
@click.option("--print", "prints", is_flag=True, help="With --pick: print the ref instead of going there.")
@_mouse
@shared()
@pass_app
def top(app: App, popup: bool, picks: bool, prints: bool, no_mouse: bool) -> None:
    """Watch agents in a dashboard and act on them.

    Press ? for all keys and q to quit. Nothing is approved by one stroke: the key a opens a card with the request, and
    the same key approves exactly that.

    \b
    Examples:
      agtmux top
      tmux display-popup -E -w 90% -h 85% agtmux top --popup
    """
    if prints and not picks:
        raise click.UsageError("--print needs --pick")
    _run(app, popup=popup, picks=picks, prints=prints, mouse=not no_mouse)


@click.command()
@click.option("--print", "prints", is_flag=True, help="Print the ref of the chosen agent instead of going there.")
@_mouse
@shared()
@pass_app
def pick(app: App, prints: bool, no_mouse: bool) -> None:
    """Attach to an agent that you choose from a list.

    Type to narrow the list, press Enter to go there, Escape to leave.

    \b
    Examples:
      agtmux pick
      agtmux explain "$(agtmux pick --print)"
    """
    _run(app, popup=False, picks=True, prints=prints, mouse=not no_mouse)


def _run(app: App, *, popup: bool, picks: bool, prints: bool, mouse: bool) -> None:
    """Draw until the person leaves. Raises AgtmuxError if there is no terminal, no daemon, or a wrong setting."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or os.environ.get("TERM", "dumb") in ("dumb", "unknown"):
        raise AgtmuxError("E_INVALID_REQUEST", "the dashboard needs a terminal: use agtmux ls or agtmux watch instead")
    from agtmux.top.feed import Feed
    from agtmux.top.keys import read_keymap

    settings = _settings()
    keymap = read_keymap(settings.get("keys", {}))

    def connect(first: bool = False) -> Client:
        """Only the first client may start a daemon, and say so on the terminal."""
        return app.client(timeout=TIMEOUT) if first else Client(timeout=TIMEOUT)

    feed = Feed(connect)
    feed.start()
    _colours(app.color)
    from agtmux.top.app import Dashboard  # while the stream is opened
    from agtmux.top.panels import Options
    from agtmux.top.themes import find_theme

    feed.first()
    colours = "NO_COLOR" not in os.environ
    folder = os.path.join(os.path.dirname(paths.config_file()), "themes")
    theme, own = find_theme(settings.get("theme"), os.environ.get("COLORFGBG", ""), folder, colours=colours)
    options = Options(keymap, theme, own, popup=popup, pick=picks, prints=prints)
    dashboard = Dashboard(feed, connect, options)
    end = dashboard.run(mouse=mouse and settings.get("mouse") is not False)
    feed.stop()
    if dashboard.return_code:
        raise AgtmuxError("E_INTERNAL", "the dashboard failed: see above")
    if end is None:
        if picks:
            raise click.exceptions.Exit(130)
    elif end.ref:
        click.echo(end.ref)
    elif end.argv:
        become(list(end.argv))


def _settings() -> dict[str, Any]:
    """Return ``[top]`` of the configuration, empty if there is none. Raises E_INVALID_REQUEST."""
    found = config_values().get("top", {})
    if not isinstance(found, dict):
        raise AgtmuxError("E_INVALID_REQUEST", "top in the configuration is not a table: write [top] and keys below it")
    return found


def _colours(color: str) -> None:
    """Let ``--color`` count as it does elsewhere. textual reads NO_COLOR when it starts."""
    if color == "never":
        os.environ["NO_COLOR"] = "1"
    elif color == "always":
        os.environ.pop("NO_COLOR", None)
    if os.environ.get("NO_COLOR") == "":  # empty means: not set
        del os.environ["NO_COLOR"]
