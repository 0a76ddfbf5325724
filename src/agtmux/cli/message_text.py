"""Write messages as text for ``agtmux msg``, ``inbox``, ``thread`` and ``channel``."""

from __future__ import annotations

import sys
import time

from agtmux import render
from agtmux.cli.context import write_body
from agtmux.columns import PERSON
from agtmux.protocol.text import block
from agtmux.render import age, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from agtmux.cli.context import App
    from agtmux.client import Reply

    Item = Mapping[str, Any]


def show(app: App, scope: str, items: Sequence[Item]) -> None:
    """Print a listing: a table for a person, aligned text in a pipe."""
    now = time.time()
    if app.styled():
        render.console(app.color).print(render.ListingView(scope, {"items": items}, now))
    else:
        sys.stdout.write(render.plain(scope, items, now))


def print_message(answer: Reply, *, as_json: bool) -> None:
    """Print the message of an answer: the API's JSON unchanged, or its text."""
    if as_json:
        write_body(answer.body)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines(answer.json()["item"], time.time())))


def lines(item: Item, now: float) -> list[str]:
    """Return a message with its text, receipts and reactions."""
    head = (
        f"{item['seq']}  {clean(item.get('kind'))} from {clean(item.get('sender'))}, {age(item['created_at'], now)} ago"
    )
    out = [head]
    for label, value in (
        ("subject", clean(item.get("subject"), "")), ("to", recipients(item)),
        ("channel", clean(item.get("channel"), "")),
        ("priority", "" if item.get("priority") == "normal" else clean(item.get("priority"))),
        ("reply by", clean(item.get("reply_by"), "") + (" (overdue)" if item.get("overdue_at") else "")),
        ("cancelled", clean(item.get("cancelled_at"), "")), ("refs", references(item)),
        ("needs", ", ".join(clean(one) for one in item.get("depends_on") or ())),
        ("ready", "no" if item.get("ready") is False else ""), ("reactions", reactions(item)),
        ("id", clean(item.get("message_id"))),
    ):  # fmt: skip
        if value:
            out.append(f"  {label + ':':<10} {value}")
    if item.get("body") is not None:
        out += ["", *(f"  {line}" for line in block(str(item["body"])).splitlines())]
    return out


def recipients(item: Item) -> str:
    """Return each recipient with the state of its delivery."""
    return ", ".join(
        f"{clean(one.get('agent') or one.get('agent_id'), PERSON)} ({_state(one)})"
        for one in item.get("deliveries") or ()
    )


def _state(delivery: Item) -> str:
    why = delivery.get("hold_reason")
    return f"{clean(delivery.get('state'))}: {clean(why)}" if why else clean(delivery.get("state"))


def references(item: Item) -> str:
    """Return what a message is about: ``path:line@commit``, an address, or another message."""
    out = []
    for one in item.get("refs") or ():
        text = clean(one.get("path"), "")
        text += f":{clean(one['line'])}" if one.get("line") else ""
        text += f"@{clean(one['commit'])}" if one.get("commit") else ""
        out.append(text or clean(one.get("url") or f"message {one.get('message')}"))
    return ", ".join(out)


def reactions(item: Item) -> str:
    """Return each reaction with who made it."""
    return ", ".join(
        f"{clean(one.get('reaction'))} {clean(one.get('agent') or one.get('agent_id'), PERSON)}"
        for one in item.get("reactions") or ()
    )
