"""Agents by name (``agtmux agents``, ``agtmux agent …``, ``agtmux name``, ``agtmux whoami``). Owns their options."""

from __future__ import annotations

import sys
import time

import click

from agtmux import render
from agtmux.cli import completion_values
from agtmux.cli import ref as refs
from agtmux.cli.action_options import confirm, pane
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.client import uuid7
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from agtmux.client import Client, Reply

    F = TypeVar("F", bound=Callable[..., Any])

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
_REQUEST_REF = click.option(
    "--request-ref", metavar="NAME", help="Name this request; a second request with this name does nothing."
)


def _filters(function: F) -> F:
    """Add the options of the two commands that list agents."""
    for option in (
        _JSON,
        click.option("--all", "everything", is_flag=True, help="Also list agents that ended and have no given name."),
        click.option("--state", metavar="STATE[,…]", shell_complete=completion_values.states,
                     help="List only agents in these states."),
        click.option("--team", metavar="TEAM", help="List only agents of this team."),
        click.argument("text", required=False),
    ):  # fmt: skip
        function = option(function)
    return function


def _list(app: App, text: str | None, team: str | None, state: str | None, everything: bool, as_json: bool) -> None:
    states = [one for word in (state or "").split(",") for one in completion_values.GROUPS.get(word, (word,)) if one]
    reply = app.client().agents({"q": text, "team": team, "state": states, "all": "true" if everything else None})
    if as_json:
        write_body(reply.body)
        return
    items, now = reply.json().get("items") or [], time.time()
    if app.styled():
        render.console(app.color).print(render.ListingView("agents", {"items": items}, now))
    else:
        sys.stdout.write(render.plain("agents", items, now))


@click.command()
@_filters
@shared()
@pass_app
def agents(app: App, text: str | None, team: str | None, state: str | None, everything: bool, as_json: bool) -> None:
    """List agents by name.

    TEXT is a part of a name, role, owner or tag. An agent that you named stays in the list when it ends. Every other
    agent has a name like claude-1 while it runs.

    \b
    Examples:
      agtmux agents
      agtmux agents --team web --state waiting
    """
    _list(app, text, team, state, everything, as_json)


@click.group("agent")
def agent_group() -> None:
    """Manage agents: show, add, name, bind and retire them.

    NAME is an agent's name, TEAM/NAME, its id, or the ref of its pane.

    \b
    Example:
      agtmux agent bind builder %12
    """


@agent_group.command("list", short_help="List agents by name.")
@_filters
@shared()
@pass_app
def list_agents(
    app: App, text: str | None, team: str | None, state: str | None, everything: bool, as_json: bool
) -> None:
    """List agents by name. The same as agtmux agents.

    \b
    Example:
      agtmux agent list --all
    """
    _list(app, text, team, state, everything, as_json)


@agent_group.command(short_help="Show one agent.")
@click.argument("name")
@click.option("--card", is_flag=True, help="Print its card for other programs, as JSON (an A2A agent card).")
@_JSON
@shared()
@pass_app
def show(app: App, name: str, card: bool, as_json: bool) -> None:
    """Show one agent: its pane, state, role and owner.

    \b
    Examples:
      agtmux agent show builder
      agtmux agent show web/builder --card
    """
    client = app.client()
    known = _known(name, client)
    reply = client.agent_card(known) if card else client.agent(known)
    if as_json or card:
        write_body(reply.body)
        return
    for line in lines(reply.json().get("item") or {}, time.time()):
        click.echo(line)


@agent_group.command(short_help="Add an agent that has no pane yet.")
@click.argument("name")
@click.option("--team", metavar="TEAM", help="Put it into this team.")
@click.option("--role", metavar="TEXT", help="Say what it is for.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Add a word to find it by; repeatable.")
@_REQUEST_REF
@_JSON
@shared()
@pass_app
def add(
    app: App,
    name: str,
    team: str | None,
    role: str | None,
    tags: tuple[str, ...],
    request_ref: str | None,
    as_json: bool,
) -> None:
    """Add an agent that has no pane yet.

    Messages to it wait until you bind it.

    \b
    Example:
      agtmux agent add reviewer --role "reviews every change"
    """
    request: dict[str, object] = {"request_ref": request_ref or uuid7(), "name": name, "tags": list(tags)}
    request |= {key: value for key, value in (("team", team), ("role", role)) if value is not None}
    _print(app.client().add_agent(request), "added", as_json)


@agent_group.command(short_help="Set another name for an agent.")
@click.argument("name")
@click.argument("new_name", metavar="NEW")
@_REQUEST_REF
@_JSON
@shared()
@pass_app
def rename(app: App, name: str, new_name: str, request_ref: str | None, as_json: bool) -> None:
    """Set another name for an agent. Its messages stay with it.

    \b
    Example:
      agtmux agent rename claude-1 builder
    """
    client = app.client()
    request = {"request_ref": request_ref or uuid7(), "name": new_name}
    _print(client.change_agent(_known(name, client), "rename", request), "named", as_json)


