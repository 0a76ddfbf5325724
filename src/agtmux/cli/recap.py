"""Tell what happened while you were away (``agtmux recap``). Owns its options and its text."""

from __future__ import annotations

import re
import sys
import time
from datetime import datetime, timedelta

import click

from agtmux import render
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.protocol.duration import seconds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LISTED = 3
"""Waits and failures that are printed for each agent. ``--json`` has more."""


def since_of(text: str, now: float) -> str:
    """Convert ``8h``, ``07:30`` or an RFC 3339 time to RFC 3339. ``now``: seconds since the epoch.

    A clock time is the last one, today or yesterday, in local time. Raises click.UsageError.
    """
    span = seconds_of(text)
    clock = re.fullmatch(r"(\d{1,2}):(\d{2})", text, re.ASCII)
    try:
        if span is not None:
            return _stamp(now - span)
        if clock is not None:
            today = datetime.fromtimestamp(now).replace(  # noqa: DTZ006 local time, whose offset may change within the day
                hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0
            )
            at = today.timestamp()
            return _stamp(at if at <= now else (today - timedelta(days=1)).timestamp())
        return _stamp(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError, OSError):
        raise click.UsageError(
            f"--since: {text!r} is not a time: write it like 8h, 90m, 07:30 or 2026-01-02T03:04:05Z"
        ) from None


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="milliseconds")


@click.command()
@click.option("--since", default="8h", show_default=True, metavar="TIME", help="Begin here: 8h, 07:30, or RFC 3339.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def recap(app: App, since: str, as_json: bool) -> None:
    """Show who waited for you, what finished and what failed.

    The daemon keeps its log of changes for a day (retention.stream). The recap says so if its log begins later than
    you asked for.

    \b
    Examples:
      agtmux recap                      the last 8 hours
      agtmux recap --since 22:00        since last night
      agtmux recap --since 1d --json
    """
    now = time.time()
    reply = app.client().recap({"since": since_of(since, now)})
    if as_json:
        write_body(reply.body)
        return
    sys.stdout.write("\n".join(lines(reply.json(), now)) + "\n")


def lines(body: dict[str, Any], now: float) -> list[str]:
    """Write the recap as text. ``body``: the API's answer."""
    items, total = body["items"], body["summary"]
    begin = max(body["since"], body["log_begins"] or body["since"])
    out = [
        f"Since {_local(begin)} ({render.age(begin, now)}): {_count(total['agents'], 'agent')}, "
        f"{total['finished']} finished, {total['failed']} failed, {span(total['waited_s'])} of waiting for you."
    ]
    if begin != body["since"]:
        out.append(f"The log begins at {_local(begin)}: nothing is known of the time before.")
    waited = [item for item in items if item["wait_count"]]
    failed = [item for item in items if item["failed"]]
    worked = [item for item in items if item["finished"] or item["running_s"] >= 1]
    if waited:
        out += ["", "Waited for you"]
        for item in waited:
            out.append(f"  {name(item)}: {_count(item['wait_count'], 'time')}, {span(item['waited_s'])}")
            out += [f"    {_wait(one)}" for one in item["waits"][:_LISTED]]
    if failed:
        out += ["", "Failed"]
        for item in failed:
            out.append(f"  {name(item)}: {_count(item['failed'], 'time')}")
            out += [f"    {_local(one['at'])}  {render.clean(one['detail'])}" for one in item["failures"][:_LISTED]]
    if worked:
        out += ["", "Worked"]
        for item in worked:
            end = f", ended {_local(item['ended_at'])}" if item["ended_at"] else ""
            out.append(f"  {name(item)}: {item['finished']} finished, {span(item['running_s'])} running{end}")
    shared_part = _coordination(body.get("coordination") or {})
    if not items and not shared_part:
        out.append("Nothing happened.")
    return out + shared_part


def _coordination(found: dict[str, Any]) -> list[str]:
    """Write what happened between agents and people. An older daemon says nothing of it."""
    counts = {
        "to_people": "to people", "results": "results", "answers": "answers", "overdue": "without an answer in time",
        "undelivered": "not delivered or not confirmed",
    }  # fmt: skip
    parts = [f"{found[key]} {words}" for key, words in counts.items() if found.get(key)]
    out = ["", "Messages", f"  {', '.join(parts)}"] if parts else []
    out += [
        f"    {_local(one['at'])}  {render.clean(one['sender'])}: {render.clean(one['kind']).replace('_', ' ')}"
        for one in (found.get("messages") or [])[:_LISTED]
    ]
    taken = found.get("takeovers") or []
    if taken:
        out += ["", "Leases taken over"]
    for one in taken[:_LISTED]:
        what, holder = render.clean(one["what"]), render.clean(one["holder"])
        out.append(f"  {_local(one['at'])}  {what} of {holder}, {render.clean(one['reason'])}")
    return out


def name(item: dict[str, Any]) -> str:
    """Name an agent: the name that somebody gave it or its type, its project and branch, and where it is."""
    where = item["identity"] or {}
    project = ":".join(render.clean(part) for part in (item["project"], item["branch"]) if part)
    place = f"{render.clean(where.get('session_name'))}:{item['window_index']}.{item['pane_index']}"
    if where.get("target") not in (None, "host"):
        place = f"{render.clean(where['target'])} {place}"
    given = (item.get("agent") or {}).get("name")
    return " ".join(part for part in (render.clean(given or item["agent_type"]), project, place) if part)


def span(seconds: float) -> str:
    """Write a duration in one or two units: ``40 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:02.0f} min"


def _wait(one: dict[str, Any]) -> str:
    what = " ".join(render.clean(part) for part in (one["subject"], one["text"]) if part)
    still = "" if one["until"] else ", still waiting"
    return f"{span(one['waited_s'])} from {_local(one['since'])}: {what or one['state']}{still}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _local(stamp: str) -> str:
    """Write a time in local time: the hour of today, else with its date."""
    at = datetime.fromisoformat(stamp).astimezone()
    return at.strftime("%H:%M" if at.date() == datetime.now().astimezone().date() else "%b %d %H:%M")
