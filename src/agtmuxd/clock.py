"""The daemon's clock: the system's, but that it never goes back; and sleeps that end together.

Owns both promises. All order of events, marks and readings is by this clock: where the system's is set back, what is
newer would pass for older, and what an agent waits for would be missed until that clock has caught up.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

SLOWER: Final = 100
"""While it is ahead of the system's it goes slower by one part of so many, until that has caught up."""

NOTICED: Final = 100_000_000
"""Less than this (ns) is no being ahead: the two clocks are not read at one instant."""


class Clock:
    """Call it for the time: ns since the epoch, never less than before. May be called from any thread."""

    def __init__(
        self, system: Callable[[], int] = time.time_ns, elapsed: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """``system``: ns since the epoch, may be set by somebody; ``elapsed``: ns since whenever, only ever grows."""
        self._system = system
        self._elapsed = elapsed
        self._last = system(), elapsed()
        self._alone = threading.Lock()

    def __call__(self) -> int:
        return self._read()[0]

    def ahead(self) -> int:
        """How far (ns) it is ahead of the system's now; 0 where that was not set back, or by next to nothing."""
        now, system = self._read()
        return now - system if now - system >= NOTICED else 0

    def _read(self) -> tuple[int, int]:
        with self._alone:
            system, elapsed = self._system(), self._elapsed()
            at, then = self._last
            ran = elapsed - then
            now = max(system, at + ran - ran // SLOWER)
            self._last = now, elapsed
        return now, system


async def coalesced_sleep(seconds: float) -> None:
    """Sleep until the next whole multiple of ``seconds`` by the loop's clock: no longer than ``seconds``.

    Tasks that look at something now and then so do it at the same moments: each time that an idle process wakes costs
    more than what is looked at.
    """
    await asyncio.sleep(seconds - asyncio.get_running_loop().time() % seconds)
