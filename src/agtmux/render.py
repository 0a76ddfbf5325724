"""Draw listings: tables on a terminal, aligned plain text in a pipe. Imports rich only to draw a table.

Owns columns, colours, ages and widths. Knows neither the client nor click. Every text from a pane passes through
``agtmux.protocol.text`` here. Items are those of the API.
"""

from __future__ import annotations

import sys
import time

from agtmux.protocol.text import block, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO, Any

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.table import Table

    Item = Mapping[str, Any]
    Column = tuple[str, Callable[[Item, float], str]]

STATES = ("error", "waiting_approval", "waiting_input", "running", "completed", "idle", "unknown")
"""Highest precedence first, in the order of the API."""

_STYLE = {
    "error": "bold red",
    "waiting_approval": "bold yellow",
    "waiting_input": "bold magenta",
    "running": "green",
    "completed": "cyan",
    "idle": "dim",
    "unknown": "dim italic",
}


_MARK = {"needs_action": "!", "review": "*"}
_WIDEST, _LEAST = 32, 12
"""Widths of a table's columns. All but the last are cut at the first number. The last is never narrower than the
second.
"""
_ERROR_CHARS = 60
"""Characters of an error's message that are shown before the prompt."""
_EXPENDABLE = (
    "CONNECTION", "ID", "RUNTIME", "NAME", "WINDOWS", "PANES", "TARGET", "RUNNING", "APPLIED", "WAITING", "AGENT",
    "PANE", "FOR",
)  # fmt: skip
"""Columns that a narrow terminal leaves out, in this order."""
_EXPENDABLE_TARGETS = ("CONNECTION", "RTT_MS", "TMUX", "KIND", "SEEN", "PANES", "AGENTS")


def clean(value: object, empty: str = "-") -> str:
    """Return any field as safe text on one line; ``empty`` for null and blank."""
    return (one_line(str(value)).strip() if value is not None else "") or empty


def age(stamp: object, now: float) -> str:
    """Return how long ago an RFC 3339 UTC time was, in one or two units: ``4s``, ``12m``, ``3h05m``, ``2d``."""
    seconds = _seconds(stamp)
    if seconds is None:
        return "-"
    past = max(0, int(now - seconds))
    if past < 60:
        return f"{past}s"
    if past < 3600:
        return f"{past // 60}m"
    if past < 86400:
        return f"{past // 3600}h{past % 3600 // 60:02d}m"
    return f"{past // 86400}d"


def _seconds(stamp: object) -> float | None:
    if not isinstance(stamp, str) or len(stamp) < 20 or not stamp.endswith("Z"):
        return None
    try:
        import calendar

        whole = calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))
        return whole + float("0" + stamp[19:-1])
    except ValueError:
        return None


def _identity(item: Item, key: str) -> str:
    return clean((item.get("identity") or {}).get(key))


def _place(item: Item, _: float) -> str:
    return f"{_identity(item, 'session_name')}:{clean(item.get('window_index'))}.{clean(item.get('pane_index'))}"


def _state(item: Item, _: float) -> str:
    return clean(item.get("state"))


def _brief(detail: object) -> str:
    text = clean(detail, "")
    return text if len(text) <= _ERROR_CHARS else text[: _ERROR_CHARS - 1] + "…"


def _why(item: Item) -> str:
    """Return what a person wants to know first: what the agent waits for, else its prompt, else the pane's title."""
    waiting = item.get("waiting_for") or {}
    asked = ": ".join(clean(waiting.get(key)) for key in ("subject", "text") if waiting.get(key))
    if asked:
        return asked
    reason = _brief(item.get("detail")) or item.get("reason_code")
    text = clean(item.get("task") or item.get("title"))
    return f"[{clean(reason)}] {text}" if item.get("state") in ("error", "unknown") and reason else text


def _counts(item: Item, _: float) -> str:
    counts = item.get("counts") or {}
    return " ".join(f"{counts[state]} {state}" for state in STATES if counts.get(state)) or "-"


