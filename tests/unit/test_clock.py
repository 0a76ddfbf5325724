"""The daemon's clock never goes back, whatever somebody makes of the system's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmuxd.clock import NOTICED, SLOWER, Clock
from agtmuxd.core.model import NS

T0 = 1_767_225_600 * NS


class FakeSystemClock:
    """A system's clock in the test's hand, and the time that really goes by."""

    def __init__(self) -> None:
        self.system, self.elapsed = T0, 5 * NS
        self.clock = Clock(lambda: self.system, lambda: self.elapsed)

    def go(self, ns: int, *, set_by: int = 0) -> int:
        self.system += ns + set_by
        self.elapsed += ns
        return self.clock()


@pytest.mark.tc("TC-006")
def test_it_is_the_systems_clock_where_nobody_sets_that() -> None:
    keystrokes = FakeSystemClock()
    for _ in range(3):
        assert keystrokes.go(7 * NS) == keystrokes.system
        assert keystrokes.clock.ahead() == 0


@pytest.mark.tc("TC-006")
def test_set_forward_it_follows_at_once() -> None:
    keystrokes = FakeSystemClock()
    assert keystrokes.go(NS, set_by=3600 * NS) == T0 + 3601 * NS
    assert keystrokes.clock.ahead() == 0


@pytest.mark.tc("TC-006")
def test_set_back_it_goes_on_a_little_slower_until_the_system_has_caught_up() -> None:
    keystrokes = FakeSystemClock()
    before = keystrokes.go(NS)
    assert keystrokes.go(NS, set_by=-10 * NS) == before + NS - NS // SLOWER
    assert keystrokes.clock.ahead() == 10 * NS - NS // SLOWER
    assert keystrokes.go(10 * SLOWER * NS) == keystrokes.system
    assert keystrokes.clock.ahead() == 0


@pytest.mark.tc("TC-006")
@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 100 * NS), st.integers(-7200 * NS, 7200 * NS) | st.just(0)), max_size=12))
def test_it_never_goes_back_and_never_runs_ahead_of_the_time_that_went_by(steps: list[tuple[int, int]]) -> None:
    keystrokes = FakeSystemClock()
    at = keystrokes.clock()
    for ran, set_by in steps:
        now = keystrokes.go(ran, set_by=set_by)
        assert now >= at
        assert now >= keystrokes.system
        assert now == keystrokes.system or now <= at + ran
        assert keystrokes.clock.ahead() == (now - keystrokes.system if now - keystrokes.system >= NOTICED else 0)
        at = now
