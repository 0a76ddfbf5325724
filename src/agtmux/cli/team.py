"""Teams of agents (``agtmux team apply|list|show|check|remove``). Owns their options; the daemon reads the file."""

from __future__ import annotations

import sys
import time

import click

from agtmux import render
from agtmux.cli.action_options import confirm
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.client import uuid7
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MOST = 256 * 1024
"""Bytes of a team file."""
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
_REQUEST_REF = click.option(
    "--request-ref", metavar="NAME", help="Name this request; a second request with this name does nothing."
)
_FILE = click.argument("file", type=click.Path())


@click.group("team")
def team_group() -> None:
    """Manage teams of agents by a file.

    \b
    Examples:
      agtmux team check team.toml
      agtmux team apply team.toml
    """


@team_group.command(short_help="Set a team up as its file says.")
@_FILE
@click.option("--plan", is_flag=True, help="Only show what would change.")
@_REQUEST_REF
@_JSON
@shared()
@pass_app
def apply(app: App, file: str, plan: bool, request_ref: str | None, as_json: bool) -> None:
    """Set a team up as its file says. All of it, or nothing.

    Agents that are new in the file are added. Agents that are not in it any more leave the team; they keep their
    messages. Applying the same file again changes nothing. FILE - reads standard input.

    \b
    Examples:
      agtmux team apply team.toml --plan
      agtmux team apply team.toml
    """
    request: dict[str, object] = {"request_ref": request_ref or uuid7(), "text": text_of(file)}
    reply = app.client().apply_team({**request, "plan": True} if plan else request)
    if as_json:
        write_body(reply.body)
        return
    _print_steps(reply.json(), "would change" if plan else "changed")


@team_group.command(short_help="Check a team file.")
@_FILE
@_JSON
@shared()
@pass_app
def check(app: App, file: str, as_json: bool) -> None:
    """Check a team file, and show what applying it would change.

    \b
    Example:
      agtmux team check team.toml
    """
    reply = app.client().apply_team({"request_ref": uuid7(), "text": text_of(file), "plan": True})
    if as_json:
        write_body(reply.body)
        return
    click.echo("the file is good")
    _print_steps(reply.json(), "would change")


@team_group.command("list", short_help="List teams.")
@_JSON
@shared()
@pass_app
def list_teams(app: App, as_json: bool) -> None:
    """List teams and their agents.

    \b
    Example:
      agtmux team list
    """
    reply = app.client().teams()
    if as_json:
        write_body(reply.body)
        return
    items, now = reply.json().get("items") or [], time.time()
    if app.styled():
        render.console(app.color).print(render.ListingView("teams", {"items": items}, now))
    else:
        sys.stdout.write(render.plain("teams", items, now))


@team_group.command(short_help="Show a team.")
@click.argument("name")
@_JSON
@shared()
@pass_app
def show(app: App, name: str, as_json: bool) -> None:
    """Show a team: its agents, their states, and which files each may change.

    \b
    Example:
      agtmux team show web
    """
    reply = app.client().team(name)
    if as_json:
        write_body(reply.body)
        return
    item, now = reply.json().get("item") or {}, time.time()
    agents = item.get("agents") or []
    click.echo(f"{clean(item.get('name'))}: deliver {clean(item.get('deliver'))}, "
               f"escalate to {clean(item.get('escalate_to'), 'a person')}")  # fmt: skip
    sys.stdout.write(render.plain("agents", agents, now))
    for agent in agents:
        if agent.get("scopes"):
            click.echo(f"{clean(agent.get('name'))} may change {clean(', '.join(agent['scopes']))}")


@team_group.command(short_help="Remove a team. Its agents stay.")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@_REQUEST_REF
@_JSON
@shared()
@pass_app
def remove(app: App, name: str, yes: bool, request_ref: str | None, as_json: bool) -> None:
    """Remove a team. Its agents stay, without a team, and keep their messages.

    \b
    Example:
      agtmux team remove web --yes
    """
    confirm(f"Remove the team {clean(name)}?", yes)
    reply = app.client().remove_team(name, {"request_ref": request_ref or uuid7()})
    if as_json:
        write_body(reply.body)
        return
    _print_steps(reply.json(), "changed")


def text_of(path: str) -> str:
    """Read a team file, or standard input for ``-``. Raises E_PAYLOAD_TOO_LARGE, E_INVALID_REQUEST."""
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(MOST + 1)
        else:
            with open(path, "rb") as file:
                raw = file.read(MOST + 1)
    except OSError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > MOST:
        raise AgtmuxError("E_PAYLOAD_TOO_LARGE", f"a team file has at most {MOST} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"the file is not UTF-8 (byte {error.start}): convert it") from None


def _print_steps(body: Mapping[str, Any], what: str) -> None:
    steps = body.get("steps") or []
    if not steps:
        click.echo(f"nothing {what}: team {clean((body.get('team') or {}).get('name'))} is as it should be")
    for step in steps:
        fields = f" ({', '.join(map(clean, step['fields']))})" if step.get("fields") else ""
        click.echo(f"{clean(step.get('op'))} {clean(step.get('name'))}{fields}")