@agent_group.command(short_help="Connect an agent to the pane that it runs in now.")
@click.argument("name")
@click.argument("ref", shell_complete=completion_values.refs)
@click.option("--take", is_flag=True, help="Also if it still runs elsewhere, or another named agent is in the pane.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@_REQUEST_REF
@_JSON
@shared()
@pass_app
def bind(app: App, name: str, ref: str, take: bool, yes: bool, request_ref: str | None, as_json: bool) -> None:
    """Connect an agent to the pane that it runs in now.

    From then on its name, messages and leases belong to the agent in that pane. An agent that ended can be bound at
    once. --take moves the name away from an agent that still runs, and asks first.

    \b
    Examples:
      agtmux agent bind builder %12
      agtmux agent bind builder %12 --take
    """
    client = app.client()
    row = pane(client, ref)
    if row.get("runtime_id") is None:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", f"no agent runs in {row['identity']['pane_id']}: run agtmux ls to see agents"
        )
    if take:
        confirm(
            f"Make {clean(name)} the agent in {row['identity']['pane_id']}, in place of what has this name now?", yes
        )
    request = {
        "request_ref": request_ref or uuid7(), "ref": row["ref"], "if_runtime": row["runtime_id"], "take": take,
        "yes": take,
    }  # fmt: skip
    _print(client.change_agent(name, "bind", request), "bound", as_json)


@agent_group.command(short_help="Remove an agent that has ended from the list.")
@click.argument("name")
@_REQUEST_REF
@_JSON
@shared()
@pass_app
def retire(app: App, name: str, request_ref: str | None, as_json: bool) -> None:
    """Remove an agent that has ended from the list.

    Its name is free again. Its old messages stay.

    \b
    Example:
      agtmux agent retire builder
    """
    _print(app.client().change_agent(name, "retire", {"request_ref": request_ref or uuid7()}), "retired", as_json)


@click.command()
@click.argument("ref", shell_complete=completion_values.refs)
@click.argument("new_name", metavar="NAME")
@_REQUEST_REF
@_JSON
@shared()
@pass_app
def name(app: App, ref: str, new_name: str, request_ref: str | None, as_json: bool) -> None:
    """Set the name of the agent in a pane.

    You can then use the name wherever a REF is accepted. It stays with the agent when it ends.

    \b
    Example:
      agtmux name %12 builder
    """
    client = app.client()
    request = {"request_ref": request_ref or uuid7(), "name": new_name}
    _print(client.change_agent(refs.resolve(ref, client), "rename", request), "named", as_json)


@click.command()
@_JSON
@shared()
@pass_app
def whoami(app: App, as_json: bool) -> None:
    """Show who you are to agtmux: a person, or an agent.

    agtmux finds this out by the process that asks, and believes no name that is given to it.

    \b
    Example:
      agtmux whoami
    """
    reply = app.client().whoami()
    if as_json:
        write_body(reply.body)
        return
    body = reply.json()
    agent = body.get("agent")
    for line in lines(agent, time.time()) if agent else [clean(body.get("label"))]:
        click.echo(line)


def lines(item: Mapping[str, Any], now: float) -> list[str]:
    """Return an agent as lines of text."""
    full = f"{item['team']}/{item.get('name')}" if item.get("team") else item.get("name")
    state = (
        f"{clean(item['state'])} for {render.age(item.get('since'), now)}" if item.get("state") else "no runtime now"
    )
    shown = [
        ("agent", full), ("id", item.get("agent_id")), ("state", state), ("last seen", item.get("last_seen")),
        ("pane", item.get("ref")), ("type", item.get("agent_type")), ("role", item.get("role")),
        ("owner", item.get("owner")), ("tags", ", ".join(item.get("tags") or ())),
        ("scopes", ", ".join(item.get("scopes") or ())), ("deliver", item.get("deliver")),
    ]  # fmt: skip
    return [f"{label + ':':<10} {clean(value)}" for label, value in shown if value]


def _known(name: str, client: Client) -> str:
    """Return what the API takes for NAME: a short form of a ref becomes a full ref, a name stays as it is."""
    return refs.resolve(name, client) if name[:1] == "%" or (":" in name) else name


def _print(reply: Reply, done: str, as_json: bool) -> None:
    if as_json:
        write_body(reply.body)
        return
    item = reply.json().get("item") or {}
    full = f"{item['team']}/{item.get('name')}" if item.get("team") else item.get("name")
    click.echo(f"{done} {clean(full)} ({clean(item.get('agent_id'))})")
