"""The pauses between further tries."""

from __future__ import annotations

from itertools import islice

import pytest

from agtmux.protocol.backoff import delays

pytestmark = pytest.mark.tc("TC-741")


def test_pauses_double_from_half_a_second_to_five() -> None:
    assert list(islice(delays(chance=lambda: 0.0), 6)) == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_each_pause_is_longer_by_chance() -> None:
    assert list(islice(delays(chance=lambda: 1.0), 2)) == [0.65, 1.3]
    assert len(set(islice(delays(first=5.0), 20))) > 1
