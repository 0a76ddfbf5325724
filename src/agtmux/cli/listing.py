"""List panes, windows or sessions (``agtmux list panes|windows|sessions`` and ``agtmux ls``).

Owns the filters of listings and the choice of how to print. Knows neither columns nor the bodies beyond ``items``.
"""

from __future__ import annotations

import sys
import time

import click

from agtmux import render
from agtmux.cli import completion_values
from agtmux.cli.completion_values import GROUPS
from agtmux.cli.context import App, pass_app, shared, write_body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

STATES_HELP = ", ".join(render.STATES)


def filters(function: F) -> F:
    """Add the filters that listings and watch share. Values may be repeated or separated by commas."""
    for option in reversed(
        (
            click.option(
                "--target",
                multiple=True,
                metavar="NAME",
                shell_complete=completion_values.targets,
                help="Show only these targets.",
            ),
            click.option("--session", multiple=True, metavar="NAME", help="Show only sessions with this name."),
            click.option(
                "--target-session",
                multiple=True,
                metavar="TARGET/SESSION",
                help="Show only this session of this target (percent-encoded as in refs).",
            ),
            click.option(
                "--state",
                multiple=True,
                metavar="STATE",
                shell_complete=completion_values.states,
                help=f"Show only these states: {STATES_HELP}; or the groups waiting, done, attention.",
            ),
            click.option(
                "--agent",
                multiple=True,
                metavar="TYPE",
                shell_complete=completion_values.agents,
                help="Show only these agents, e.g. claude.",
            ),
            click.option("--needs-action", is_flag=True, help="Show only panes that need you."),
            click.option("--all", "everything", is_flag=True, help="Also show panes without an agent."),
        )
    ):
        function = option(function)
    return function


def params_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return the query of a listing from the values of ``filters``."""
    out: dict[str, Any] = {key: list(options[key]) for key in ("target", "target_session", "session", "state", "agent")}
    out["state"] = [_spelled_out(words) for words in options["state"]]
    out["needs_action"] = "true" if options["needs_action"] else None
    out["all"] = "true" if options["everything"] else None
    return out


def _spelled_out(words: str) -> str:
    """Return states separated by commas. Names of groups are replaced by their states."""
    return ",".join(state for word in words.split(",") for state in GROUPS.get(word, (word,)))


def how_to_print(function: F) -> F:
    """Add ``--sort``, ``--json`` and the global options."""
    json_option = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
    sort = click.option(
        "--sort",
        metavar="KEY",
        shell_complete=completion_values.sorts,
        help="Sort by attention (default), state, since, updated, name or target; -KEY reverses.",
    )
    return sort(json_option(shared()(function)))


def show(app: App, scope: str, params: dict[str, Any], as_json: bool) -> None:
    """Fetch one listing and print it: the API's bytes, a table on a terminal, or plain text."""
    reply = app.client().listing(scope, params)
    if as_json:
        write_body(reply.body)
        return
    body, now = reply.json(), time.time()
    if app.styled():
        render.console(app.color).print(render.ListingView(scope, body, now, quiet=app.quiet))
        return
    sys.stdout.write(render.plain(scope, body.get("items") or [], now))
    for line in render.partial_lines(body, now):
        app.say(line)


class _Panes(click.Group):
    """Makes ``agtmux list`` and ``agtmux list --json`` list panes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing and (not args or (args[0][:1] == "-" and args[0] not in ctx.help_option_names)):
            args = ["panes", *args]
        return super().parse_args(ctx, args)


@click.group("list", cls=_Panes)
def list_group() -> None:
    """List agents by pane (default), window or session.

    \b
    Examples:
      agtmux list panes --needs-action
      agtmux list sessions --json
    """


@list_group.command()
@filters
@how_to_print
@pass_app
def panes(app: App, sort: str | None, as_json: bool, **options: Any) -> None:
    """List panes with agents, those that need you first.

    \b
    Examples:
      agtmux list panes
      agtmux ls --agent claude,codex --state running
      agtmux list panes --json | jq -r '.items[] | select(.attention=="needs_action") | .ref'
    """
    show(app, "panes", {**params_of(options), "sort": sort}, as_json)


@list_group.command(short_help="List windows with agents.")
@filters
@how_to_print
@pass_app
def windows(app: App, sort: str | None, as_json: bool, **options: Any) -> None:
    """List windows with agents.

    Each row shows the most urgent state and how many agents wait and run.

    \b
    Example:
      agtmux list windows --session work
    """
    show(app, "windows", {**params_of(options), "sort": sort}, as_json)


@list_group.command()
@filters
@click.option(
    "--group-by",
    type=click.Choice(["target-session", "session-name"]),
    help="Show one row per session (default), or merge sessions of the same name over all targets.",
)
@how_to_print
@pass_app
def sessions(app: App, sort: str | None, as_json: bool, group_by: str | None, **options: Any) -> None:
    """List sessions with agents.

    \b
    Example:
      agtmux list sessions --group-by session-name
    """
    show(app, "sessions", {**params_of(options), "sort": sort, "group_by": group_by}, as_json)
