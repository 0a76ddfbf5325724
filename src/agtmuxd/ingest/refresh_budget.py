"""Limit how often events of unknown processes make targets read their process tables. Pure.

Such an event may come from an agent that has just started; then the process table shows it. It may also come from a
program outside tmux that posts again and again; then reading the table never helps.
"""

from __future__ import annotations

from typing import Final

from agtmuxd.core.model import NS

BURST: Final = 10
"""Refreshes that are allowed at once."""
EVERY: Final = 10 * NS
"""ns for one more refresh in the long run: as often as process tables are read anyway."""


class RefreshBudget:
    """A token bucket: it holds up to ``BURST`` refreshes and gains one each ``EVERY`` ns."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._at: int | None = None

    def may(self, now: int) -> bool:
        """Whether a refresh is allowed at ``now`` (ns). If so, it is counted."""
        since = 0 if self._at is None else max(0, now - self._at)
        self._at = now
        self._left = min(float(BURST), self._left + since / EVERY)
        if self._left < 1:
            return False
        self._left -= 1
        return True
