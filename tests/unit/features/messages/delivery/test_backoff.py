"""The pauses between tries grow, and stay at five minutes."""

from __future__ import annotations

import pytest

from agtmuxd.core.model import NS
from agtmuxd.features.messages.delivery.backoff import MOST_FAILURES, pause


@pytest.mark.tc("TC-704")
def test_the_pauses_are_those_of_the_reference() -> None:
    assert [pause(n) // NS for n in range(1, MOST_FAILURES + 3)] == [15, 30, 60, 120, 300, 300, 300]
    assert pause(0) == pause(1)
