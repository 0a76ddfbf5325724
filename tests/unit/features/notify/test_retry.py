"""When a message that was not delivered is sent again."""

from __future__ import annotations

import pytest

from agtmuxd.features.notify.message import Outcome
from agtmuxd.features.notify.retry import SCHEDULE, next_attempt
from tests.unit.features.notify.makers import T0, s

pytestmark = pytest.mark.tc("TC-408")
FAILED = Outcome(ok=False, detail="no")


def waits(outcome: Outcome) -> list[float | None]:
    """Seconds before each further attempt."""
    found: list[float | None] = []
    for attempts in range(1, len(SCHEDULE) + 1):
        at = next_attempt(attempts, outcome, T0)
        found.append(None if at is None else (at - T0) / 1e9)
    return found


def test_it_is_tried_seven_times_over_seventeen_hours() -> None:
    assert waits(FAILED) == [5, 300, 1800, 7200, 18000, 36000, None]


def test_what_the_other_side_asks_for_makes_it_longer_never_shorter() -> None:
    assert waits(Outcome(ok=False, retry_after=600))[:4] == [600, 600, 1800, 7200]
    assert next_attempt(1, Outcome(ok=False, retry_after=1e12), T0) == T0 + s(86_400)
    assert next_attempt(1, Outcome(ok=False, retry_after=-5), T0) == T0 + s(5)


def test_while_there_is_nobody_to_tell_it_is_tried_every_half_minute() -> None:
    assert waits(Outcome(ok=False, absent=True)) == [30] * len(SCHEDULE)


def test_what_cannot_help_is_not_tried_again() -> None:
    assert next_attempt(1, Outcome(ok=False, final=True), T0) is None
    assert next_attempt(1, Outcome(ok=False, gone=True), T0) is None
