"""Remember how late the event loop was, and give the worst of the last minute. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

EVERY: Final = 2.0
"""Seconds between two measurements. Other checks of the daemon wake at the same moments, so it costs no wake-up."""
KEPT: Final = 30
"""Measurements that count: one minute."""


class LoopLag:
    """The lateness of the last minute."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=KEPT)

    def add(self, due: float, woken: float) -> None:
        """Add one measurement. ``due`` and ``woken``: seconds of one clock."""
        self._seconds.append(max(0.0, woken - due))

    @property
    def worst_ms(self) -> int:
        """The worst lateness (ms). 0 before the first measurement."""
        return round(max(self._seconds, default=0.0) * 1000)
