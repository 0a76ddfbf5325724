"""How often events of processes that nobody knows make targets read their process tables. Pure.

Owns the allowance. Such an event may come of an agent that began this instant, and then the table tells; or of a
program outside tmux that posts for ever, and then it never does.
"""

from __future__ import annotations

from typing import Final

from agtmuxd.core.model import NS

BURST: Final = 10
"""Looks at once."""
EVERY: Final = 10 * NS
"""In the long run one look in so much time: as often as tables are read anyway."""


class RefreshBudget:
    """An allowance that time fills up again."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._at: int | None = None

    def may(self, now: int) -> bool:
        """Whether to look now (ns)."""
        since = 0 if self._at is None else max(0, now - self._at)
        self._at = now
        self._left = min(float(BURST), self._left + since / EVERY)
        if self._left < 1:
            return False
        self._left -= 1
        return True
