"""Make, join, leave and read channels (``agtmux channel``). Owns its options."""

from __future__ import annotations

import time

import click

from agtmux.cli import message_text
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.cli.msg import recipient
from agtmux.client import uuid7

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agtmux.client import Client, Reply


@click.group("channel")
def channel_group() -> None:
    """Manage channels: groups of agents to send messages to.

    \b
    Example:
      agtmux channel join build --agent claude-1
    """


@channel_group.command(short_help="Add a channel.")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def create(app: App, name: str, as_json: bool) -> None:
    """Add a channel: NAME or TEAM/NAME.

    One that an agent makes belongs to its team.

    \b
    Example:
      agtmux channel create build
    """
    answer = app.client().create_channel({"request_ref": uuid7(), "name": name})
    _report(as_json, answer, "was made")


@channel_group.command(short_help="Add an agent to a channel.")
@click.argument("name")
@click.option("--agent", metavar="NAME|REF", help="Which agent. An agent leaves this out: it joins itself.")
@click.option("--pane", is_flag=True, help="Deliver its messages as if they were addressed by name.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def join(app: App, name: str, agent: str | None, pane: bool, as_json: bool) -> None:
    """Add an agent to a channel.

    Messages wait in its inbox, unless you give --pane.

    \b
    Examples:
      agtmux channel join build
      agtmux channel join build --agent claude-1
    """
    client = app.client()
    request = _member(client, agent) | {"notify": "pane" if pane else "pull"}
    _report(as_json, client.change_channel(name, "join", request), "has a new member")


@channel_group.command(short_help="Remove an agent from a channel.")
@click.argument("name")
@click.option("--agent", metavar="NAME|REF", help="Which agent. An agent leaves this out: it leaves itself.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def leave(app: App, name: str, agent: str | None, as_json: bool) -> None:
    """Remove an agent from a channel.

    \b
    Example:
      agtmux channel leave build
    """
    client = app.client()
    _report(as_json, client.change_channel(name, "leave", _member(client, agent)), "has a member less")


@channel_group.command(short_help="Stop messages of a channel to an agent.")
@click.argument("name")
@click.option("--agent", metavar="NAME|REF", help="Which agent. An agent leaves this out: it mutes itself.")
@click.option("--off", is_flag=True, help="Let its messages wait in the inbox again.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def mute(app: App, name: str, agent: str | None, off: bool, as_json: bool) -> None:
    """Stop messages of a channel to an agent.

    It stays a member and reads the log.

    \b
    Example:
      agtmux channel mute build
    """
    client = app.client()
    request = _member(client, agent) | {"notify": "pull" if off else "none"}
    _report(as_json, client.change_channel(name, "join", request), "is heard again" if off else "is muted")


@channel_group.command("list", short_help="List channels and their members.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List channels and their members.

    \b
    Example:
      agtmux channel list
    """
    answer = app.client().channels()
    if as_json:
        write_body(answer.body)
        return
    items = answer.json()["items"]
    if items:
        message_text.show(app, "message channels", items)
    else:
        click.echo("no channels: agtmux channel create NAME makes one")


@channel_group.command(short_help="Show the messages of a channel.")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="Show at most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def log(app: App, name: str, limit: int, as_json: bool) -> None:
    """Show the newest messages of a channel, oldest first.

    \b
    Example:
      agtmux channel log build
    """
    answer = app.client().channel_log(name, {"limit": str(limit)})
    if as_json:
        write_body(answer.body)
        return
    body = answer.json()
    for item in reversed(body["items"]):
        for line in message_text.lines(item, time.time()):
            click.echo(line)
        click.echo()
    if body["truncated"]:
        app.say("there are older ones: add --limit")


def _member(client: Client, agent: str | None) -> dict[str, object]:
    request: dict[str, object] = {"request_ref": uuid7()}
    return request if agent is None else request | {"agent": recipient(agent, client)}


def _report(as_json: bool, answer: Reply, what: str) -> None:
    if as_json:
        write_body(answer.body)
        return
    item = answer.json()["item"]
    name = f"{item['team']}/{item['name']}" if item["team"] else item["name"]
    click.echo(f"channel {name} {what}; members: {len(item['members'])}")