def _field(key: str) -> Callable[[Item, float], str]:
    return lambda item, _: clean(item.get(key))


def _id(key: str) -> Callable[[Item, float], str]:
    return lambda item, _: _identity(item, key)


def _age(key: str) -> Callable[[Item, float], str]:
    return lambda item, now: age(item.get(key), now)


_AGENT = ("AGENT", _field("agent_type"))
_SINCE = ("FOR", _age("since"))


def _attention(item: Item, _: float) -> str:
    return clean(item.get("attention")) + (",muted" if item.get("muted_until") else "")


_ATTENTION = ("ATTENTION", _attention)
_WAIT_RUN: tuple[Column, ...] = (("WAITING", _field("waiting")), ("RUNNING", _field("running")))


def _targets(item: Item, _now: float) -> str:
    """Return the target of a session, or all targets that have a session of its name."""
    merged = ",".join(clean(one.get("target")) for one in item.get("targets") or ())
    return merged or _identity(item, "target")


def _tmux(item: Item, _now: float) -> str:
    """Return the server's version. If no server runs, the column says so: that explains a healthy target
    without panes.
    """
    running = item.get("tmux_version") or item.get("health") != "ok" or item.get("read") is False
    return clean(item.get("tmux_version")) if running else "no server"


def _listed(item: Item, _now: float) -> str:
    """Return the number of panes, and for how many of them tmux's output cannot be read."""
    unread = item.get("unread_panes")
    return f"{clean(item.get('panes'))} ({clean(unread)} unreadable)" if unread else clean(item.get("panes"))


def _outcome(item: Item, _now: float) -> str:
    code = clean(item.get("result_code"), "in flight")
    return f"{code} {clean(item['error_code'])}" if item.get("error_code") else code


def _heard(item: Item, now: float) -> str:
    """Return what became of an episode on each channel."""
    said = [f"{clean(one.get('channel'))} {clean(one.get('state'))}" for one in item.get("deliveries") or ()]
    return ", ".join(said) or "not sent yet"


def _caller(item: Item, _now: float) -> str:
    caller = item.get("caller") or {}
    return " ".join(clean(caller[key]) for key in ("actor", "pid", "command") if caller.get(key)) or "-"


