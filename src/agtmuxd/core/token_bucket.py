"""Limit how often something may happen: so many times at once, then at a steady rate. Pure; the caller gives the time.

Each key has its own bucket. A bucket that is full again is forgotten, so memory follows what is in use.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

NS = 1_000_000_000
_PRUNE_ABOVE = 1024


@dataclass(slots=True)
class TokenBuckets:
    """Buckets by key. ``rate``: tokens a second. ``burst``: tokens that a full bucket holds."""

    rate: float
    burst: float
    _levels: dict[Hashable, tuple[float, int]] = field(default_factory=dict)
    _prune_at: int = _PRUNE_ABOVE

    def take(self, keys: Iterable[Hashable], now: int) -> float:
        """Take one token for each key, from all buckets or from none. ``now``: ns.

        Return 0.0 if they were taken, or else the seconds until they can be. ``retry_after_s`` of E_RATE_LIMITED.
        """
        wanted: dict[Hashable, float] = {}
        for key in keys:
            wanted[key] = wanted.get(key, 0.0) + 1.0
        levels = {key: self._level(key, now) for key in wanted}
        wait = max((self._wait(levels[key], count) for key, count in wanted.items()), default=0.0)
        if wait > 0:
            return wait
        for key, count in wanted.items():
            self._levels[key] = (levels[key] - count, now)
        if len(self._levels) > self._prune_at:
            self._prune(now)
        return 0.0

    def _level(self, key: Hashable, now: int) -> float:
        level, at = self._levels.get(key, (self.burst, now))
        return min(self.burst, level + max(0, now - at) / NS * self.rate)

    def _wait(self, level: float, count: float) -> float:
        return 0.0 if level >= count else (count - level) / self.rate

    def _prune(self, now: int) -> None:
        """Forget the buckets that are full again."""
        self._levels = {key: one for key, one in self._levels.items() if self._level(key, now) < self.burst}
        self._prune_at = max(_PRUNE_ABOVE, 2 * len(self._levels))
