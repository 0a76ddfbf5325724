"""Prove, show and explain notifications (``agtmux notify test|status|why|retry``). Owns their wording."""

from __future__ import annotations

import sys
import time

import click

from agtmux import render
from agtmux.cli import completion_values
from agtmux.cli import ref as refs
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.protocol import paths
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

TEST_WITHIN = 60.0
"""Seconds for which a test of all channels may take."""


@click.group("notify")
def notify_group() -> None:
    """Manage notifications: check channels, and see who was notified of what.

    Channels and rules are in the configuration, under [notify].

    \b
    Example:
      agtmux notify test desktop
    """


@notify_group.command(short_help="Send a test message, to see that a channel works.")
@click.argument("channel", required=False, shell_complete=completion_values.channels)
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def test(app: App, channel: str | None, as_json: bool) -> None:
    """Send a test message on one channel, or on all.

    It goes the same way as every notification, but mutes and quiet hours do not hold it back. Exit status 1 if a
    channel fails.

    \b
    Examples:
      agtmux notify test
      agtmux notify test phone
    """
    reply = app.client(timeout=TEST_WITHIN).test_channels(channel)
    results = reply.json().get("results") or ()
    if as_json:
        write_body(reply.body)
    else:
        for result in results:
            click.echo(f"{'ok  ' if result.get('ok') else 'FAIL'}  {clean(result.get('channel'))}{_why(result)}")
    if not all(result.get("ok") for result in results):
        click.get_current_context().exit(1)


def _why(result: Mapping[str, Any]) -> str:
    detail = clean(result.get("detail"), "")
    return f": {detail}" if detail else ""


@notify_group.command(short_help="Show channels, mutes, and what waits for you.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def status(app: App, as_json: bool) -> None:
    """Show channels, mutes, what waits for you, and messages that failed.

    \b
    Example:
      agtmux notify status
    """
    reply = app.client().notify_status()
    if as_json:
        write_body(reply.body)
        return
    body, now = reply.json(), time.time()
    for line in held_lines(body, now):
        click.echo(line)
    channels = body.get("channels") or []
    if channels:
        _show(app, "channels", channels, now)
    else:
        click.echo(f"no channel: add one to {paths.config_file()}, then run agtmux daemon reload; for example")
        click.echo('  [[notify.channels]]\n  name = "desk"\n  kind = "desktop"')
    for heading, scope, key in (("needs you:", "episodes", "episodes"), ("failed:", "failed messages", "dead")):
        items = body.get(key) or []
        if items:
            click.echo(f"\n{heading}")
            _show(app, scope, items, now)
    if body.get("dead"):
        app.say("agtmux notify retry sends the failed messages again")


@notify_group.command()
@click.argument("ref", shell_complete=completion_values.refs)
@click.option("--limit", type=click.IntRange(1, 100), default=5, show_default=True, help="Show at most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def why(app: App, ref: str, limit: int, as_json: bool) -> None:
    """Explain which notifications were sent about a pane, and why not.

    \b
    Example:
      agtmux notify why claude
    """
    client = app.client()
    reply = client.notify_why({"pane": refs.resolve(ref, client), "limit": str(limit)})
    if as_json:
        write_body(reply.body)
        return
    body, now = reply.json(), time.time()
    items = body.get("items") or ()
    if not items:
        click.echo("this pane has never needed you while notifications were watched")
    for item in items:
        for line in trace_lines(item, now):
            click.echo(line)


@notify_group.command()
@click.argument("message", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def retry(app: App, message: str | None, as_json: bool) -> None:
    """Send messages that failed once more.

    MESSAGE is an id from agtmux notify status. Without it, all failed messages are sent.

    \b
    Example:
      agtmux notify retry
    """
    reply = app.client().retry_messages(message)
    if as_json:
        write_body(reply.body)
        return
    count = reply.json().get("retried")
    if not count:
        click.echo("no message has failed")
        return
    click.echo(f"sending {count} {'message' if count == 1 else 'messages'} again")


def held_lines(body: Mapping[str, Any], now: float) -> Iterator[str]:
    """Yield what holds notifications back now, line by line."""
    if body.get("quiet_until"):
        yield f"quiet hours until {moment(body['quiet_until'], now)}"
    for mute in body.get("mutes") or ():
        what = clean(mute.get("pane"), "everything")
        yield f"muted until {moment(mute.get('until'), now)}: {what}"


def trace_lines(item: Mapping[str, Any], now: float) -> Iterator[str]:
    """Yield what became of one episode, line by line."""
    began = f"{clean(item.get('kind'))}, {render.age(item.get('opened_at'), now)} ago"
    ended = f", ended: {clean(item.get('close_reason'))}" if item.get("closed_at") else ", still open"
    yield f"{began}{ended}"
    deliveries = item.get("deliveries") or ()
    for one in deliveries:
        what = "" if one.get("part") == "first" else " (reminder)"
        rule = f"rule {one['rule']}" if one.get("rule") else "no rule"
        yield f"  {clean(one.get('channel'))}{what}: {_state(one, now)} ({rule})"
    if not deliveries:
        yield "  nothing is sent: no channel is configured, or no rule is for it"
    for passed in item.get("rules_not_for_it") or ():
        yield f"  rule {clean(passed.get('rule'))}: {clean(passed.get('reason'))}"


def _state(one: Mapping[str, Any], now: float) -> str:
    state, reason, at = str(one.get("state")), clean(one.get("reason"), ""), one.get("at")
    if state == "sent":
        return f"sent {render.age(at, now)} ago"
    if state in ("wait", "hold", "retry"):
        until = f" until {moment(at, now)}" if at else ""
        return f"{'failed, waits' if state == 'retry' else 'waits'}{until}: {reason}"
    words = {"skipped": "not sent", "dead": "failed", "unknown": "perhaps sent", "send": "is sent now"}
    word = words.get(state, state)
    return f"{word}: {reason}" if reason and state != "send" else word


def moment(stamp: object, now: float) -> str:
    """Return a time of the API as a local one: ``08:00``, with the date if it is not today."""
    import calendar

    text = str(stamp)
    try:
        then = calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return clean(stamp)
    local, today = time.localtime(then), time.localtime(now)
    clock = time.strftime("%H:%M", local)
    return clock if local[:3] == today[:3] else f"{time.strftime('%Y-%m-%d', local)} {clock}"


def _show(app: App, scope: str, items: Sequence[dict[str, Any]], now: float) -> None:
    if app.styled():
        render.console(app.color).print(render.ListingView(scope, {"items": items}, now))
    else:
        sys.stdout.write(render.plain(scope, items, now))
