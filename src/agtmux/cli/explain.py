"""``agtmux explain``: the evidence behind one pane's state, or what the rules make of a captured screen, as a story.

Owns its wording.
"""

from __future__ import annotations

import time

import click

from agtmux.cli import ref as refs
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.render import age, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO, Any

    Row = Mapping[str, Any]


_SCREEN = click.File("r", encoding="utf-8", errors="replace")


@click.command()
@click.argument("ref", required=False)
@click.option("--file", "screen", type=_SCREEN, help="A captured screen instead of a pane; - for standard input.")
@click.option("--agent", help="With --file: the agent whose rules are tried.")
@click.option("--title", default="", help="With --file: the pane's title.")
@click.option("--cols", type=click.IntRange(1, 10_000), help="With --file: the pane's width.")
@click.option("--rows", type=click.IntRange(1, 10_000), help="With --file: the pane's height.")
@click.option("--cursor", type=(int, int), default=(0, 0), metavar="X Y", help="With --file: where the cursor stands.")
@click.option("--before", help="With --file: the claim of the look before, e.g. running.")
@click.option("--json", "as_json", is_flag=True, help="The API's answer, unchanged.")
@shared()
@pass_app
def explain(
    app: App,
    ref: str | None,
    screen: IO[str] | None,
    agent: str | None,
    title: str,
    cols: int | None,
    rows: int | None,
    cursor: tuple[int, int],
    before: str | None,
    as_json: bool,
) -> None:
    """Why a pane is said to be in its state: who said what, when, and what was not believed.

    REF is pane:…, runtime:…, or where it is unique a pane id (%12), a place (work:1.0) or an agent (claude).

    \b
    Examples:
      agtmux explain %12
      agtmux explain work:1.0 --json
      tmux capture-pane -p -t %12 | agtmux explain --file - --agent claude
    """
    client = app.client()
    if screen is not None:
        if agent is None or ref is not None:
            raise click.UsageError("--file needs --agent, and no REF")
        request = {
            "agent": agent, "screen": screen.read(), "title": title, "cols": cols, "rows": rows, "before": before,
            "cursor_x": cursor[0], "cursor_y": cursor[1],
        }  # fmt: skip
        replayed = client.replay(request)
        if as_json:
            write_body(replayed.body)
            return
        for line in replay_story(replayed.json()):
            click.echo(line)
        return
    if ref is None:
        raise click.UsageError("Missing argument 'REF' (or --file with --agent).")
    reply = client.explain(refs.resolve(ref, client))
    if as_json:
        write_body(reply.body)
        return
    for line in story(reply.json(), time.time()):
        click.echo(line)


def replay_story(body: Row) -> Iterator[str]:
    """What the rules make of a captured screen, line by line, safe for a terminal."""
    where = clean(body.get("rules_file"), "the shipped rules")
    versions = ", ".join(clean(v) for v in body.get("recorded_on") or ()) or "nothing"
    yield f"{clean(body.get('agent'))} by {where}, recorded on {versions}"
    if body.get("rule") is None:
        yield "  no rule holds: this screen says nothing (which is never idle)"
    else:
        strength = " (hint)" if body.get("strength") == "hint" else ""
        yield f"  {clean(body.get('claim'))}{strength}, by {clean(body['rule'])}"
    waiting = body.get("waiting_for")
    if waiting:
        yield from _waits(waiting)
    yield f"  input field: {clean(body.get('composer'), 'not there')}"
    if body.get("background_tasks"):
        yield f"  background tasks: {body['background_tasks']}"
    rows = [
        f"{rule.get('priority'):>4} {clean(rule.get('rule'))} → {clean(rule.get('claim'))}" for rule in body["matched"]
    ]
    yield from _section("Rules that hold, the first one speaks", rows, None)


def _waits(waiting: Row) -> Iterator[str]:
    what = " ".join(clean(waiting[key]) for key in ("subject", "text") if waiting.get(key))
    yield f"  waits for {clean(waiting.get('kind'))}: {what}"
    if waiting.get("options"):
        yield "  options: " + " | ".join(clean(option) for option in waiting["options"])


def story(body: Row, now: float) -> Iterator[str]:
    """The explanation line by line, safe for a terminal."""
    item = body.get("item") or {}
    yield clean(body.get("ref"))
    yield f"  {_headline(item, now)}"
    waiting = item.get("waiting_for")
    if waiting:
        yield from _waits(waiting)
    if item.get("accepts_input") is not None:
        yield f"  text typed now {'goes' if item['accepts_input'] else 'does not go'} to its composer"
    if item.get("background_tasks"):
        yield f"  background tasks: {item['background_tasks']}"
    known = item.get("last_known")
    if known:
        yield f"  last known: {clean(known.get('state'))}, {age(known.get('at'), now)} ago"
    yield ""
    yield from _section(
        "Decided by", [_claim(row, now) for row in body.get("decided_by") or ()], "nothing: no fresh evidence"
    )
    candidates = body.get("candidates") or ()
    decided = body.get("decided_by") or ()
    agreed = [row for row in candidates if row.get("used") and row not in decided]
    yield from _section("Also considered", [_claim(row, now) for row in agreed], None)
    yield from _section("Not believed", [_discarded(row, now) for row in candidates if not row.get("used")], None)
    events = [
        f"{age(row.get('event_time'), now):>6} ago  {clean(row.get('source'))} {clean(row.get('event_type'))}"
        + ("" if row.get("applied", True) else "  (not applied)")
        for row in body.get("recent_events") or ()
    ]
    yield from _section("Recent events", events, None)


def _headline(item: Row, now: float) -> str:
    agent = " ".join(clean(item[key]) for key in ("agent_type", "agent_version") if item.get(key))
    if not item.get("state"):
        return f"{agent or 'no agent'} here, so there is no state"
    reason = f" ({clean(item['reason_code'])})" if item.get("reason_code") else ""
    sure = f", confidence {clean(item['confidence'])}" if item.get("confidence") else ""
    return f"{agent or 'no agent'}: {clean(item['state'])}{reason} for {age(item.get('since'), now)}{sure}"


def _section(title: str, lines: list[str], empty: str | None) -> Iterator[str]:
    if lines or empty:
        yield f"{title}:"
        yield from (f"  {line}" for line in lines or [str(empty)])


def _claim(row: Row, now: float) -> str:
    subject = "" if row.get("subject") in (None, "turn") else f" about {clean(row['subject'])}"
    detail = f" — {clean(row['detail'])}" if row.get("detail") else ""
    strength = " (hint)" if row.get("strength") == "hint" else ""
    seen = age(row.get("last_seen") or row.get("since"), now)
    return (
        f"{clean(row.get('source'))}{subject} says {clean(row.get('claim'), 'nothing any more')}{strength}, "
        f"by {clean(row.get('rule'))}, since {age(row.get('since'), now)}, last seen {seen} ago{detail}"
    )


def _discarded(row: Row, now: float) -> str:
    why = clean(row.get("discarded_because"), "")
    if not why and row.get("retired_by"):
        why = f"retired by {clean(row['retired_by'])}"
    return f"{_claim(row, now)}: {why or 'not fresh'}"
