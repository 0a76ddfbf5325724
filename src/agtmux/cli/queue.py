"""Queue prompts for an agent, and change what waits (``agtmux queue``). Owns how a prompt is named."""

from __future__ import annotations

import sys
import time

import click

from agtmux import render
from agtmux.cli import completion_values
from agtmux.cli import ref as refs
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.client import uuid7
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from agtmux.client import Client, Reply

_WORDS = {"list": 0, "edit": 2, "move": 2, "drop": 1}
"""What can stand after REF, and how many words it takes."""


@click.command()
@click.argument("ref", required=False, shell_complete=completion_values.refs)
@click.argument("words", nargs=-1, metavar="[TEXT | list | edit PROMPT TEXT | move PROMPT PLACE | drop PROMPT]")
@click.option("--text", help="Queue this text, even if it is one word like list.")
@click.option("--request-ref", metavar="NAME", help="Name this request; a second request with this name does nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def queue(
    app: App, ref: str | None, words: tuple[str, ...], text: str | None, request_ref: str | None, as_json: bool
) -> None:
    """Add prompts to an agent's queue, and change what waits.

    REF is an agent's name, or a ref as everywhere else. A queued prompt is typed as it is, one a turn, when the agent
    is at its empty input field. It is never typed into a dialog or over a draft. Until then you can edit, move and
    drop it. PROMPT is its place in the queue, or its id. TEXT - reads standard input.

    Without anything, the queues of all agents are listed.

    \b
    Examples:
      agtmux queue claude "now run the tests"
      agtmux queue claude list
      agtmux queue claude edit 1 "now run the fast tests"
      agtmux queue claude move 3 1
      agtmux queue claude drop 2
    """
    verb, rest = _parsed(ref, words, text)
    client, name = app.client(), request_ref or uuid7()
    if verb == "list":
        reply = _with_ref(client, ref, lambda one: client.queue({"ref": one})) if ref else client.queue({})
        return _print_list(app, reply, as_json)
    if ref is None:
        raise click.UsageError("say whose queue: agtmux queue REF TEXT")
    if verb == "add":
        reply = _with_ref(client, ref, lambda one: client.queue_add({"request_ref": name, "ref": one, "text": rest[0]}))
        return _print_item(app, reply, as_json, "queued")
    body: dict[str, object] = {"request_ref": name}
    if verb == "edit":
        body["text"] = rest[1]
    elif verb == "move":
        body["place"] = _place(rest[1])
    reply = client.queue_change(_prompt_id(client, ref, rest[0]), verb, body)
    return _print_item(app, reply, as_json, {"edit": "changed", "move": "moved", "drop": "dropped"}[verb])


def _parsed(ref: str | None, words: tuple[str, ...], text: str | None) -> tuple[str, Sequence[str]]:
    """Return what to do and its words. Raises UsageError."""
    if text is not None:
        if words:
            raise click.UsageError("give TEXT or --text, not both")
        return "add", [_read(text)]
    if ref is None or not words:
        return "list", []
    verb, rest = words[0], list(words[1:])
    if verb not in _WORDS:
        if rest:
            raise click.UsageError('give the prompt as one word: agtmux queue REF "TEXT"')
        return "add", [_read(verb)]
    if len(rest) != _WORDS[verb]:
        wanted = {"list": "", "edit": " PROMPT TEXT", "move": " PROMPT PLACE", "drop": " PROMPT"}[verb]
        raise click.UsageError(f"write: agtmux queue REF {verb}{wanted} (--text queues one of these words as a prompt)")
    return verb, [rest[0], _read(rest[1])] if verb == "edit" else rest


def _read(text: str) -> str:
    if text != "-":
        return text
    from agtmux.cli.send import standard_input

    return standard_input().removesuffix("\n")


def _place(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= 10_000):
        raise click.UsageError(f"{text!r} is not a place: 1 is the next prompt")
    return int(text)


def _with_ref(client: Client, ref: str, ask: Callable[[str], Reply]) -> Reply:
    """Ask with an agent's name, or with the ref that the text stands for if there is no such agent."""
    if ref.startswith(("pane:", "runtime:")):
        return ask(ref)
    if not ref.startswith("%") and ":" not in ref:
        try:
            return ask(ref)
        except AgtmuxError as error:
            if error.code != "E_AGENT_NOT_FOUND":
                raise
    return ask(refs.resolve(ref, client))


def _prompt_id(client: Client, ref: str, text: str) -> str:
    """Return the id of a prompt that is named by its place in the queue or by its id."""
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        return text
    items = _with_ref(client, ref, lambda one: client.queue({"ref": one})).json().get("items") or []
    found = next((item for item in items if item.get("place") == int(text)), None)
    if found is None:
        raise AgtmuxError("E_NOT_FOUND", f"nothing waits at place {text}: run agtmux queue {clean(ref)} list")
    return str(found["id"])


def _print_list(app: App, reply: Reply, as_json: bool) -> None:
    if as_json:
        write_body(reply.body)
        return
    items: list[dict[str, Any]] = reply.json().get("items") or []
    if not items:
        click.echo("nothing is queued")
    elif app.styled():
        render.console(app.color).print(render.ListingView("queue", {"items": items}, time.time()))
    else:
        sys.stdout.write(render.plain("queue", items, time.time()))


def _print_item(app: App, reply: Reply, as_json: bool, done: str) -> None:
    if as_json:
        write_body(reply.body)
        return
    item = reply.json().get("item") or {}
    place = f" at place {item['place']}" if item.get("place") else ""
    why = f" ({clean(item['why'])})" if item.get("why") and item.get("place") else ""
    click.echo(f"{done} for {clean(item.get('agent'))}{place}{why}: {clean(item.get('id'))}")
