"""Provide the daemon's clock, and sleeps that end together.

The clock follows the system's, but it never goes back. All order of events, marks and readings is by this clock.
Otherwise, after the system's clock was set back, newer events would count as older. agtmux would then miss what an
agent waits for until the clock had caught up.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

SLOWER: Final = 100
"""While the clock is ahead of the system's, it runs slower by one part in this many.

It does so until the system's clock has caught up.
"""

NOTICED: Final = 100_000_000
"""A lead of less than this (ns) does not count: the two clocks are not read at one instant."""


class Clock:
    """Call it for the time: ns since the epoch, never less than before. Any thread may call it."""

    def __init__(
        self, system: Callable[[], int] = time.time_ns, elapsed: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """``system``: ns since the epoch; somebody may set it. ``elapsed``: ns since any moment; it only grows."""
        self._system = system
        self._elapsed = elapsed
        self._last = system(), elapsed()
        self._lock = threading.Lock()

    def __call__(self) -> int:
        return self._read()[0]

    def ahead(self) -> int:
        """Return how far (ns) this clock is ahead of the system's. 0 for less than ``NOTICED``."""
        now, system = self._read()
        return now - system if now - system >= NOTICED else 0

    def _read(self) -> tuple[int, int]:
        with self._lock:
            system, elapsed = self._system(), self._elapsed()
            at, then = self._last
            ran = elapsed - then
            now = max(system, at + ran - ran // SLOWER)
            self._last = now, elapsed
        return now, system


async def coalesced_sleep(seconds: float) -> None:
    """Sleep until the next whole multiple of ``seconds`` by the loop's clock, so for at most ``seconds``.

    Tasks that check something from time to time then do so at the same moments. Each wake-up of an idle process costs
    more than the check.
    """
    await asyncio.sleep(seconds - asyncio.get_running_loop().time() % seconds)
