"""Make samples of screens: from a captured file, or from a moment of a recording.

Owns the reading of both. Knows no rule.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from agtmuxd.core.model import Sample
from agtmuxd.core.screen.style import Spans

MAX_SCREEN: Final = 256 * 1024
"""Bytes of a captured screen that are read."""


def from_capture(
    text: str,
    *,
    title: str = "",
    cols: int = 0,
    rows: int = 0,
    cursor: tuple[int, int] = (0, 0),
    shown: bool = True,
    alternate: bool = True,
    styles: Spans | None = None,
) -> Sample:
    """Make a sample of the output of ``tmux capture-pane -p``.

    ``cols`` and ``rows`` 0: as wide and high as the text. ``shown``: whether the cursor was visible. ``styles``: of the
    rows, if they were captured too.
    """
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    wide = cols or max((len(line) for line in lines), default=80)
    return Sample(tuple(lines), title, alternate, shown, *cursor, wide, rows or max(len(lines), 1), styles)


def from_recording(path: Path, t_ms: int) -> Sample:
    """Return what a recorded pane showed at ``t_ms``. Raises OSError, ValueError."""
    head: dict[str, Any] = {}
    rows: list[str] = []
    title, alternate, cursor = "", False, [0, 0, 1]
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(raw)
        if not head:
            head, rows = line, [""] * int(line["rows"])
            continue
        if line["t_ms"] > t_ms:
            break
        if line["kind"] == "title":
            title = line["title"]
        elif line["kind"] == "screen":
            if "full" in line:
                rows = [*line["full"], *[""] * (head["rows"] - len(line["full"]))]
            for index, text in line.get("rows", {}).items():
                rows[int(index)] = text
            alternate, cursor = bool(line.get("alt", alternate)), line.get("cur", cursor)
    while rows and not rows[-1].strip():
        rows.pop()
    wide, high = int(head["cols"]), int(head["rows"])
    return Sample(tuple(rows), title, alternate, bool(cursor[2]), cursor[0], cursor[1], wide, high)
