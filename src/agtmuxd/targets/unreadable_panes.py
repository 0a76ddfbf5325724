"""Panes whose row of the listing cannot be read: which they are, and what stands in for them.

Owns what is told and counted of them. Knows no tmux command. Such a pane is neither gone nor changed: its last row
stands. Its screen is not read, so that without a word of the agent itself it becomes ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog

from agtmuxd.core.model import PaneRow
from agtmuxd.tmux.round import Round

_LOG = structlog.get_logger("observe")
_TOLD_MOST: Final = 1000


class UnreadablePanes:
    """Of one target. ``now``: why each of these panes cannot be read, by pane id ("" where not even that is known)."""

    def __init__(self, target_id: str) -> None:
        self.now: dict[str, str] = {}
        self.rows = 0
        """Rows of the last round that could not be read."""
        self.count = 0
        """Rows that could not be read, since the daemon began to watch."""
        self._target_id = target_id
        self._told: set[str] = set()

    def filled(self, seen: Round, before: tuple[PaneRow, ...]) -> tuple[PaneRow, ...]:
        """The rows of a round; for panes that cannot be read those of ``before``, the last rows of the same server."""
        self.rows = len(seen.unread)
        if not seen.unread:
            self.now = {}
            return seen.panes
        self.count += self.rows
        self.now = {row.pane_id or "": row.why for row in seen.unread}
        for pane_id, why in self.now.items():
            if pane_id not in self._told and len(self._told) < _TOLD_MOST:
                self._told.add(pane_id)
                _LOG.warning("a pane cannot be read", target=self._target_id, pane=pane_id or "unknown", why=why)
        there = {row.pane_id for row in seen.panes}
        kept = [row for row in before if row.pane_id not in there and ("" in self.now or row.pane_id in self.now)]
        for row in kept:
            self.now.setdefault(row.pane_id, self.now.get("", ""))
        return (*seen.panes, *kept) if kept else seen.panes

    def without(self, captures: Mapping[str, str]) -> Mapping[str, str]:
        """``captures`` of the panes that can be read: a screen says little without its title and cursor."""
        if not self.now:
            return captures
        return {pane: screen for pane, screen in captures.items() if pane not in self.now}