COLUMNS: dict[str, tuple[Column, ...]] = {
    "panes": (
        ("STATE", _state),
        _SINCE,
        _AGENT,
        ("TARGET", _id("target")),
        ("PANE", _id("pane_id")),
        ("PLACE", _place),
        _ATTENTION,
        ("WHAT", lambda item, _: _why(item)),
    ),
    "windows": (
        ("STATE", _state),
        _SINCE,
        ("TARGET", _id("target")),
        ("SESSION", _id("session_name")),
        ("WINDOW", _id("window_id")),
        ("NAME", _field("window_name")),
        ("PANES", _field("panes")),
        *_WAIT_RUN,
        _ATTENTION,
        ("COUNTS", _counts),
    ),
    "sessions": (
        ("STATE", _state),
        _SINCE,
        ("TARGET", _targets),
        ("SESSION", _id("session_name")),
        ("WINDOWS", _field("windows")),
        ("PANES", _field("panes")),
        *_WAIT_RUN,
        _ATTENTION,
        ("COUNTS", _counts),
    ),
    "targets": (
        ("TARGET", _field("target")),
        ("HEALTH", _field("health")),
        ("KIND", _field("kind")),
        ("AGENTS", _field("agents")),
        ("PANES", _listed),
        ("SEEN", _age("last_seen_at")),
        ("RTT_MS", _field("rtt_ms")),
        ("TMUX", _tmux),
        ("WHY", _field("reason")),
        ("CONNECTION", _field("connection_ref")),
    ),
    "events": (
        ("AGE", _age("event_time")),
        ("EVENT", _field("event_type")),
        ("SOURCE", _field("source")),
        _AGENT,
        ("TARGET", _id("target")),
        ("PANE", _id("pane_id")),
        ("APPLIED", _field("applied")),
        ("RUNTIME", _field("runtime_id")),
        ("ID", _field("event_id")),
    ),
    "devices": (
        ("NAME", _field("name")),
        ("SCOPE", _field("scope")),
        ("LINKED", _age("created_at")),
        ("SEEN", _age("seen_at")),
        ("OPEN", lambda item, _: "yes" if item.get("connected") else "no"),
    ),
    "channels": (
        ("CHANNEL", _field("channel")),
        ("KIND", _field("kind")),
        ("STATUS", _field("state")),
        ("SENT", _age("last_success")),
        ("FAILED", _age("last_failure")),
        ("UNDELIVERED", _field("undelivered")),
        ("BODY", _field("body")),
        ("ERROR", lambda item, _: clean(item.get("last_error")) if item.get("state") != "ok" else "-"),
    ),
    "episodes": (
        ("FOR", _age("opened_at")),
        ("KIND", _field("kind")),
        ("AGENT", _field("agent")),
        ("PLACE", _field("place")),
        ("TARGET", _field("target")),
        ("CHANNELS", _heard),
    ),
    "failed messages": (
        ("AGE", _age("made_at")),
        ("CHANNEL", _field("channel")),
        ("TITLE", _field("title")),
        ("ATTEMPTS", _field("attempts")),
        ("MESSAGE", _field("message")),
        ("ERROR", _field("last_error")),
    ),
    "actions": (
        ("AGE", _age("requested_at")),
        ("ACTION", _field("action")),
        ("RESULT", _outcome),
        ("TARGET", _field("target")),
        ("PANE", _field("pane_id")),
        ("BY", _caller),
        ("RUNTIME", _field("runtime_id")),
        ("ID", _field("action_id")),
    ),
}
"""The columns of each kind of item, in order. The last column takes the remaining width."""


def plain(scope: str, items: Sequence[Item], now: float) -> str:
    """Format items as aligned columns under a header line. Nothing is cut or coloured: it is the same on every
    terminal.
    """
    columns = COLUMNS[scope]
    rows = [[name for name, _ in columns], *([show(item, now) for _, show in columns] for item in items)]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell + " " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def width(text: str) -> int:
    """Return how many columns ``text`` takes on a terminal."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def summary_line(scope: str, body: Item) -> str:
    """Return ``5 agents: 1 waiting_approval, 4 idle; 1 needs you``, from a listing's summary."""
    summary = body.get("summary") or {}
    states = summary.get("by_state") or {}
    needs = (summary.get("by_attention") or {}).get("needs_action", 0)
    total = sum(states.values()) if scope == "panes" else summary.get("total", 0)  # --all lists panes without agents
    noun = "agents" if scope == "panes" else scope
    text = f"{total} {noun.removesuffix('s') if total == 1 else noun}"
    known = ", ".join(f"{states[state]} {state}" for state in STATES if states.get(state))
    return text + (f": {known}" if known else "") + (f"; {needs} need{'s' if needs == 1 else ''} you" if needs else "")


def partial_lines(body: Item, now: float) -> list[str]:
    """Return one line per target that did not answer. Empty if the listing is complete."""
    lines = []
    for error in body.get("target_errors") or ():
        seen = error.get("last_seen_at")
        ago = f", last seen {age(seen, now)} ago" if seen else ""
        why = clean(error.get("reason") or error.get("message"))
        name = clean(error.get("target"))
        hint = "" if why == "not_read_yet" else f"; agtmux target connect {name} says more"
        lines.append(f"partial: {name} did not answer: {why} ({clean(error.get('code'))}{ago}){hint}")
    if body.get("partial") and not lines:
        lines.append("partial: not every target has answered yet")
    return lines


