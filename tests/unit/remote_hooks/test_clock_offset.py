"""Another machine's clock: how it is read, and what it does to an event's time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmuxd.core.model import NS, RawEvent, Source
from agtmuxd.remote_hooks.clock_offset import corrected, read_clock

NOW = 1_800_000_000 * NS


@pytest.mark.parametrize(
    ("output", "ns"),
    [
        (b"1800000000123456789\n", 1_800_000_000_123_456_789),
        (b"1800000000N\n", NOW + NS // 2),
        (b"1800000000%N", NOW + NS // 2),
        (b"1800000000", NOW + NS // 2),
        (b"date: illegal option", None),
        (b"", None),
    ],
)
def test_the_clock_is_read_whatever_date_that_machine_has(output: bytes, ns: int | None) -> None:
    assert read_clock(output) == ns


@pytest.mark.tc("TC-104")
@given(age=st.integers(0, 10**6), offset=st.integers(-(10**6), 10**6))
def test_an_event_counts_for_its_moment_and_never_for_one_after_its_arrival(age: int, offset: int) -> None:
    there = NOW - age * NS + offset * NS
    event = RawEvent("e-1234567", "Stop", Source.HOOK, "claude", there, NOW, "k", start_hint=there)
    assert corrected(event, None) is event
    right = corrected(event, offset * NS)
    assert (right.event_time, right.start_hint) == (NOW - age * NS, NOW - age * NS)
    assert corrected(event, offset * NS - (age + 5) * NS).event_time == NOW
