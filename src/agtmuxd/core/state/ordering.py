"""Decide which of two events of one register is newer. Pure. The order is promised in docs/reference/events.md."""

from __future__ import annotations

from dataclasses import dataclass

from agtmuxd.core.model import NS

SKEW_BUDGET = 10 * NS


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """An event's place in the order: effective time, then arrival, then id. No two events are equal."""

    time: int
    ingested_at: int
    event_id: str


def effective_time(
    event_time: int, ingested_at: int, *, skew_budget: int = SKEW_BUDGET, spooled: bool = False, clock_offset: int = 0
) -> int:
    """Return the moment for which an event counts, in ns of the daemon's clock.

    The time of a live event is believed if it is within ``skew_budget`` of its arrival. The time of a spooled event is
    believed however old it is. It is corrected by ``clock_offset`` (the target's clock minus the daemon's) and is never
    later than its arrival.
    """
    if spooled:
        return min(event_time - clock_offset, ingested_at)
    if abs(event_time - ingested_at) <= skew_budget:
        return event_time
    return ingested_at
