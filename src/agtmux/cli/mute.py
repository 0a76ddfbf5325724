"""Hold notifications back for a while (``agtmux mute`` and ``agtmux unmute``). Owns how times are given."""

from __future__ import annotations

import re
import time

import click

from agtmux.cli import completion_values
from agtmux.cli import ref as refs
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.cli.notify import moment
from agtmux.protocol.duration import seconds_of
from agtmux.render import clean

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@click.command()
@click.argument("ref", required=False, shell_complete=completion_values.refs)
@click.option("--for", "span", metavar="D", help="Mute for this long: 30m, 2h, 1d.")
@click.option("--until", metavar="T", help="Mute until this time: 08:00, or RFC 3339.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def mute(app: App, ref: str | None, span: str | None, until: str | None, as_json: bool) -> None:
    """Stop notifications of a pane, or all, for a while.

    A mute always ends. What still needs you then is sent. Listings show muted panes.

    \b
    Examples:
      agtmux mute --for 2h
      agtmux mute claude --until 08:00
    """
    if span is not None and until is not None:
        raise click.UsageError("give --for or --until, not both")
    if span is None and until is None:
        raise click.UsageError("give --for D or --until T: a mute always ends")
    client = app.client()
    request: dict[str, object] = {"seconds": seconds(span)} if span is not None else {"until": time_of(until or "")}
    if ref is not None:
        request["pane"] = refs.resolve(ref, client)
    reply = client.mute(request)
    if as_json:
        write_body(reply.body)
        return
    item = reply.json().get("item") or {}
    click.echo(f"muted until {moment(item.get('until'), time.time())}: {clean(item.get('pane'), 'everything')}")


@click.command()
@click.argument("ref", required=False, shell_complete=completion_values.refs)
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def unmute(app: App, ref: str | None, as_json: bool) -> None:
    """Start notifications of a pane again, or all.

    Without REF, every mute ends.

    \b
    Example:
      agtmux unmute
    """
    client = app.client()
    reply = client.unmute({} if ref is None else {"pane": refs.resolve(ref, client)})
    if as_json:
        write_body(reply.body)
        return
    lifted = reply.json().get("lifted")
    click.echo("nothing was muted" if not lifted else f"{lifted} {'mute' if lifted == 1 else 'mutes'} ended")


def seconds(span: str) -> float:
    """Return the seconds of a duration. Raises UsageError."""
    found = seconds_of(span)
    if found is None:
        raise click.UsageError(f"--for: {span!r} is not a duration like 30m, 2h or 1d")
    return found


def time_of(text: str, now: float | None = None) -> str:
    """Return a time for the API: RFC 3339 as it is, ``08:00`` as the next such local time. Raises UsageError."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        if re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", text):
            return text
        raise click.UsageError(f"--until: {text!r} is not a time like 08:00 or 2026-01-31T08:00:00Z")
    begun = time.time() if now is None else now
    for days in (0, 1):
        parts = time.localtime(begun)
        wanted = (*parts[:2], parts[2] + days, int(match[1]), int(match[2]), 0, 0, 0, -1)
        then = time.mktime(wanted)
        if then > begun:
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(then))
    raise AssertionError("tomorrow is later than now")
