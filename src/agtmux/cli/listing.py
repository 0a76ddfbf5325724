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
    """Add ``--sort``, ``--watch``, ``--json`` and the global options."""
    json_option = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
    watch = click.option(
        "-w", "--watch", "live", is_flag=True, help="Keep the table up to date until you press Ctrl-C."
    )
    sort = click.option(
        "--sort",
        metavar="KEY",
        shell_complete=completion_values.sorts,
        help="Sort by attention (default), state, since, updated, name or target; -KEY reverses.",
    )
    return sort(watch(json_option(shared()(function))))


def show(
    app: App, scope: str, params: dict[str, Any], *, as_json: bool, live: bool, template: str | None = None
) -> None:
    """Fetch one listing and print it: the API's bytes, lines by a template, a table on a terminal, or plain text.

    ``live``: keep the table up to date until Ctrl-C, which exits with 130.
    """
    if (as_json, live, template is not None).count(True) > 1:
        raise click.UsageError("give only one of --json, --watch and --format")
    if live:
        _keep_live(app, scope, params)
        return
    write = None if template is None else _by_template(template)
    reply = app.client().listing(scope, params)
    if as_json:
        write_body(reply.body)
        return
    body, now = reply.json(), time.time()
    if write is not None:
        write(body.get("items") or [], now)
        return
    if app.styled():
        render.console(app.color).print(render.ListingView(scope, body, now, quiet=app.quiet))
        return
    sys.stdout.write(render.plain(scope, body.get("items") or [], now))
    for line in render.partial_lines(body, now):
        app.say(line)


def _by_template(text: str) -> Callable[[list[dict[str, Any]], float], None]:
    """Return a function that prints one line for each row by a template. Raises BadParameter for a wrong one."""
    from agtmux import templates

    try:
        parts = templates.parse(text)
    except templates.TemplateError as error:
        raise click.BadParameter(str(error), param_hint="--format") from None
    return lambda items, now: sys.stdout.writelines(f"{templates.fill(parts, item, now)}\n" for item in items)


def _keep_live(app: App, scope: str, params: dict[str, Any]) -> None:
    """Show the listing as ``agtmux watch`` does, by the stream."""
    from agtmux.cli.live import REDRAW, SORTS, can_draw_in_place, show_table

    sort = params.pop("sort", None) or "attention"
    if sort.removeprefix("-") not in SORTS:
        raise click.BadParameter(f"choose from {', '.join(SORTS)}; -KEY reverses", param_hint="--sort")
    if params.pop("group_by", None) == "session-name":
        raise click.UsageError("--watch shows one row per session: leave out --group-by")
    try:
        show_table(
            app, scope, {**params, "scope": scope, "cursor": None, "interval": f"{REDRAW:g}s"},
            reconnect=True, live=can_draw_in_place(), sort=sort,
        )  # fmt: skip
    except KeyboardInterrupt:
        click.get_current_context().exit(130)


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
@click.option(
    "--format",
    "template",
    metavar="TEMPLATE",
    help="Print one line per pane by TEMPLATE, e.g. '{ref}\\t{state}'. 'fzf' is a preset.",
)
@how_to_print
@pass_app
def panes(app: App, sort: str | None, as_json: bool, live: bool, template: str | None, **options: Any) -> None:
    """List panes with agents, those that need you first.

    \b
    Examples:
      agtmux list panes
      agtmux ls --agent claude,codex --state running
      agtmux ls --watch
      agtmux ls --format '{ref}\\t{state}\\t{where}\\t{request}'
      agtmux ls --format fzf | fzf --delimiter '\\t' --with-nth 2.. | cut -f1
      agtmux list panes --json | jq -r '.items[] | select(.attention=="needs_action") | .ref'
    """
    params = {**params_of(options), "sort": sort}
    show(app, "panes", params, as_json=as_json, live=live, template=template)


@list_group.command(short_help="List windows with agents.")
@filters
@how_to_print
@pass_app
def windows(app: App, sort: str | None, as_json: bool, live: bool, **options: Any) -> None:
    """List windows with agents.

    Each row shows the most urgent state and how many agents wait and run.

    \b
    Example:
      agtmux list windows --session work
    """
    show(app, "windows", {**params_of(options), "sort": sort}, as_json=as_json, live=live)


@list_group.command()
@filters
@click.option(
    "--group-by",
    type=click.Choice(["target-session", "session-name"]),
    help="Show one row per session (default), or merge sessions of the same name over all targets.",
)
@how_to_print
@pass_app
def sessions(app: App, sort: str | None, as_json: bool, live: bool, group_by: str | None, **options: Any) -> None:
    """List sessions with agents.

    \b
    Example:
      agtmux list sessions --group-by session-name
    """
    params = {**params_of(options), "sort": sort, "group_by": group_by}
    show(app, "sessions", params, as_json=as_json, live=live)
