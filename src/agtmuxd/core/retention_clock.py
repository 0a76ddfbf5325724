"""Compute the time that retention uses: the system's clock, except where that jumps ahead. Pure.

One purge by a clock that is a year ahead would delete all history. So a jump is believed only after the daemon has run
with it for a day. If the clock is corrected before that, nothing is lost. Time that passes while the daemon does not
run is no jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agtmuxd.core.model import NS

JUMP: Final = 86_400 * NS
"""A jump: the system's clock is more than this (ns) ahead of what is expected."""
AWAY: Final = 30 * 86_400 * NS
"""The same at the daemon's start (ns): it did not run before, or the machine was off.

Wrong clocks are usually off by years.
"""
PATIENCE: Final = 86_400 * NS
"""How long (ns) the daemon must run before it believes a jump."""


@dataclass(frozen=True, slots=True)
class RetentionTime:
    """``at``: the time to delete by, in ns. ``waited``: how long a jump has been seen, in ns."""

    at: int
    waited: int = 0

    def step(self, system: int, ran: int, *, away: bool = False) -> RetentionTime:
        """Return the next value, after the daemon ran for ``ran`` ns more.

        ``system``: the system's clock, in ns since the epoch.

        ``away``: before that, the daemon did not run for an unknown time. A jump that was seen before stays a jump.
        """
        expected = self.at + ran
        if system <= expected + (AWAY if away and not self.waited else JUMP):
            return RetentionTime(system)
        if self.waited + ran >= PATIENCE:
            return RetentionTime(system)
        return RetentionTime(expected, max(1, self.waited + ran))

    def jump(self, system: int) -> int:
        """Return how far (ns) the system's clock is ahead of the time in use. 0 if that is no jump."""
        return system - self.at if system > self.at + JUMP else 0
