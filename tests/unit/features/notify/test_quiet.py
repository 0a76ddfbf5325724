"""Quiet hours: over midnight, in another time zone, and on the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from agtmuxd.core.model import NS
from agtmuxd.features.notify.quiet import Quiet, quiet_of

pytestmark = pytest.mark.tc("TC-404")
BERLIN = ZoneInfo("Europe/Berlin")


def ns(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * NS)


def end(quiet: Quiet, text: str) -> str | None:
    """When they end, as UTC."""
    until = quiet.until(ns(text))
    return None if until is None else datetime.fromtimestamp(until / NS, UTC).strftime("%d %H:%M")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-10T21:59:59+01:00", None),
        ("2026-01-10T22:00:00+01:00", "11 06:00"),
        ("2026-01-11T00:00:00+01:00", "11 06:00"),
        ("2026-01-11T06:59:59+01:00", "11 06:00"),
        ("2026-01-11T07:00:00+01:00", None),
    ],
)
def test_they_go_over_midnight(now: str, until: str | None) -> None:
    assert end(Quiet(time(22), time(7), BERLIN), now) == until


def test_they_are_of_one_day_too() -> None:
    quiet = Quiet(time(12), time(13, 30), BERLIN)
    assert end(quiet, "2026-07-01T12:00:00+02:00") == "01 11:30"
    assert end(quiet, "2026-07-01T13:30:00+02:00") is None


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-29T01:59:00+01:00", "29 05:00"),  # 2:00 becomes 3:00: the night is an hour shorter
        ("2026-03-29T06:59:00+02:00", "29 05:00"),
        ("2026-10-25T02:30:00+02:00", "25 06:00"),  # 3:00 becomes 2:00: it is an hour longer
        ("2026-10-25T02:30:00+01:00", "25 06:00"),
    ],
)
def test_a_night_in_which_clocks_change_ends_by_the_wall_clock(now: str, until: str) -> None:
    assert end(Quiet(time(22), time(7), BERLIN), now) == until


def test_an_end_that_the_clock_shows_twice_counts_the_second_time() -> None:
    quiet = Quiet(time(22), time(2, 30), BERLIN)
    assert end(quiet, "2026-10-25T02:40:00+02:00") == "25 01:30", "the wall clock will show 2:00 once more"
    assert end(quiet, "2026-10-25T02:30:00+01:00") is None


def test_an_end_that_the_clock_never_shows_is_not_skipped() -> None:
    quiet = Quiet(time(22), time(2, 30), BERLIN)
    assert end(quiet, "2026-03-29T01:30:00+01:00") == "29 01:30"
    assert end(quiet, "2026-03-29T12:00:00+02:00") is None


def test_without_a_zone_the_machine_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    import time as clock

    monkeypatch.setenv("TZ", "America/New_York")
    clock.tzset()
    try:
        assert end(Quiet(time(22), time(7)), "2026-01-10T23:00:00-05:00") == "11 12:00"
    finally:
        monkeypatch.undo()
        clock.tzset()


def test_the_text_of_the_configuration_is_read() -> None:
    assert quiet_of("22:00-07:00") == Quiet(time(22), time(7))
    assert quiet_of("09:15-09:45 Asia/Tokyo") == Quiet(time(9, 15), time(9, 45), ZoneInfo("Asia/Tokyo"))
    assert quiet_of("") is None
