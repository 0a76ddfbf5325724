"""Draw listings: tables on a terminal, aligned plain text in a pipe. Imports rich only to draw a table.

Owns colours and widths. Knows neither the client nor click. ``columns`` says what each cell shows, as safe text.
"""

from __future__ import annotations

import sys

from agtmux.columns import (
    ASCII_GLYPHS,
    ATTENTION,
    COLUMNS,
    GLYPHS,
    NARROW,
    OPTIONAL,
    STATES,
    TABLES,
    age,
    clean,
    sign,
    width,
)
from agtmux.protocol.text import block

__all__ = ["COLUMNS", "STATES", "ListingView", "age", "clean", "console", "live", "partial_lines", "plain",
           "safe_block", "summary_line", "table", "width"]  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO, Any

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.table import Table

    Item = Mapping[str, Any]

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
_WIDEST = 32
"""Width at which all columns but the last are cut."""
_FLEXIBLE = ("PROJECT", "NAME", "SESSION")
_CUT, _SHORTEST = 16, 8
"""Columns of names are cut to the first width before others are left out, and to the second one in the end."""
_LAST = 10
"""Width that the last column keeps in the end."""


def plain(scope: str, items: Sequence[Item], now: float) -> str:
    """Format items as aligned columns under a header line. Nothing is cut or coloured: it is the same on every
    terminal.
    """
    columns = COLUMNS[scope]
    rows = [[name for name, _ in columns], *([show(item, now) for _, show in columns] for item in items)]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell + " " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


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
        hint = "" if why == "not_read_yet" else f"; run agtmux target connect {name} to see why"
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


def table(scope: str, items: Sequence[Item], now: float, room: int = 120, *, ascii_only: bool = False) -> Table:
    """Format items as a rich table of at most ``room`` columns of text. Nothing wraps.

    If the columns do not fit, words for states get short, then the columns of ``columns.NARROW`` are left out, then the
    widest ones are cut. A column of its own marks what needs a person with ``!``, a completion that nobody has seen
    with ``*``, and a muted pane with ``m``.
    """
    from rich.table import Table
    from rich.text import Text

    chosen = [column for column in TABLES[scope] if column is not ATTENTION]
    marked = len(chosen) < len(TABLES[scope])
    cells = {name: [show(item, now) for item in items] for name, show in chosen}
    for name, usual in OPTIONAL.get(scope, {}).items():
        if all(cell == usual for cell in cells[name]):
            del cells[name]
    widths = _fit(scope, items, cells, room - 3 * marked, ASCII_GLYPHS if ascii_only else GLYPHS)

    out = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    if marked:
        out.add_column("", no_wrap=True, width=1)
    for name, wide in widths.items():
        last = name == list(widths)[-1]
        out.add_column(
            name, no_wrap=True, overflow="ellipsis", width=None if last else wide, max_width=wide if last else None
        )
    for n, item in enumerate(items):
        style = _STYLE.get(str(item.get("state")), "")
        note = "m" if item.get("muted_until") else _MARK.get(str(item.get("attention")), "")
        mark = [Text(note, style="bold")] if marked else []
        out.add_row(*mark, *(Text(cells[name][n], style=style if name == "STATE" else "") for name in widths))
    return out


def _fit(
    scope: str, items: Sequence[Item], cells: dict[str, list[str]], room: int, glyphs: Mapping[str, str]
) -> dict[str, int]:
    """Return the width of each column that is shown, in order. Puts glyphs before the states in ``cells``."""
    least = max(12, room * 3 // 10 - 4)
    if "STATE" in cells:
        cells["STATE"] = [sign(item, glyphs) for item in items]
    widths = {name: _wide(name, cells[name]) for name in cells}
    widths[list(widths)[-1]] = least
    if "STATE" in cells and not _fits(widths, room):
        cells["STATE"] = [sign(item, glyphs, short=True) for item in items]
        widths["STATE"] = _wide("STATE", cells["STATE"])
    for name in NARROW.get(scope, ()):
        if _fits(widths, room):
            break
        widths.pop(name, None)
        widths[list(widths)[-1]] = least
    last = list(widths)[-1]
    _narrow(widths, last, room)
    widths[last] = max(1, room - sum(w + 2 for name, w in widths.items() if name != last))
    return widths


def _wide(name: str, cells: Sequence[str]) -> int:
    return min(max(map(width, [name, *cells])), _WIDEST)


def _fits(widths: Mapping[str, int], room: int) -> bool:
    """Return whether these columns fit, if the widest ones are cut to ``_CUT``."""
    return sum(min(w, _CUT) if name in _FLEXIBLE else w for name, w in widths.items()) + 2 * len(widths) - 2 <= room


def _narrow(widths: dict[str, int], last: str, room: int) -> None:
    """Cut columns until they fit: first those of names, then the last one, then the widest but the state."""
    over = sum(widths.values()) + 2 * len(widths) - 2 - room
    names = sorted(widths.keys() - {last, "STATE"}, key=lambda name: -widths[name])
    for some, least in (
        ([name for name in names if name in _FLEXIBLE], _CUT), ([last], _LAST), (names, _CUT), (names, _SHORTEST)
    ):  # fmt: skip
        for name in some:
            cut = max(0, min(over, widths[name] - least))
            widths[name] -= cut
            over -= cut


def live(first: ListingView, color: str) -> Live:
    """Return a table that ``update(screen, refresh=True)`` redraws in place; a context manager. Needs a terminal."""
    from rich.live import Live

    return Live(first, console=console(color), auto_refresh=False, screen=True)


class ListingView:
    """A listing with its summary and footer, drawn as one. For ``list`` and ``watch``."""

    def __init__(self, scope: str, body: Item, now: float, *, quiet: bool = False, in_place: bool = False) -> None:
        """``in_place``: drawn on a screen of its own, where rows that do not fit would be lost unseen."""
        self._scope, self._body, self._now, self._quiet, self._in_place = scope, body, now, quiet, in_place

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        items = self._body.get("items") or []
        if items:
            shown = items[: self._room(console.height, options.max_width)] if self._in_place else items
            yield table(self._scope, shown, self._now, options.max_width, ascii_only=options.ascii_only)
            if len(shown) < len(items):
                yield Text(f"... and {len(items) - len(shown)} more: make the terminal taller", style="dim")
        elif not self._quiet:
            yield Text(_empty(self._scope, self._body), style="dim")
        for line in partial_lines(self._body, self._now):
            yield Text(line, style="yellow")
        if items and not self._quiet and "summary" in self._body:
            yield Text(summary_line(self._scope, self._body), style="dim")

    def _room(self, height: int, columns: int) -> int:
        """Return how many rows fit between the header and the lines below them."""
        below = partial_lines(self._body, self._now)
        if not self._quiet and "summary" in self._body:
            below.append(summary_line(self._scope, self._body))
        rest = height - 1 - sum(-(-width(line) // columns) for line in below)
        return rest if rest >= len(self._body["items"]) else max(1, rest - 1)


def _empty(scope: str, body: Item) -> str:
    """Return the text shown in place of a table without rows."""
    if scope not in ("panes", "windows", "sessions"):
        return "nothing yet"
    filters = {name for name, value in (body.get("filters") or {}).items() if value}
    if filters - {"all", "sort", "group_by"}:
        return f"no {'pane' if 'all' in filters else 'agent'} matches these filters"
    if "all" in filters:
        return "no panes: is tmux running? run agtmux target list to see which servers are watched"
    return "no agents: run agtmux list panes --all to see every pane"


def safe_block(text: object) -> str:
    """Return a text of several lines, safe for a terminal."""
    return block(str(text))
