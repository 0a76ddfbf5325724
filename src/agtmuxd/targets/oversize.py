"""Panes whose screen is too large to be read: they are left out of a round, so that the other panes are read.

Owns which they are, and the words for it. Knows no tmux command and runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agtmuxd.core.model import NS, PaneRow

CELLS_MOST: Final = 1_000_000
"""Cells of a screen that is read. A screen of text on four large displays has a tenth of that."""
TRIED_AGAIN: Final = 60 * NS
"""After this a screen that made a reply too long is asked for again, though it has the same size."""


class OversizedPanes:
    """Of one target."""

    def __init__(self) -> None:
        self._blamed: dict[str, tuple[int, int, int]] = {}  # by pane: columns, rows, and when it was blamed

    def why(self, wanted: Sequence[str], panes: Mapping[str, PaneRow], now: int) -> dict[str, str]:
        """Those of the panes that are not to be read, each with the reason, for people."""
        return {p: said for p in wanted if (row := panes.get(p)) is not None and (said := self._why(row, now))}

    def _why(self, row: PaneRow, now: int) -> str | None:
        size = f"its screen of {row.cols} x {row.rows} cells"
        if row.cols * row.rows > CELLS_MOST:
            return f"{size} is too large: make it smaller"
        blamed = self._blamed.get(row.pane_id)
        if blamed is None:
            return None
        if blamed[:2] != (row.cols, row.rows) or now - blamed[2] >= TRIED_AGAIN:
            del self._blamed[row.pane_id]
            return None
        return f"{size} makes the reply of tmux too long (targets.max_answer): make it smaller"

    def leave_out_largest(self, wanted: Sequence[str], panes: Mapping[str, PaneRow], now: int) -> bool:
        """A reply with these screens was too long: leave the largest of them out. False where there is none."""
        there = [panes[pane] for pane in wanted if pane in panes]
        if not there:
            return False
        largest = max(there, key=lambda row: row.cols * row.rows)
        self._blamed[largest.pane_id] = largest.cols, largest.rows, now
        return True

    def clear(self) -> None:
        """Another server: its panes are others."""
        self._blamed.clear()
