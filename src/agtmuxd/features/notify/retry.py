"""Decide when a message that was not delivered is sent again. Pure."""

from __future__ import annotations

from typing import Final

from agtmuxd.core.model import NS
from agtmuxd.features.notify.message import Outcome

SCHEDULE: Final = (0, 5, 300, 1800, 7200, 18_000, 36_000)
"""Seconds before each attempt, counted from the one before: the first is made at once. After the last the message is
dead."""
MOST_WAIT: Final = 86_400
"""Seconds for which a channel may ask to wait."""
ABSENT: Final = 30
"""Seconds until it is looked again whether there is somebody to tell."""
ALARM_AFTER: Final = 3
"""Failures in a row after which the channel is reported on another one."""


def next_attempt(attempts: int, outcome: Outcome, now: int) -> int | None:
    """Return when to try again (ns) after ``attempts`` failed ones. None: never.

    While there is nobody to tell, it is tried from time to time. That is no failure.
    """
    if outcome.absent:
        return now + ABSENT * NS
    if outcome.final or outcome.gone or attempts >= len(SCHEDULE):
        return None
    wait = float(SCHEDULE[attempts])
    if outcome.retry_after is not None:
        wait = max(wait, min(outcome.retry_after, MOST_WAIT))
    return now + round(wait * NS)
