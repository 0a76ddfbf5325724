"""The clock of retention: it follows the system's clock, but not over a jump."""

from __future__ import annotations

import pytest

from agtmuxd.core.model import NS
from agtmuxd.core.retention_clock import JUMP, PATIENCE, RetentionTime
from tests.integration.store.test_retention import DAY, NOW


@pytest.mark.tc("TC-157")
def test_a_clock_that_jumps_is_believed_after_a_day_of_running_and_one_put_right_at_once() -> None:
    year = 365 * DAY
    at = RetentionTime(NOW)
    at = at.step(NOW + 60 * NS, 60 * NS)
    assert at == RetentionTime(NOW + 60 * NS)
    wrong = at.step(NOW + year, 60 * NS)
    assert (wrong.at, wrong.jump(NOW + year) > 0) == (NOW + 120 * NS, True)
    assert wrong.step(NOW + 180 * NS, 60 * NS) == RetentionTime(NOW + 180 * NS)
    for hour in range(1, 24):
        wrong = wrong.step(NOW + year + hour * 3600 * NS, 3600 * NS)
        assert wrong.at < NOW + 2 * DAY
    assert wrong.step(NOW + year + DAY, 3600 * NS) == RetentionTime(NOW + year + DAY)
    assert wrong.step(NOW + year + DAY, 0, away=True).at == wrong.at  # a restart does not help such a clock
    assert RetentionTime(NOW).step(NOW + JUMP, 0).at == NOW + JUMP
    assert RetentionTime(NOW, PATIENCE - 1).step(NOW + JUMP + 1, 0).at == NOW
    assert RetentionTime(NOW).step(NOW - year, 0).at == NOW - year
