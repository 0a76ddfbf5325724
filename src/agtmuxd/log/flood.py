"""Keep one event from filling the log: write at most ``MOST`` lines of it in ``SPAN`` seconds, and count the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

MOST: Final = 100
"""The most lines of one event in each span of ``SPAN`` seconds."""
SPAN: Final = 10.0
_KNOWN: Final = 1000


class FloodFilter:
    """Call ``allow(event)`` for each line."""

    def __init__(self, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._elapsed = elapsed
        self._spans: dict[str, tuple[float, int]] = {}

    def allow(self, event: str) -> tuple[bool, int]:
        """Return ``(write the line, how many lines of this event were left out before it)``."""
        now = self._elapsed()
        began, count = self._spans.get(event, (now, 0))
        left_out = 0
        if now - began >= SPAN:
            left_out, began, count = max(0, count - MOST), now, 0
        if len(self._spans) >= _KNOWN and event not in self._spans:
            self._spans.clear()
        self._spans[event] = began, count + 1
        return count < MOST, left_out
