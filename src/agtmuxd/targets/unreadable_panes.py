"""Keep the last rows of panes whose row in tmux's listing cannot be read.

Owns the warnings and counters for them. Knows no tmux command. Such a pane is neither gone nor changed: it keeps its
last row. Its screen is not used, so without a claim of the agent itself its state becomes ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog

from agtmuxd.core.model import PaneRow
from agtmuxd.tmux.round import Round

_LOG = structlog.get_logger("targets")
_WARNED_MOST: Final = 1000


class UnreadablePanes:
    """The unreadable panes of one target. ``now``: the reason by pane id ("" if the id is not known either)."""

    def __init__(self, target_id: str) -> None:
        self.now: dict[str, str] = {}
        self.rows = 0
        """Rows of the last round that could not be read."""
        self.count = 0
        """Rows that could not be read since the daemon began to watch."""
        self._target_id = target_id
        self._warned: set[str] = set()

    def filled(self, seen: Round, before: tuple[PaneRow, ...]) -> tuple[PaneRow, ...]:
        """Return the rows of a round. An unreadable pane gets its row of ``before``, the last rows of this server."""
        self.rows = len(seen.unread)
        if not seen.unread:
            self.now = {}
            return seen.panes
        self.count += self.rows
        self.now = {row.pane_id or "": row.why for row in seen.unread}
        for pane_id, why in self.now.items():
            if pane_id not in self._warned and len(self._warned) < _WARNED_MOST:
                self._warned.add(pane_id)
                _LOG.warning("a pane cannot be read", target=self._target_id, pane=pane_id or "unknown", why=why)
        there = {row.pane_id for row in seen.panes}
        kept = [row for row in before if row.pane_id not in there and ("" in self.now or row.pane_id in self.now)]
        for row in kept:
            self.now.setdefault(row.pane_id, self.now.get("", ""))
        return (*seen.panes, *kept) if kept else seen.panes

    def without(self, captures: Mapping[str, str]) -> Mapping[str, str]:
        """Return the screens of readable panes only: a screen proves little without its title and cursor."""
        if not self.now:
            return captures
        return {pane: screen for pane, screen in captures.items() if pane not in self.now}
