"""Leave panes with a too large screen out of a round, so that the other panes can be read.

Owns which panes these are, and the reason shown for each. Knows no tmux command and runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agtmuxd.core.model import NS, PaneRow

CELLS_MOST: Final = 1_000_000
"""Most cells of a screen that is read. A screen of text on four large displays has a tenth of that."""
TRIED_AGAIN: Final = 60 * NS
"""Time (ns) after which a screen that made a reply too long is read again, even if its size is the same."""


class OversizedPanes:
    """The panes of one target whose screens are too large."""

    def __init__(self) -> None:
        self._oversized: dict[str, tuple[int, int, int]] = {}  # by pane: columns, rows, and the time (ns)

    def why(self, wanted: Sequence[str], panes: Mapping[str, PaneRow], now: int) -> dict[str, str]:
        """Return those of the wanted panes that must not be read, each with the reason as a message."""
        return {p: reason for p in wanted if (row := panes.get(p)) is not None and (reason := self._why(row, now))}

    def _why(self, row: PaneRow, now: int) -> str | None:
        size = f"its screen of {row.cols} x {row.rows} cells"
        if row.cols * row.rows > CELLS_MOST:
            return f"{size} is too large: make it smaller"
        entry = self._oversized.get(row.pane_id)
        if entry is None:
            return None
        if entry[:2] != (row.cols, row.rows) or now - entry[2] >= TRIED_AGAIN:
            del self._oversized[row.pane_id]
            return None
        return f"{size} makes the reply of tmux too long (targets.max_answer): make it smaller"

    def leave_out_largest(self, wanted: Sequence[str], panes: Mapping[str, PaneRow], now: int) -> bool:
        """Leave out the largest of these screens, because a reply with them was too long. False if there is none."""
        there = [panes[pane] for pane in wanted if pane in panes]
        if not there:
            return False
        largest = max(there, key=lambda row: row.cols * row.rows)
        self._oversized[largest.pane_id] = largest.cols, largest.rows, now
        return True

    def clear(self) -> None:
        """Forget all panes: another server has other panes."""
        self._oversized.clear()
