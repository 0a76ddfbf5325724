"""Wait for conditions (``agtmux wait --any COND…``). The daemon keeps the wait, so no restart loses anything.

Owns how the command goes on after a lost connection, and what it prints. ``wait`` owns the options.
"""

from __future__ import annotations

import re
import time

import click

from agtmux.cli import ref as refs
from agtmux.cli.context import App, write_body
from agtmux.client import uuid7
from agtmux.protocol.backoff import delays
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean
from agtmux.transport import ConnectionLostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from agtmux.client import Client, Reply

    Item = dict[str, Any]

BLOCK = 45.0
"""Seconds for which one request waits. The daemon accepts no more."""
SPARE = 15.0
"""Seconds that a daemon may be late with its answer, or away at the end of the wait."""
_AGAIN = frozenset({"E_DAEMON_UNREACHABLE", "E_OVERLOADED", "E_STORE_UNAVAILABLE"})
_CONDITION = re.compile(r"signal:.+|(state|agent|msg|lease):.+=.*", re.DOTALL)
_SHORT_REF = re.compile(r"state:((?!pane:|runtime:)(?:%|.*:).*)=([^=]*)", re.DOTALL)
_NAME = re.compile(r"state:(?!pane:|runtime:|agent:)([^:%=]+)=([^=]*)")


def is_condition(text: str) -> bool:
    """Return whether this is a condition, and not the ref of a pane."""
    return _CONDITION.fullmatch(text) is not None


class Connection:
    """Asks the daemon across its restarts. Waits before each further try: from half a second to five."""

    def __init__(
        self, app: App, seconds: float, *, sleep: Callable[[float], None] = time.sleep,
        pauses: Callable[[], Iterable[float]] = delays,
    ) -> None:  # fmt: skip
        """``seconds``: after this time, a daemon that does not answer is an error."""
        self.until = time.monotonic() + seconds
        self.hint = ""
        """What to type next, for the error that ends it."""
        self._app, self._sleep, self._pauses = app, sleep, pauses
        self._was_connected = False

    def ask(self, request: Callable[[Client], Reply]) -> Reply:
        """Send a request until it is answered. It may arrive more than once. Raises AgtmuxError."""
        client, warned = self._app.client(autostart=not self._was_connected, timeout=5.0), False
        for pause in self._pauses():
            try:
                reply = request(client)
            except AgtmuxError as error:
                self._was_connected |= isinstance(error, ConnectionLostError) or error.code != "E_DAEMON_UNREACHABLE"
                if error.code not in _AGAIN or not self._was_connected:
                    raise
                if time.monotonic() >= self.until:
                    raise AgtmuxError(error.code, f"{error.message}{self.hint}", error.details) from error
                if not warned:
                    self._app.say("lost the daemon; waiting for it to come back")
                    warned = True
                self._sleep(pause)
                client = self._app.client(autostart=False, timeout=5.0)
            else:
                self._was_connected = True
                return reply
        raise AssertionError("pauses have no end")


def wait_for(
    app: App, conditions: Sequence[str], *, mode: str, at_least: int | None, seconds: float, as_json: bool
) -> None:
    """Make a wait, and print its result. Raises AgtmuxError: E_TIMEOUT if the conditions are not met in time."""
    connection = Connection(app, seconds + SPARE)
    texts = [_with_full_ref(text, connection) for text in conditions]
    body: Item = {"mode": mode, "timeout_s": seconds, "request_ref": uuid7(), "conditions": texts}
    if at_least is not None:
        body["at_least"] = at_least
    try:
        reply = connection.ask(lambda client: client.create_wait(body))
    except AgtmuxError as error:
        if error.code != "E_AGENT_NOT_FOUND" or not any(map(_NAME.fullmatch, texts)):
            raise
        body["conditions"] = [_by_type(text, connection, error) for text in texts]
        reply = connection.ask(lambda client: client.create_wait(body))
    follow(app, connection, reply, as_json=as_json)


def follow(app: App, connection: Connection, reply: Reply, *, as_json: bool) -> None:
    """Follow a wait to its end and print its result. Raises AgtmuxError if it was not met."""
    item = _item(reply)
    connection.hint = f"; the wait goes on: agtmux wait --id {item['wait_id']}"
    try:
        while item["state"] == "open":
            wait_id = str(item["wait_id"])
            reply = connection.ask(lambda client: client.get_wait(wait_id, BLOCK))  # noqa: B023 called at once
            item = _item(reply)
    except KeyboardInterrupt:
        app.say(connection.hint.removeprefix("; "))
        raise
    if as_json and item["state"] == "met":
        write_body(reply.body)
        return
    if not as_json:
        for line in lines(item):
            click.echo(line)
    if item["state"] != "met":
        raise _failure(item)


