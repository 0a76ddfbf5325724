"""Send messages and give receipts (``agtmux msg``). Owns how a text, its recipients and its refs are given."""

from __future__ import annotations

import re
import sys
import time

import click

from agtmux.cli import message_text
from agtmux.cli import ref as refs
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.client import uuid7
from agtmux.protocol.duration import seconds_of
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from agtmux.client import Client, Reply

KINDS = (
    "note", "task", "result", "question", "answer", "blocker", "review_request", "review_result", "status", "plan",
)  # fmt: skip
PRIORITIES = ("urgent", "normal", "low")
PLACE = "PATH[:LINE][@COMMIT]"
REACTIONS = ("+1", "eyes", "done", "blocked")
_REF = re.compile(r"(?P<path>[^@]*?)(?::(?P<line>\d+))?(?:@(?P<commit>[0-9a-fA-F]{4,64}))?")
_MOST = 1 << 20


@click.group("msg")
def msg_group() -> None:
    """Send messages to agents, reply, and see what was delivered.

    A message from a person is typed when the agent can take input. One from an agent waits in the inbox.

    \b
    Example:
      agtmux msg send --to claude-1 -m "please rebase"
    """


def contents(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that a new message and a reply share."""
    for option in reversed((
        click.option("-m", "--message", "text", metavar="TEXT", help="The text. - reads it from standard input."),
        click.option("--file", "path", metavar="PATH", help="Read the text from this file."),
        click.option("-s", "--subject", default="", metavar="TEXT", help="A subject of at most 200 characters."),
        click.option("--kind", type=click.Choice(KINDS), help="What it is. Default: note, or what fits as a reply."),
        click.option("--priority", type=click.Choice(PRIORITIES), help="Which comes first. Default: normal."),
        click.option("--ref", "about", multiple=True, metavar=PLACE, help="What it is about. Repeatable."),
        click.option("--depends-on", multiple=True, metavar="ID", help="A task that must be done before. Repeatable."),
        click.option("--reply-within", metavar="D", help="When an answer is due: 30m, 2h."),
        click.option("--request-ref", metavar="REF", help="A name for this request: the same one never sends twice."),
        click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged."),
    )):  # fmt: skip
        function = option(function)
    return function


@msg_group.command(short_help="Send a message to agents or to a channel.")
@click.option("--to", "to", multiple=True, metavar="NAME|REF", help="An agent, or person for people. Repeatable.")
@click.option("--channel", metavar="NAME", help="Send to the members of this channel instead.")
@contents
@shared()
@pass_app
def send(app: App, to: tuple[str, ...], channel: str | None, as_json: bool, **given: Any) -> None:
    """Send a message to agents or to a channel.

    Name an agent as agtmux agents lists it, or by a ref (%12, work:1.0). The word person means people.

    \b
    Examples:
      agtmux msg send --to claude-1 -s port -m "which port do you use?" --kind question
      agtmux msg send --to person --kind blocker -m "no access to the registry"
      agtmux msg send --channel build -m "main is red"
    """
    if bool(to) == (channel is not None):
        raise click.UsageError("give --to NAME or --channel NAME: a message is never for everybody")
    client = app.client()
    request = new_message(**given)
    if channel is not None:
        request["channel"] = channel
    else:
        request["to"] = [recipient(name, client) for name in to]
    _sent(as_json, client.send_message(request))


@msg_group.command(short_help="Send a reply to a message.")
@click.argument("message_id", metavar="ID")
@contents
@shared()
@pass_app
def reply(app: App, message_id: str, as_json: bool, **given: Any) -> None:
    """Send a reply to the sender of a message.

    The reply also acknowledges that message.

    ID is the message's id or its number.

    \b
    Example:
      agtmux msg reply 12 -m "8080"
    """
    _sent(as_json, app.client().change_message(message_id, "reply", new_message(**given)))


@msg_group.command(short_help="Mark a message as done with.")
@click.argument("message_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def ack(app: App, message_id: str, as_json: bool) -> None:
    """Mark a message that you were sent as done with.

    Its sender sees that you acknowledged it.

    \b
    Example:
      agtmux msg ack 12
    """
    _changed(as_json, app.client().change_message(message_id, "ack", _once()), "acknowledged")


@msg_group.command(short_help="Add a reaction to a message.")
@click.argument("message_id", metavar="ID")
@click.argument("reaction", type=click.Choice(REACTIONS))
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def react(app: App, message_id: str, reaction: str, as_json: bool) -> None:
    """Add a reaction to a message. A reaction interrupts no agent.

    \b
    Example:
      agtmux msg react 12 done
    """
    reply = app.client().change_message(message_id, "react", {**_once(), "reaction": reaction})
    _changed(as_json, reply, f"reacted with {reaction}")


@msg_group.command(short_help="Stop a message that was not delivered yet.")
@click.argument("message_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def cancel(app: App, message_id: str, as_json: bool) -> None:
    """Stop a message for everybody who has not got it yet.

    \b
    Example:
      agtmux msg cancel 12
    """
    _changed(as_json, app.client().change_message(message_id, "cancel", _once()), "cancelled")


@msg_group.command(short_help="Show a message. It does not count as read.")
@click.argument("message_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def show(app: App, message_id: str, as_json: bool) -> None:
    """Show a message with its text. It does not count as read.

    Use agtmux inbox show for that.

    \b
    Example:
      agtmux msg show 12
    """
    answer = app.client().show_message(message_id)
    message_text.print_message(answer, as_json=as_json)


@msg_group.command(short_help="Show what was delivered of a message.")
@click.argument("message_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def status(app: App, message_id: str, as_json: bool) -> None:
    """Show how far a message has come, for each recipient.

    \b
    Example:
      agtmux msg status 12
    """
    answer = app.client().show_message(message_id)
    if as_json:
        write_body(answer.body)
        return
    message_text.show(app, "message deliveries", answer.json()["item"]["deliveries"])


# ---------------------------------------------------------------- helpers


def recipient(name: str, client: Client) -> str:
    """Return a name as it is, and a short ref (``%12``, ``work:1.0``) as a full one."""
    if name.startswith(("pane:", "runtime:")) or (":" not in name and not name.startswith("%")):
        return name
    return refs.resolve(name, client)


def new_message(
    *,
    text: str | None,
    path: str | None,
    subject: str,
    kind: str | None,
    priority: str | None,
    about: Sequence[str],
    depends_on: Sequence[str],
    reply_within: str | None,
    request_ref: str | None,
) -> dict[str, object]:
    """Return the request for a message. Raises UsageError."""
    request: dict[str, object] = {
        "request_ref": request_ref or uuid7(), "body": body_of(text, path), "subject": subject, "kind": kind,
        "priority": priority, "refs": [reference(one) for one in about], "depends_on": list(depends_on),
    }  # fmt: skip
    if reply_within is not None:
        seconds = seconds_of(reply_within)
        if not seconds:
            raise click.UsageError(f"--reply-within: {reply_within!r} is not a duration like 30m or 2h")
        request["reply_by"] = time.time_ns() + int(seconds * 1_000_000_000)
    return request


def body_of(text: str | None, path: str | None) -> str:
    """Return the text of a message: as given, of a file, or from standard input."""
    if text is not None and path is not None:
        raise click.UsageError("give --message or --file, not both")
    if path is not None:
        try:
            raw = read_regular(path, _MOST)
        except OSError as error:
            raise AgtmuxError("E_INVALID_REQUEST", f"cannot read {path}: {error.strerror}") from None
        return raw.decode("utf-8", "replace")
    if text is None and sys.stdin.isatty():
        raise click.UsageError("give the text with --message TEXT or --file PATH")
    if text in (None, "-"):
        return sys.stdin.buffer.read(_MOST).decode("utf-8", "replace")
    return str(text)


def reference(text: str) -> dict[str, object]:
    """Return ``PATH[:LINE][@COMMIT]`` or an address as the API takes it. Raises UsageError."""
    if "://" in text:
        return {"url": text}
    match = _REF.fullmatch(text)
    if match is None or not (match["path"] or match["commit"]):
        raise click.UsageError(f"--ref: {text!r} is not like src/a.py:12@1f2e3d4")
    found: dict[str, object] = {}
    if match["path"]:
        found["path"] = match["path"]
    if match["line"]:
        found["line"] = int(match["line"])
    if match["commit"]:
        found["commit"] = match["commit"]
    return found


def _once() -> dict[str, object]:
    return {"request_ref": uuid7()}


def _sent(as_json: bool, answer: Reply) -> None:
    if as_json:
        write_body(answer.body)
        return
    item = answer.json()["item"]
    click.echo(f"sent {item['seq']} to {message_text.recipients(item) or 'the log of an empty channel'}")


def _changed(as_json: bool, answer: Reply, what: str) -> None:
    if as_json:
        write_body(answer.body)
    else:
        click.echo(f"message {answer.json()['item']['seq']}: {what}")
