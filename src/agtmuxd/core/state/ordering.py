"""Which of two events of one register is the newer. Pure. The order is a promise: docs/reference/events.md."""

from __future__ import annotations

from dataclasses import dataclass

from agtmuxd.core.model import NS

SKEW_BUDGET = 10 * NS


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """An event's place by time: effective time first, then arrival, then id. Total, so no two events tie."""

    time: int
    ingested_at: int
    event_id: str


def effective_time(
    event_time: int, ingested_at: int, *, skew_budget: int = SKEW_BUDGET, spooled: bool = False, clock_offset: int = 0
) -> int:
    """The moment an event counts for, in ns of the daemon's clock.

    A live event is believed while it is within ``skew_budget`` of its arrival. A spooled one is believed however old it
    is, corrected by ``clock_offset`` (target's clock minus the daemon's), and never placed after its arrival.
    """
    if spooled:
        return min(event_time - clock_offset, ingested_at)
    if abs(event_time - ingested_at) <= skew_budget:
        return event_time
    return ingested_at
