"""How late the event loop was in the last minute."""

from __future__ import annotations

import pytest

from agtmuxd.features.loop_lag.model import KEPT, LoopLag


@pytest.mark.tc("TC-540")
def test_the_worst_of_the_last_minute_counts_and_an_early_wake_up_is_not_late() -> None:
    lag = LoopLag()
    assert lag.worst_ms == 0
    lag.add(10.0, 9.999)
    assert lag.worst_ms == 0
    lag.add(12.0, 12.25)
    lag.add(14.0, 14.01)
    assert lag.worst_ms == 250
    for number in range(KEPT - 1):
        lag.add(16.0 + 2 * number, 16.0 + 2 * number)
    assert lag.worst_ms == 10, "the oldest measurement is forgotten"
