"""Wait for states (``agtmux wait``), and for the end of one turn. Owns when a wait is over. It only follows the stream.

A wait is bound to the runtimes that it began with. Another agent in the same pane never ends it. If its own agent ends,
the wait ends with an error. A restart of the daemon does not end it.
"""

from __future__ import annotations

import json
import re
import sys
import time

import click
from click.core import ParameterSource

from agtmux.cli import completion_values, wait_conditions
from agtmux.cli.action_options import pane
from agtmux.cli.completion_values import GROUPS
from agtmux.cli.context import App, pass_app, shared
from agtmux.cli.live import Follower, Rows
from agtmux.protocol.errors import SCHEMA_VERSION, AgtmuxError
from agtmux.protocol.text import block, escaped
from agtmux.render import STATES, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from agtmux.client import Client

    Item = Mapping[str, Any]

MESSAGES = ("last_assistant_message", "last-assistant-message", "prompt_response")
"""Fields in which agents put their last message when they report the end of a turn."""
_OVER = ("completed", "idle", "error", "waiting_approval", "waiting_input")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_TICK = 0.25
_LATE = 1.0


def duration(text: str) -> float:
    """Return the seconds of ``90``, ``30s``, ``10m`` or ``2h``. Raises UsageError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise click.UsageError(f"{text!r} is not a duration: write it like 30s, 10m or 2h")
    return float(match[1]) * _SECONDS[match[2]]


class _TimeUpError(Exception):
    """The time is over."""


def _follow(app: App, cursor: str | None, deadline: float) -> Iterator[tuple[Rows, dict[str, Any]]]:
    """Yield the rows and the line that changed them last. Raises _OverError at ``deadline`` (monotonic seconds)."""

    def tick() -> None:
        if time.monotonic() > deadline:
            raise _TimeUpError

    rows = Rows()
    params = {"scope": "panes", "cursor": cursor, "once": None, "interval": None, "heartbeat": None}
    follower = Follower(app, params, reconnect=True)
    for raw in follower.lines(tick, _TICK):
        line = json.loads(raw)
        if rows.apply(line):
            yield rows, line
        tick()


def _states(words: str) -> set[str]:
    out: set[str] = set()
    for word in words.split(","):
        if word in GROUPS:
            out.update(GROUPS[word])
        elif word in STATES:
            out.add(word)
        else:
            known = ", ".join([*STATES, *GROUPS])
            raise click.UsageError(f"--for {word}: there is no such state; use {known}")
    return out


@click.command()
@click.argument("refs", metavar="REF|COND...", nargs=-1, shell_complete=completion_values.refs)
@click.option(
    "--for", "wanted", default="done", show_default=True, metavar="STATE[,…]",
    shell_complete=completion_values.states,
    help="Wait for these states, or done (completed, idle), waiting, attention.",
)  # fmt: skip
@click.option("--any", "any_of", is_flag=True, help="Stop when one agent or condition is there.")
@click.option("--all", "all_of", is_flag=True, help="Stop when every agent or condition was there once (default).")
@click.option("--at-least", type=click.IntRange(1), metavar="N", help="Stop when N conditions were met.")
@click.option("--id", "wait_id", metavar="WAIT_ID", help="Go on with an earlier wait.")
@click.option("--list", "listed", is_flag=True, help="List open waits, and wait for nothing.")
@click.option("--cancel", "cancelled", metavar="WAIT_ID", help="Cancel an open wait.")
@click.option(
    "--timeout", default="10m", show_default=True, metavar="DURATION", help="Give up after this time (exit status 7)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@shared()
@pass_app
def wait(
    app: App, refs: tuple[str, ...], wanted: str, any_of: bool, all_of: bool, at_least: int | None,
    wait_id: str | None, listed: bool, cancelled: str | None, timeout: str, as_json: bool,
) -> None:  # fmt: skip
    """Wait until agents reach a state, or until conditions are met.

    REF waits for states (--for). An agent that is already in the state counts. If an agent ends first, that is an error
    (exit status 5).

    COND is state:REF=STATE[,…], agent:NAME=bound or gone, signal:TOPIC[>SEQ], msg:ID=acked or answered,
    lease:NAME=free or mine. The daemon keeps such a wait: a restart of either side loses nothing.

    \b
    Exit status: 0 met, 2 wrong command line, 3 no daemon or not allowed,
    5 an agent ended first or the wait was cancelled, 7 not in time.

    \b
    Examples:
      agtmux wait claude
      agtmux wait %3 %4 --for waiting,error --any --timeout 1h
      agtmux wait --all state:%3=idle signal:team/web/built
      agtmux wait --at-least 2 state:%3=done state:%4=done state:%5=done --json
      agtmux wait --id 019a…   go on with an earlier wait
    """
    if sum((any_of, all_of, at_least is not None)) > 1:
        raise click.UsageError("give one of --any, --all and --at-least")
    if sum((bool(refs), wait_id is not None, listed, cancelled is not None)) != 1:
        raise click.UsageError("give REFs or conditions to wait for, or one of --id, --list and --cancel")
    how = "at_least" if at_least is not None else "any" if any_of else "all"
    chosen = click.get_current_context().get_parameter_source("timeout") is not ParameterSource.DEFAULT
    if not refs or any(map(wait_conditions.is_condition, refs)):
        _wait_for_conditions(app, refs, how, at_least, wait_id, cancelled, timeout if chosen else None, as_json)
        return
    if at_least is not None:
        raise click.UsageError("--at-least is for conditions: write state:REF=STATE")
    _wait_for_states(app, refs, wanted, any_of, timeout, chosen, as_json)


def _wait_for_conditions(
    app: App, texts: tuple[str, ...], how: str, at_least: int | None, wait_id: str | None, cancelled: str | None,
    timeout: str | None, as_json: bool,
) -> None:  # fmt: skip
    if wait_id is not None:
        wait_conditions.join(app, wait_id, None if timeout is None else duration(timeout), as_json=as_json)
    elif cancelled is not None:
        wait_conditions.cancel(app, cancelled, as_json=as_json)
    elif not texts:
        wait_conditions.list_waits(app, as_json=as_json)
    else:
        for text in texts:
            if not wait_conditions.is_condition(text):
                raise click.UsageError(f"{text} is not a condition: write state:{text}=STATE beside other conditions")
        seconds = duration(timeout or "10m")
        wait_conditions.wait_for(app, texts, mode=how, at_least=at_least, seconds=seconds, as_json=as_json)


def _wait_for_states(
    app: App, refs: tuple[str, ...], wanted: str, any_of: bool, timeout: str, chosen: bool, as_json: bool
) -> None:
    states, seconds = _states(wanted), duration(timeout)
    client = app.client()
    open_ones: dict[str, Item] = {}
    for text in refs:
        item = pane(client, text)
        if not item.get("runtime_id") or item.get("reason_code") == "agent_crashed":
            raise AgtmuxError(
                "E_RUNTIME_STALE", f"no agent runs in {item['identity']['pane_id']}: run agtmux ls to see agents"
            )
        open_ones[item["runtime_id"]] = item
    if sys.stderr.isatty() or not chosen:
        app.say(f"waiting up to {timeout} for {', '.join(sorted(states))}")
    reached: list[Item] = []
    try:
        for rows, _ in _follow(app, None, time.monotonic() + seconds):
            reached += _reached(rows, open_ones, states)
            if not open_ones or (any_of and reached):
                break
    except _TimeUpError:
        left = ", ".join(str(item["identity"]["pane_id"]) for item in open_ones.values())
        raise AgtmuxError(
            "E_TIMEOUT", f"not {wanted} within {timeout}: {left}; use --timeout to wait longer", {"timeout_s": seconds}
        ) from None
    if as_json:
        click.echo(escaped(json.dumps({"schema_version": SCHEMA_VERSION, "items": reached}, ensure_ascii=False)))
        return
    for item in reached:
        click.echo(f"{clean(item['state'])} {clean(item['ref'])}")


def _reached(rows: Rows, open_ones: dict[str, Item], states: set[str]) -> Iterator[Item]:
    """Yield the rows that are in a wanted state, and remove them from ``open_ones``. Raises E_RUNTIME_STALE."""
    there = {item.get("runtime_id"): item for item in rows.body["items"]}
    for runtime_id, was in list(open_ones.items()):
        item = _mine(there, runtime_id, was, "error" in states)
        if item.get("state") in states:
            del open_ones[runtime_id]
            yield item


def _mine(there: Mapping[Any, Item], runtime_id: str, was: Item, crash_counts: bool) -> Item:
    item = there.get(runtime_id)
    crashed = item is not None and item.get("reason_code") == "agent_crashed"
    if item is None or (crashed and not crash_counts):
        how = "crashed" if crashed else "ended"
        raise AgtmuxError(
            "E_RUNTIME_STALE", f"{was.get('agent_type')} in {was['identity']['pane_id']} has {how}",
            {"runtime_id": runtime_id, "reason": how},
        )  # fmt: skip
    return item


# ------------------------------------------------------------ one turn


def place(client: Client) -> str:
    """Return the current cursor of the stream."""
    exchange = client.watch({"scope": "panes", "once": "true"})
    with exchange:
        line = exchange.line()
    return str(json.loads(line or b"{}").get("cursor") or "")


def turn(app: App, before: Item, cursor: str, asked: float, seconds: float) -> Item:
    """Return the row in which the turn that was requested at ``asked`` ended. Raises E_TIMEOUT, E_RUNTIME_STALE.

    ``cursor``: of a moment before the request, so that even the shortest turn is not missed.
    """
    since, item, ran = _stamp(asked), before, before.get("state") == "running"
    try:
        for _, line in _follow(app, cursor, time.monotonic() + seconds):
            for row in _versions(line, item, str(before["runtime_id"])):
                item, state = row, row.get("state")
                ran = ran or state == "running"
                later = str(row.get("since") or "") >= since
                if state in _OVER and later and (ran or state != "idle"):
                    return row
    except _TimeUpError:
        raise AgtmuxError(
            "E_TIMEOUT",
            f"the turn did not end within {seconds:g} s: use --timeout to wait longer",
            {"timeout_s": seconds},
        ) from None
    raise AgtmuxError("E_INTERNAL", "the daemon ended the stream: run the command again")


def _versions(line: Item, was: Item, runtime_id: str) -> Iterator[Item]:
    """Yield the rows of one runtime in a line of the stream. Raises E_RUNTIME_STALE if the line reports that it has
    gone.
    """
    rows = line.get("items") if line["type"] == "snapshot" else [c.get("item") for c in line.get("changes") or ()]
    mine = [item for item in rows or () if item and item.get("runtime_id") == runtime_id]
    gone = line["type"] == "snapshot" or any(c["identity"] == was["identity"] for c in line.get("changes") or ())
    if gone and not mine:
        _mine({}, runtime_id, was, crash_counts=False)
    for item in mine:
        yield _mine({runtime_id: item}, runtime_id, was, crash_counts=False)


def print_outcome(client: Client, item: Item, asked: float, *, as_json: bool, answer: Item) -> None:
    """Print the state in which the turn ended, and the agent's last message if it reported one."""
    message = _last_message(client, item, asked) if item["state"] == "completed" else None
    if as_json:
        outcome = {"schema_version": SCHEMA_VERSION, "action": answer, "item": item, "last_message": message}
        click.echo(escaped(json.dumps(outcome, ensure_ascii=False)))
        return
    waiting = item.get("waiting_for") or {}
    asks = ": ".join(clean(waiting[key]) for key in ("subject", "text") if waiting.get(key))
    reason = f" ({clean(item['reason_code'])})" if item.get("reason_code") else ""
    click.echo(f"{clean(item['state'])}{reason}{f': {asks}' if asks else ''}")
    if message:
        click.echo(block(message))


def _last_message(client: Client, item: Item, asked: float) -> str | None:
    """Return the last message: from a hook, else from the agent's transcript, whose last lines may be some
    100 ms late.
    """
    reported = _reported(client, str(item["runtime_id"]), _stamp(asked))
    until = time.monotonic() + _LATE
    while reported is None:
        reply = client.message(str(item["ref"])).json()
        if reply.get("runtime_id") != item["runtime_id"] or reply.get("source") is None:
            return None
        if reply.get("text") and str(reply.get("said_at")) >= _stamp(asked):
            return str(reply["text"])
        if time.monotonic() >= until:
            return None
        time.sleep(_TICK)
    return reported


def _reported(client: Client, runtime_id: str, since: str) -> str | None:
    for event in client.events({"runtime": runtime_id, "limit": "50"}).json().get("items") or ():
        payload = event.get("raw_payload")
        if str(event.get("event_time")) < since or not isinstance(payload, dict):
            continue
        for name in MESSAGES:
            if isinstance(payload.get(name), str) and payload[name].strip():
                return str(payload[name])
    return None


def _stamp(moment: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment * 1000) % 1000:03d}Z"