def join(app: App, wait_id: str, seconds: float | None, *, as_json: bool) -> None:
    """Follow an earlier wait. ``seconds``: give up after this time; the wait itself goes on."""
    connection = Connection(app, SPARE if seconds is None else seconds + SPARE)
    reply = connection.ask(lambda client: client.get_wait(wait_id, 0.0))
    if seconds is None:
        connection.until = time.monotonic() + _left(_item(reply)) + SPARE
        follow(app, connection, reply, as_json=as_json)
        return
    end = time.monotonic() + seconds
    while _item(reply)["state"] == "open" and (left := end - time.monotonic()) > 0:
        reply = connection.ask(lambda client: client.get_wait(wait_id, min(BLOCK, left)))
    item = _item(reply)
    if item["state"] == "open":
        raise AgtmuxError(
            "E_TIMEOUT", f"not met within {seconds:g} s; the wait goes on: agtmux wait --id {wait_id}", {"wait": item}
        )
    follow(app, connection, reply, as_json=as_json)


def lines(item: Item) -> list[str]:
    """Write the result as text, one line for each condition."""
    out = []
    for one in item["conditions"]:
        result = one.get("result") or {}
        detail = one.get("reason") or result.get("state") or (f"seq {result['seq']}" if "seq" in result else "")
        out.append(" ".join(filter(None, (clean(one["state"]), clean(one["condition"]), clean(detail, "")))))
    return out


def list_waits(app: App, *, as_json: bool) -> None:
    """Print the open waits."""
    reply = app.client().waits({"status": "open"})
    if as_json:
        write_body(reply.body)
        return
    items = reply.json().get("items") or []
    for item in items:
        wanted = " ".join(clean(one["condition"]) for one in item["conditions"])
        click.echo(f"{clean(item['wait_id'])} {item['met']}/{item['needed']} until {clean(item['deadline'])} {wanted}")
    if not items:
        app.say("no waits are open")


def cancel(app: App, wait_id: str, *, as_json: bool) -> None:
    """End a wait."""
    reply = app.client().cancel_wait(wait_id)
    if as_json:
        write_body(reply.body)
    else:
        click.echo(clean(_item(reply)["state"]))


def _item(reply: Reply) -> Item:
    item = reply.json().get("item")
    if not isinstance(item, dict):
        raise AgtmuxError("E_INTERNAL", "the answer is not from agtmux's API: run agtmux daemon restart")
    return item


def _left(item: Item) -> float:
    from datetime import UTC, datetime

    return max(0.0, (datetime.fromisoformat(item["deadline"]) - datetime.now(UTC)).total_seconds())


def _failure(item: Item) -> AgtmuxError:
    details: dict[str, object] = {"wait": item}
    if item["state"] == "timeout":
        left = ", ".join(one["condition"] for one in item["conditions"] if one["state"] == "open")
        return AgtmuxError(
            "E_TIMEOUT", f"{item['met']} of {item['needed']} were met in time, not {left}: set a longer --timeout",
            details,
        )  # fmt: skip
    if item["state"] == "failed":
        gone = ", ".join(
            f"{one['condition']} ({one['reason']})" for one in item["conditions"] if one["state"] == "gone"
        )
        return AgtmuxError("E_RUNTIME_STALE", f"this can never be met any more: {gone}", details)
    return AgtmuxError("E_PRECONDITION_FAILED", "the wait was cancelled", details)


def _with_full_ref(text: str, connection: Connection) -> str:
    """Resolve a pane id or a position in a state condition."""
    match = _SHORT_REF.fullmatch(text)
    return text if match is None else f"state:{_resolved(match[1], connection)}={match[2]}"


def _by_type(text: str, connection: Connection, unknown: AgtmuxError) -> str:
    """Resolve the type of an agent (``claude``) in a state condition: no agent has that name."""
    match = _NAME.fullmatch(text)
    if match is None:
        return text
    try:
        return f"state:{_resolved(match[1], connection)}={match[2]}"
    except AgtmuxError as error:
        if error.code == "E_REF_NOT_FOUND":
            raise unknown from error
        raise


def _resolved(ref: str, connection: Connection) -> str:
    found: list[str] = []

    def resolve(client: Client) -> Reply:
        found.append(refs.resolve(ref, client))
        return client.health()

    connection.ask(resolve)
    return found[-1]
