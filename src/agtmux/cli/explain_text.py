"""Print the evidence behind one pane's state: which claims decided, which were ignored and why, and recent events.

Owns the wording. Knows neither the client nor the command. Every text of an agent passes through ``clean``.
"""

from __future__ import annotations

from agtmux.render import age, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    Row = Mapping[str, Any]

SOURCES = {"poller": "screen", "status": "status file", "transcript": "session file", "wrapper": "agtmux run"}
"""Names of sources for a person. Sources that are not listed here keep their names."""
_SERVER = "app server"

_ENDED = {
    "turn_start": "a newer turn began",
    "turn_end": "its turn ended",
    "clear": "its turn was cleared or interrupted",
    "cut_short": "its turn was cleared or interrupted",
    "cleared_ends": "{by} showed that nothing is left to look at",
    "quiet_edges": "{by} showed no turn and no question",
    "quiet_levels": "{by} showed that the turn was over",
    "busy_waits": "{by} showed the agent at work",
    "busy_undrawn": "{by} kept showing the agent at work, with no question",
    "busy_wait_levels": "{by} showed the agent at work",
    "busy_failed": "{by} showed the agent at work on its next turn",
    "busy_cut_short": "{by} showed the agent at work on its next turn",
    "busy_completed": "{by} showed the agent at work on its next turn",
    "busy_overrun": "{by} kept showing the agent at work on its next turn",
}
"""What each mark of docs/retirement.md means for an older claim."""
_NOTHING = {
    "agent_crashed": "the end of its process: it failed, was killed, or ended in the middle of a turn",
    "pane_unreadable": "nothing: what tmux lists for this pane cannot be read; run agtmux daemon status to see why",
    "target_unreachable": "nothing: its target cannot be reached; run agtmux target list to see why",
    "unsupported_signal": "nothing: no rule matches its screen",
    "suspended": "nothing: its process is suspended; resume it in its pane with fg",
}
"""What to print if no claim decided, by the reason of the state."""
_AGREE = {"idle": ("idle", "not_running", "completed"), "completed": ("completed", "not_running")}
"""Claims that agree with these states."""
_RECENT = 12


def waits(waiting: Row) -> Iterator[str]:
    """Yield what the agent waits for, and the options."""
    what = " ".join(clean(waiting[key]) for key in ("subject", "text") if waiting.get(key))
    yield f"  waits for {clean(waiting.get('kind'))}: {what}"
    if waiting.get("options"):
        yield "  options: " + " | ".join(clean(option) for option in waiting["options"])


def too_old(version: Any, oldest: Any) -> str:
    """Return what the agent's version means for the reading of its screens."""
    return (
        f"version {clean(version)} is older than the oldest tested version ({clean(oldest)}): its screen may be "
        "misread; update the agent, or install its hooks"
    )


def section(title: str, lines: list[str], empty: str | None) -> Iterator[str]:
    """Yield a heading and its lines. ``empty``: printed if there are none, unless it is None."""
    if lines or empty:
        yield f"{title}:"
        yield from (f"  {line}" for line in lines or [str(empty)])


def explanation(body: Row, now: float) -> Iterator[str]:
    """Yield the explanation line by line, safe for a terminal. ``body``: the API's. ``now``: seconds since 1970."""
    item = body.get("item") or {}
    yield clean(body.get("ref"))
    yield f"  {_headline(item, now)}"
    if body.get("older"):
        yield f"  {too_old(item.get('agent_version'), body.get('oldest_version'))}"
    if item.get("waiting_for"):
        yield from waits(item["waiting_for"])
    if item.get("accepts_input") is not None:
        yield f"  text typed now {'goes' if item['accepts_input'] else 'does not go'} to its input field"
    if item.get("background_tasks"):
        yield f"  background tasks: {item['background_tasks']}"
    known = item.get("last_known")
    if known:
        yield f"  last known: {clean(known.get('state'))}, {age(known.get('at'), now)} ago"
    yield ""
    candidates = body.get("candidates") or ()
    decided = body.get("decided_by") or ()
    if item.get("state"):
        yield from _decided(item, decided, candidates, now)
    agreed = [_claim(row, now) for row in candidates if row.get("used") and row not in decided]
    by, left_out = _levels(candidates), [row for row in candidates if not row.get("used") and row.get("claim")]
    says_so = _AGREE.get(str(item.get("state")), (item.get("state"),))
    agreed += [_discarded(row, by, now) for row in left_out if row["claim"] in says_so]
    yield from section("Also considered", agreed, None)
    doubted = [_discarded(row, by, now) for row in left_out if row["claim"] not in says_so]
    yield from section("Ignored", doubted, None)
    yield from section("Recent events", _events(body.get("recent_events") or (), now), None)


