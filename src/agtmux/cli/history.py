"""List actions and deliveries as one list (``agtmux history``). Owns its options."""

from __future__ import annotations

import json
import time
from datetime import datetime

import click

from agtmux.cli import message_text
from agtmux.cli.context import App, pass_app, shared
from agtmux.cli.recap import since_of
from agtmux.columns import PERSON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agtmux.client import Client

MESSAGE = "message"
"""The type of a delivery."""
RESULTS = ("done", "refused", "failed", "indeterminate")
STATES = (
    "queued", "held", "claimed", "submitted", "submitted_unconfirmed", "delivered", "read", "acked", "expired",
    "cancelled", "dead",
)  # fmt: skip
_MOST_ACTIONS, _MOST_DELIVERIES = "1000", "500"
"""What the daemon gives at once."""


@click.command()
@click.option("--agent", metavar="NAME", help="Show only this agent: actions on its pane, and messages to it.")
@click.option("--type", "kind", metavar="TYPE", help="Show only this type: send, approve, kill, … or message.")
@click.option("--since", default="1d", show_default=True, metavar="TIME", help="Begin here: 8h, 07:30, or RFC 3339.")
@click.option(
    "--result", type=click.Choice([*RESULTS, *STATES]), metavar="RESULT",
    help="Show only this result of an action (done, refused, failed, indeterminate) or state of a delivery (dead, …).",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Show at most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: items, and whether there are more.")
@shared()
@pass_app
def history(
    app: App, agent: str | None, kind: str | None, since: str, result: str | None, limit: int, as_json: bool
) -> None:
    """List actions and messages with their results, newest first.

    Of an agent it lists the actions on the runtime that it has now. Older ones: agtmux actions runtime:ID.

    \b
    Examples:
      agtmux history --agent builder
      agtmux history --type message --result dead
      agtmux history --since 8h --json
    """
    begin = since_of(since, time.time())
    client = app.client()
    found: list[dict[str, Any]] = []
    more = False
    if kind != MESSAGE and result not in STATES:
        some, more = _actions(client, agent, kind, begin)
        found += some
    if kind in (None, MESSAGE) and result not in RESULTS:
        some, cut = _deliveries(client, agent, result, begin)
        found, more = found + some, more or cut
    chosen = [one for one in found if result in (None, one["result"])]
    chosen.sort(key=lambda one: _moment(one["at"]), reverse=True)
    if as_json:
        click.echo(json.dumps({"items": chosen[:limit], "truncated": more or len(chosen) > limit}))
    elif chosen:
        message_text.show(app, "history", chosen[:limit])
    else:
        click.echo(f"nothing happened since {begin}")


def _actions(client: Client, agent: str | None, kind: str | None, since: str) -> tuple[list[dict[str, Any]], bool]:
    params: dict[str, str | None] = {"kind": kind, "since": since, "limit": _MOST_ACTIONS}
    if agent is not None:
        runtime = client.agent(agent).json()["item"]["runtime_id"]
        if runtime is None:
            return [], False
        params["runtime"] = runtime
    items = client.actions(params).json()["items"]
    found = [
        {
            "at": one["requested_at"], "type": one["action"], "result": one["result_code"], "agent": agent,
            "pane": one["pane_id"], "why": one["error_code"], "id": one["action_id"],
        }
        for one in items
    ]  # fmt: skip
    return found, len(items) >= int(_MOST_ACTIONS)


def _deliveries(client: Client, agent: str | None, state: str | None, since: str) -> tuple[list[dict[str, Any]], bool]:
    answer = client.deliveries({"agent": agent, "state": state, "limit": _MOST_DELIVERIES}).json()
    found = [
        {
            "at": one["updated_at"], "type": MESSAGE, "result": one["state"],
            "agent": one["agent"] or one["agent_id"] or PERSON, "pane": None,
            "why": one["hold_reason"] or one["error_code"], "id": one["message_id"],
        }
        for one in answer["items"]
        if _moment(one["updated_at"]) >= _moment(since)
    ]  # fmt: skip
    return found, bool(answer.get("truncated")) and len(found) == len(answer["items"])


def _moment(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