def console(color: str, stream: IO[str] | None = None) -> Console:
    """Return a rich console for stdout. ``color``: auto, always or never. NO_COLOR counts under auto."""
    from rich.console import Console

    out = stream or sys.stdout
    return Console(
        file=out,
        force_terminal=True if color == "always" else None,
        no_color=True if color == "never" else False if color == "always" else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def table(scope: str, items: Sequence[Item], now: float, room: int = 120) -> Table:
    """Format items as a rich table of at most ``room`` columns of text.

    The last column is cut first. If that is not enough, some columns are left out. Nothing wraps. A column of its own
    marks what needs a person with ``!``, a completion that nobody has seen with ``*``, and a muted pane with ``m``.
    """
    from rich.table import Table
    from rich.text import Text

    columns = [column for column in COLUMNS[scope] if column is not _ATTENTION]
    marked = len(columns) < len(COLUMNS[scope])
    rows = [[name for name, _ in columns], *([show(item, now) for _, show in columns] for item in items)]
    widths = [min(max(map(width, column)), _WIDEST) for column in zip(*rows, strict=True)]
    widths[-1] = _LEAST
    shown = list(range(len(columns)))
    for name in _EXPENDABLE_TARGETS if scope == "targets" else _EXPENDABLE:
        if sum(widths[n] + 2 for n in shown) <= room:
            break
        shown = [n for n in shown if columns[n][0] != name]
    _narrow(widths, shown, room)
    widths[-1] = max(_LEAST, room - sum(widths[n] + 2 for n in shown[:-1]) - 3 * marked)

    out = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    if marked:
        out.add_column("", no_wrap=True, width=1)
    for n in shown:
        last = n == len(columns) - 1
        fixed, most = (None, widths[n]) if last else (widths[n], None)
        out.add_column(columns[n][0], no_wrap=True, overflow="ellipsis", width=fixed, max_width=most)
    for item, row in zip(items, rows[1:], strict=True):
        style = _STYLE.get(str(item.get("state")), "")
        sign = "m" if item.get("muted_until") else _MARK.get(str(item.get("attention")), "")
        mark = [Text(sign, style="bold")] if marked else []
        out.add_row(*mark, *(Text(row[n], style=style if columns[n][0] == "STATE" else "") for n in shown))
    return out


def _narrow(widths: list[int], shown: list[int], room: int) -> None:
    """Cut the widest columns, except the last, if they are too wide together."""
    over = sum(widths[n] + 2 for n in shown) - room
    for n in sorted(shown[:-1], key=lambda n: -widths[n]):
        cut = max(0, min(over, widths[n] - _LEAST))
        widths[n] -= cut
        over -= cut


def live(first: ListingView, color: str) -> Live:
    """Return a table that ``update(screen, refresh=True)`` redraws in place; a context manager. Needs a terminal."""
    from rich.live import Live

    return Live(first, console=console(color), auto_refresh=False, screen=True)


class ListingView:
    """A listing with its summary and footer, drawn as one. For ``list`` and ``watch``."""

    def __init__(self, scope: str, body: Item, now: float, *, quiet: bool = False) -> None:
        self._scope, self._body, self._now, self._quiet = scope, body, now, quiet

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        items = self._body.get("items") or []
        if items:
            yield table(self._scope, items, self._now, options.max_width)
        elif not self._quiet:
            yield Text(_empty(self._scope, self._body), style="dim")
        for line in partial_lines(self._body, self._now):
            yield Text(line, style="yellow")
        if items and not self._quiet and "summary" in self._body:
            yield Text(summary_line(self._scope, self._body), style="dim")


def _empty(scope: str, body: Item) -> str:
    """Return the text shown in place of a table without rows."""
    if scope not in ("panes", "windows", "sessions"):
        return "nothing yet"
    filters = {name for name, value in (body.get("filters") or {}).items() if value}
    if filters - {"all", "sort", "group_by"}:
        return f"no {'pane' if 'all' in filters else 'agent'} fits these filters"
    if "all" in filters:
        return "no pane seen: does tmux run? agtmux target list tells which servers are watched"
    return "no agents seen; agtmux list panes --all shows every pane"


def safe_block(text: object) -> str:
    """Return a text of several lines, safe for a terminal."""
    return block(str(text))
