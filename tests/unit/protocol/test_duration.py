"""Durations as options and the configuration have them."""

from __future__ import annotations

import pytest

from agtmux.protocol.duration import seconds_of

pytestmark = pytest.mark.tc("TC-253")


def test_a_duration_is_a_number_with_its_unit() -> None:
    assert [seconds_of(text) for text in ("30s", "1.5m", "2h", "1d")] == [30.0, 90.0, 7200.0, 86_400.0]


@pytest.mark.parametrize("text", ["", "30", "-1s", "1w", "1 m", "1m ", "٣s"])
def test_any_other_text_is_none(text: str) -> None:
    assert seconds_of(text) is None
