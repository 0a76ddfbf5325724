"""Send and read signals (``agtmux signal``). Owns their options. Waits for signals are in ``wait_conditions``."""

from __future__ import annotations

import json
import sys

import click

from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.client import uuid7
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import escaped
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agtmux.client import Reply

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")


@click.group("signal")
def signal_group() -> None:
    """Send signals on topics, and print those of others.

    A topic is a name like team/web/built. An agent sends below team/ITS-TEAM/, or below agent/ITS-NAME/ if it has no
    team. People send anywhere.

    \b
    Examples:
      agtmux signal send team/web/built --data '{"commit": "1a2b3c"}'
      agtmux signal read team/web/built --after 12
      agtmux wait signal:team/web/built
    """


@signal_group.command("send")
@click.argument("topic")
@click.option("--data", metavar="JSON", help="Add this JSON value; - reads it from standard input.")
@click.option("--request-ref", metavar="NAME", help="Name this request; a second request with this name sends nothing.")
@_JSON
@shared()
@pass_app
def send(app: App, topic: str, data: str | None, request_ref: str | None, as_json: bool) -> None:
    """Send a signal on a topic.

    The data may have 64 KiB, or what the configuration says. An agent may send 60 signals a minute on each topic.

    \b
    Examples:
      agtmux signal send team/web/built
      agtmux signal send deploy/done --data '"v1.4"'
    """
    body: dict[str, object] = {"topic": topic, "request_ref": request_ref or uuid7()}
    if data is not None:
        body["data"] = _json(sys.stdin.read() if data == "-" else data)
    reply = app.client().send_signal(body)
    if as_json:
        write_body(reply.body)
        return
    item = reply.json().get("item") or {}
    click.echo(f"sent {item.get('seq')} on {clean(item.get('topic'))}")


@signal_group.command("list")
@click.argument("topic", required=False)
@_JSON
@shared()
@pass_app
def list_topics(app: App, topic: str | None, as_json: bool) -> None:
    """List the topics that have signals.

    TOPIC with a slash at its end lists all topics below it.

    \b
    Example:
      agtmux signal list team/web/
    """
    reply = app.client().signal_topics({"topic": topic})
    if as_json:
        write_body(reply.body)
        return
    items = reply.json().get("items") or []
    for item in items:
        click.echo(
            f"{clean(item['topic'])}  {item['signals']} kept, last {item['last_seq']} at {clean(item['last_at'])}"
        )
    if not items:
        app.say("no signals are kept")


@signal_group.command("show")
@click.argument("signal_id", metavar="ID|SEQ")
@_JSON
@shared()
@pass_app
def show(app: App, signal_id: str, as_json: bool) -> None:
    """Show one signal with its data.

    \b
    Example:
      agtmux signal show 12
    """
    reply = app.client().signal(signal_id)
    if as_json:
        write_body(reply.body)
        return
    click.echo(_line(reply.json().get("item") or {}))


@signal_group.command("read")
@click.argument("topic")
@click.option("--after", type=click.IntRange(0), metavar="SEQ", help="Print only signals after this one.")
@click.option(
    "--consumer", metavar="NAME",
    help="Print what is new since the last call with this NAME; it survives restarts.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Print at most this many.")
@_JSON
@shared()
@pass_app
def read(app: App, topic: str, after: int | None, consumer: str | None, limit: int, as_json: bool) -> None:
    """Print the signals of a topic, oldest first.

    TOPIC with a slash at its end prints those of all topics below it. Each line has the sequence, the topic, the
    sender and the data.

    \b
    Examples:
      agtmux signal read team/web/built --after 12
      agtmux signal read team/web/ --consumer deploy
    """
    client = app.client()
    params = {
        "topic": topic, "after": None if after is None else str(after), "consumer": consumer, "limit": str(limit)
    }  # fmt: skip
    reply = client.signals(params)
    body = reply.json()
    _print(app, reply, body, as_json=as_json)
    if consumer is not None and body.get("items"):
        client.move_signal_cursor({"consumer": consumer, "topic": topic, "seq": body["summary"]["next_after"]})


def _print(app: App, reply: Reply, body: dict[str, Any], *, as_json: bool) -> None:
    """Print what was read, to the last byte: only then the consumer's cursor may move."""
    if as_json:
        write_body(reply.body)
        return
    for item in body.get("items") or []:
        click.echo(_line(item))
    sys.stdout.flush()
    if body["summary"]["truncated"]:
        app.say(f"there are more: go on with --after {body['summary']['next_after']}")


def _line(item: dict[str, Any]) -> str:
    data = "" if item.get("data") is None else f"  {escaped(json.dumps(item['data'], ensure_ascii=False))}"
    return f"{item.get('seq')}  {clean(item.get('topic'))}  {clean(item.get('sender'))}{data}"


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"--data is not JSON ({error}): put a text in double quotes") from None
    return value
