"""When a target that is down is tried again."""

from __future__ import annotations

import pytest

from agtmuxd.core.model import MS, NS
from agtmuxd.core.state.health import BACKOFF_MOST, Health


@pytest.mark.tc("TC-034")
def test_a_target_that_is_down_is_tried_again_after_one_to_thirty_seconds() -> None:
    pauses = [Health().pause(tries, jitter) for tries in range(20) for jitter in (0.0, 0.5, 1.0)]
    assert min(pauses) >= 750 * MS
    assert max(pauses) == BACKOFF_MOST == 30 * NS