def _decided(item: Row, decided: Iterable[Row], candidates: Iterable[Row], now: float) -> Iterator[str]:
    lines = [_claim(row, now) for row in decided if row.get("claim")]
    if not lines and candidates and decided:  # only while a newer claim is being held back
        sources = ", ".join(f"{_source(row)} by {clean(row.get('rule'))}" for row in decided)
        lines = [f"{sources}; a newer claim will count once the screen confirms it"]
    empty = _NOTHING.get(str(item.get("reason_code")), "nothing: no fresh evidence")
    if item.get("reason_code") == "agent_crashed" and item.get("detail"):
        empty = f"the end of its process: {clean(item['detail'])}"
    yield from section("Decided by", lines, empty)


def _headline(item: Row, now: float) -> str:
    agent = " ".join(clean(item[key]) for key in ("agent_type", "agent_version") if item.get(key))
    if not item.get("state"):
        return f"{agent or 'no agent'} in this pane, so it has no state"
    reason = f" ({clean(item['reason_code'])})" if item.get("reason_code") else ""
    sure = f", confidence {clean(item['confidence'])}" if item.get("confidence") else ""
    return f"{agent or 'no agent'}: {clean(item['state'])}{reason} for {age(item.get('since'), now)}{sure}"


def _source(row: Row) -> str:
    name = clean(row.get("source"))
    if name == "status" and str(row.get("rule")).startswith(_SERVER):
        return _SERVER  # not a file: the server that the user has agtmux ask
    return SOURCES.get(name, name)


def _subject(row: Row) -> str:
    return "" if row.get("subject") in (None, "turn") else f" about {clean(row['subject'])}"


def _claim(row: Row, now: float) -> str:
    detail = f" — {clean(row['detail'])}" if row.get("detail") else ""
    strength = " (hint)" if row.get("strength") == "hint" else ""
    seen = age(row.get("last_seen") or row.get("since"), now)
    return (
        f"{_source(row)}{_subject(row)} says {clean(row.get('claim'), 'nothing now')}{strength}, "
        f"by {clean(row.get('rule'))}, since {age(row.get('since'), now)}, last seen {seen} ago{detail}"
    )


def _discarded(row: Row, by: str, now: float) -> str:
    """Return the line of a claim that was ignored. ``by``: the sources whose levels ended it."""
    why = clean(row.get("discarded_because"), "")
    mark = str(row.get("retired_by") or why.partition("retired: ")[2])
    if mark in _ENDED:
        seen = age(row.get("last_seen") or row.get("since"), now)
        claim = f"{_source(row)}{_subject(row)} said {clean(row.get('claim'))}, by {clean(row.get('rule'))}, {seen} ago"
        return f"{claim}: since then {_ENDED[mark].format(by=by)} ({mark})"
    if why.startswith("outranked by "):
        why = f"{why.removeprefix('outranked by ')} has precedence"
    elif why == "stale":
        why = "stale, its pane was not read recently"
    return f"{_claim(row, now)}: {why or 'not fresh'}"


def _levels(candidates: Iterable[Row]) -> str:
    there = {str(row.get("source")) for row in candidates if row.get("claim")}
    levels = [f"the {SOURCES.get(name, name)}" for name in ("poller", "status") if name in there]
    return " or ".join(levels) or "the screen"


def _events(rows: Iterable[Row], now: float) -> list[str]:
    """Return event lines, newest first. Of equal ones in a row, only the first."""
    out: list[str] = []
    for row in sorted(rows, key=lambda row: str(row.get("event_time")), reverse=True):
        kind, _, what = clean(row.get("event_type")).partition(":")
        text = f"{_source(row)} {kind}{what and ':'}{what}"
        if kind == "claim":
            text = f"{_source(row)} shows {'nothing known' if what == 'none' else what}"
        elif kind == "action":
            text = f"agtmux {what}"
        code = (row.get("raw_payload") or {}).get("exit_code")
        text += "" if code is None else f", exit status {clean(code)}"
        line = f"{age(row.get('event_time'), now):>6} ago  {text}"
        line += "" if row.get("applied", True) else "  (not applied)"
        if out[-1:] != [line]:
            out.append(line)
    return out[:_RECENT]
