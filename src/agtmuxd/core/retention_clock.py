"""The time that retention goes by: it follows the system's clock, but not where that jumps ahead. Pure.

One purge by a clock that is a year ahead would delete all history. So a jump is only believed after the daemon has run
with it for a day; a clock that is put right before that has cost nothing. What passes while the daemon does not run is
no jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agtmuxd.core.model import NS

JUMP: Final = 86_400 * NS
"""How far (ns) the system's clock may be ahead of what is expected: further is a jump."""
AWAY: Final = 30 * 86_400 * NS
"""So far (ns) it may be ahead when the daemon begins: it did not run, or the machine was off. Wrong clocks are off by
years as a rule."""
PATIENCE: Final = 86_400 * NS
"""For how long (ns) of running time a jump is not believed."""


@dataclass(frozen=True, slots=True)
class RetentionTime:
    """``at``: the time to forget by, ns; ``waited``: for how long a jump has been seen, ns."""

    at: int
    waited: int = 0

    def step(self, system: int, ran: int, *, away: bool = False) -> RetentionTime:
        """After the daemon ran for ``ran`` ns more and the system's clock says ``system`` (ns since the epoch).

        ``away``: before that it did not run, for a time that nobody knows. A jump that was seen before stays one.
        """
        expected = self.at + ran
        if system <= expected + (AWAY if away and not self.waited else JUMP):
            return RetentionTime(system)
        if self.waited + ran >= PATIENCE:
            return RetentionTime(system)
        return RetentionTime(expected, max(1, self.waited + ran))

    def jump(self, system: int) -> int:
        """By how much (ns) the system's clock is ahead of the time that is gone by; 0 where that is no jump."""
        return system - self.at if system > self.at + JUMP else 0
