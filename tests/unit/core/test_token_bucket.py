"""A bucket gives its burst at once, then a token at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmuxd.core.token_bucket import NS, TokenBuckets

pytestmark = pytest.mark.tc("TC-669")


def test_after_the_burst_a_token_comes_at_the_steady_rate() -> None:
    buckets = TokenBuckets(rate=1.0, burst=10)
    assert [buckets.take(["a"], 0) for _ in range(10)] == [0.0] * 10
    assert buckets.take(["a"], 0) == 1.0
    assert buckets.take(["a"], NS // 2) == 0.5
    assert buckets.take(["b"], 0) == 0.0, "each key has its own"
    assert buckets.take(["a"], NS) == 0.0
    assert buckets.take(["a"], NS) == 1.0


def test_tokens_are_taken_for_all_keys_or_for_none() -> None:
    buckets = TokenBuckets(rate=1.0, burst=2)
    buckets.take(["a", "a"], 0)
    assert buckets.take(["a", "b"], 0) == 1.0
    assert buckets.take(["b", "b"], 0) == 0.0


def test_full_buckets_are_forgotten() -> None:
    buckets = TokenBuckets(rate=1.0, burst=1)
    for number in range(3000):
        buckets.take([number], number * 2 * NS)
    assert len(buckets._levels) <= 1025


@given(st.lists(st.integers(0, 3 * NS), max_size=60))
def test_no_span_of_time_gives_more_than_the_burst_and_the_rate(pauses: list[int]) -> None:
    buckets, now, taken = TokenBuckets(rate=1.0, burst=5), 0, 0
    for pause in pauses:
        now += pause
        taken += buckets.take(["a"], now) == 0.0
        assert taken <= 5 + now / NS + 1e-6
