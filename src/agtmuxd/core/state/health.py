"""Decide how well a target can be reached: ok, degraded, down, and back. Pure. Source: docs/reference/targets.md."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agtmuxd.core.model import NS

FAILURES_TO_DOWN = 3
FAILURE_WINDOW = 30 * NS
SILENCE_TO_DOWN = 15 * NS
GOOD_TO_OK = 2
BACKOFF_FIRST = 1 * NS
BACKOFF_MOST = 30 * NS


@dataclass(frozen=True, slots=True)
class Health:
    """The health of one target. ``failures``: times (ns) of the failures in a row.

    ``good``: good rounds in a row since the last failure.
    """

    level: str = "ok"
    since: int = 0
    reason: str | None = None
    last_good: int | None = None
    failures: tuple[int, ...] = ()
    good: int = 0

    def succeeded(self, at: int) -> Health:
        """Return the health after a good round at ``at`` (ns)."""
        good = self.good + 1
        if self.level == "ok" or good >= GOOD_TO_OK:
            since = self.since if self.level == "ok" else at
            return Health("ok", since, None, at, (), good)
        return replace(self, last_good=at, failures=(), good=good)

    def failed(self, at: int, reason: str) -> Health:
        """Return the health after a round at ``at`` (ns) that proved nothing."""
        failures = (*self.failures, at)[-FAILURES_TO_DOWN:]
        many = len(failures) == FAILURES_TO_DOWN and at - failures[0] <= FAILURE_WINDOW
        silent = at - (self.last_good if self.last_good is not None else self.since) >= SILENCE_TO_DOWN
        level = "down" if self.level == "down" or many or silent else "degraded"
        return Health(level, self.since if level == self.level else at, reason, self.last_good, failures, 0)

    def pause(self, tries: int, jitter: float) -> int:
        """Return how long (ns) to wait before probing a down target again. ``jitter`` in 0..1 spreads the probes."""
        base: int = min(BACKOFF_MOST, BACKOFF_FIRST << min(tries, 10))
        return min(BACKOFF_MOST, int(base * (0.75 + 0.5 * jitter)))
