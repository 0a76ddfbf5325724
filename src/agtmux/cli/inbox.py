"""Read messages (``agtmux inbox``, ``outbox`` and ``thread``). Owns how an inbox is followed."""

from __future__ import annotations

import json
import time

import click

from agtmux.cli import message_text
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.cli.live import LISTEN, Follower
from agtmux.cli.msg import recipient
from agtmux.client import uuid7
from agtmux.protocol.errors import CODES, AgtmuxError
from agtmux.protocol.text import escaped
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OWN = "-"
_NEWS = ("delivery", "message")
_MOST = "500"


@click.command()
@click.argument("action", required=False, type=click.Choice(["show"]), metavar="[show ID]")
@click.argument("message_id", required=False, metavar="")
@click.option("--unread", is_flag=True, help="Show only messages that were not read.")
@click.option("--channel", metavar="NAME", help="Show only messages of this channel.")
@click.option("--search", metavar="TEXT", help="Show only messages in which all these words occur.")
@click.option("--agent", metavar="NAME", help="Show the inbox of this agent (for people).")
@click.option("--since", metavar="CURSOR", help="Show only newer messages: next_cursor of an earlier answer.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="Show at most this many.")
@click.option("--follow", is_flag=True, help="Print unread messages, then each new one, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer; with --follow, an item a line.")
@shared()
@pass_app
def inbox(app: App, action: str | None, message_id: str | None, as_json: bool, **given: Any) -> None:
    """Show messages that you were sent.

    With show ID it shows one of them, and marks it as read.

    An agent sees its own inbox. A person sees the messages to people.

    \b
    Examples:
      agtmux inbox --unread
      agtmux inbox show 12
      agtmux inbox --follow --json
    """
    if action is not None:
        if message_id is None:
            raise click.UsageError("give the id or the number of a message: agtmux inbox show ID")
        answer = app.client().change_message(message_id, "read", {"request_ref": uuid7()})
        if as_json:
            write_body(answer.body)
        else:
            _print(answer.json()["item"])
        return
    if given.pop("follow"):
        _follow(app, as_json, given)
        return
    _list(app, "inbox", as_json, given)


@click.command()
@click.option("--undelivered", is_flag=True, help="Show only messages that a recipient has not got.")
@click.option("--search", metavar="TEXT", help="Show only messages in which all these words occur.")
@click.option("--agent", metavar="NAME", help="Show the outbox of this agent (for people).")
@click.option("--since", metavar="CURSOR", help="Show only newer messages: next_cursor of an earlier answer.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="Show at most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def outbox(app: App, as_json: bool, **given: Any) -> None:
    """Show messages that you sent, and how far each has come.

    \b
    Example:
      agtmux outbox --undelivered
    """
    _list(app, "outbox", as_json, given)


@click.command()
@click.argument("message_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def thread(app: App, message_id: str, as_json: bool) -> None:
    """Show a message with all replies to it and to those, oldest first.

    ID is the id or the number of any message of the thread.

    \b
    Example:
      agtmux thread 12
    """
    answer = app.client().messages({"thread": message_id, "body": "true", "limit": _MOST})
    if as_json:
        write_body(answer.body)
        return
    for item in reversed(answer.json()["items"]):
        _print(item)
        click.echo()


# ---------------------------------------------------------------- helpers


def _params(given: dict[str, Any]) -> tuple[str, dict[str, str | None]]:
    """Return whose mailbox to read, and the query."""
    flags = {name: "true" if given.get(name) else None for name in ("unread", "undelivered")}
    query: dict[str, str | None] = {
        "channel": given.get("channel"), "q": given.get("search"), "since": given.get("since"),
        "limit": str(given["limit"]), **flags,
    }  # fmt: skip
    return given.get("agent") or OWN, query


def _list(app: App, box: str, as_json: bool, given: dict[str, Any]) -> None:
    owner, query = _params(given)
    client = app.client()
    answer = client.mailbox(recipient(owner, client), box, query)
    if as_json:
        write_body(answer.body)
        return
    body = answer.json()
    if body["items"]:
        message_text.show(app, "messages", body["items"])
    else:
        click.echo(f"no messages in the {box} of {clean(body.get('agent'), 'people')}")
    if body["truncated"]:
        app.say(f"there are more: add --limit, or --since {body['next_cursor']}")
    if box == "inbox" and body["unread"]:
        app.say(f"{body['unread']} unread: agtmux inbox show NUMBER reads one")


def _follow(app: App, as_json: bool, given: dict[str, Any]) -> None:
    """Print unread messages, then each new one. The stream says when to look; a cursor says what is new."""
    owner, query = _params(given)
    client = app.client()
    owner = recipient(owner, client)
    if query["since"] is None:
        query["unread"] = "true"
    body = _print_newer(app, owner, query, as_json)
    params = {"scope": "coord", "cursor": body["stream_cursor"], "once": None, "interval": None, "heartbeat": None}
    missed = False

    def look() -> None:
        """Print what is new. If the daemon does not answer now, that is done later."""
        nonlocal missed
        try:
            _print_newer(app, owner, query, as_json)
            missed = False
        except AgtmuxError as error:
            if not CODES[error.code].retryable:
                raise
            missed = True

    try:
        for raw in Follower(app, params, reconnect=True).lines(lambda: look() if missed else None, LISTEN):
            if missed or _is_news(raw):
                look()
    except KeyboardInterrupt:
        click.get_current_context().exit(130)


def _print_newer(app: App, owner: str, query: dict[str, str | None], as_json: bool) -> dict[str, Any]:
    """Print the messages after the cursor, oldest first, and move the cursor behind them."""
    while True:
        body = _newer(app, owner, query)
        for item in body["items"] if query["since"] is not None else reversed(body["items"]):
            _print_line(item, as_json)
        more = body["truncated"] and query["since"] is not None
        query |= {"since": body["next_cursor"], "unread": None}
        if not more:
            return body


def _newer(app: App, owner: str, query: dict[str, str | None]) -> dict[str, Any]:
    """Return the messages after the cursor. If it cannot be used any more, go on with those that are unread."""
    client = app.client(autostart=False)
    try:
        return client.mailbox(owner, "inbox", query).json()
    except AgtmuxError as error:
        if error.code not in ("E_CURSOR_EXPIRED", "E_CURSOR_INVALID"):
            raise
        app.say("messages were deleted meanwhile, or the database is a new one: going on with unread messages")
        query |= {"since": None, "unread": "true"}
        return client.mailbox(owner, "inbox", query).json()


def _is_news(raw: bytes) -> bool:
    """Whether a line of the stream may be about a new message: a snapshot, or changes of messages."""
    line = json.loads(raw)
    changes = line.get("changes") or ()
    return line.get("type") == "snapshot" or any(change["identity"].get("kind") in _NEWS for change in changes)


def _print_line(item: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(escaped(json.dumps(item, ensure_ascii=False)))
    else:
        what = clean(item.get("subject") or item.get("preview"))
        click.echo(f"{item['seq']}  {clean(item.get('kind'))} from {clean(item.get('sender'))}: {what}")


def _print(item: dict[str, Any]) -> None:
    for line in message_text.lines(item, time.time()):
        click.echo(line)
