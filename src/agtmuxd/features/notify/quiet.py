"""Return whether a moment lies in quiet hours, and when they end. Pure.

Quiet hours are times of the wall clock. Where a clock is put forward or back, they are never shorter than their text
says: they begin with the first moment that shows their start, and end with the last that shows their end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from agtmuxd.core.model import NS

_TEXT = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)(?: +(\S+))?")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Daily quiet hours. ``zone`` None: the machine's time zone."""

    start: time
    end: time
    zone: tzinfo | None = None

    def until(self, now: int) -> int | None:
        """Return when the quiet hours end (ns) if ``now`` (ns) is in them; else None."""
        moment = datetime.fromtimestamp(now / NS, UTC)
        today = moment.astimezone(self.zone).date()
        for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
            begin = min(self._moments(day, self.start))
            end = max(self._moments(day if self.start < self.end else day + timedelta(days=1), self.end))
            if begin <= moment < end:
                return round(end.timestamp() * NS)
        return None

    def _moments(self, day: date, wall: time) -> list[datetime]:
        """Return the moment at which the wall clock shows ``wall``: twice if the clock is put back over it."""
        shown = [datetime.combine(day, wall.replace(fold=fold), self.zone) for fold in (0, 1)]
        return [one.astimezone(UTC) for one in shown]


def quiet_of(text: str) -> Quiet | None:
    """Read quiet hours as the configuration has them, already checked. None for an empty text."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    hours = [int(part) for part in match.groups()[:4]]
    zone = ZoneInfo(match[5]) if match[5] else None
    return Quiet(time(hours[0], hours[1]), time(hours[2], hours[3]), zone)
