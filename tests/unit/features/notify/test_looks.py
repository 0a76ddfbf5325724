"""Who looks at a pane: a terminal that shows its window, has the focus, and was used lately."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmuxd.core.model import TmuxClient
from agtmuxd.features.notify.channels.clients import Terminal
from agtmuxd.features.notify.looks import AWAY_AFTER, COUNTS, MOST, RecentLooks, looked_at
from tests.rows import by_key, pane
from tests.unit.features.notify.makers import T0

pytestmark = pytest.mark.tc("TC-420")
NOW = T0 // 10**9
LOOKS = TmuxClient("a", "/dev/pts/1", "$1", "@1", "%1", frozenset({"attached", "focused"}), "xterm", "", NOW - 5, True)
PANES = by_key(pane("%1"), pane("%2", window="@2"), pane("%3", target="far"))
IDS = {"host": "t-host", "far": "t-far"}


def seen(*clients: TmuxClient, target: str = "t-host") -> set[str]:
    return set(looked_at([Terminal(target, True, one) for one in clients], PANES, IDS, T0))


def test_the_window_that_is_shown_counts() -> None:
    assert seen(LOOKS) == {"host/%1"}
    assert seen(replace(LOOKS, window_id="@2")) == {"host/%2"}
    assert seen(LOOKS, target="t-far") == {"far/%3"}


def test_without_focus_or_after_a_minute_nobody_is_known_to_look() -> None:
    """A terminal that reports no focus says nothing: then messages are sent."""
    assert seen(replace(LOOKS, flags=frozenset({"attached"}))) == set()
    assert seen(replace(LOOKS, reports_focus=False)) == set()
    assert seen(replace(LOOKS, activity=NOW - AWAY_AFTER)) == set()
    assert seen() == set()


def test_one_of_several_terminals_is_enough() -> None:
    away = replace(LOOKS, name="b", activity=0)
    assert seen(away, LOOKS) == {"host/%1"}


def test_a_reported_look_counts_for_a_while_and_a_later_one_longer() -> None:
    looks = RecentLooks()
    assert looks.current(T0) == set()
    looks.note(["r-1", "r-2"], T0)
    assert looks.current(T0 + COUNTS - 1) == {"r-1", "r-2"}
    looks.note(["r-2"], T0 + COUNTS // 2)
    assert looks.current(T0 + COUNTS) == {"r-2"}
    assert looks.current(T0 + 2 * COUNTS) == set()


def test_a_clock_that_is_set_back_ends_reported_looks() -> None:
    """Otherwise nothing would be sent for as long as it was set back."""
    looks = RecentLooks()
    looks.note(["r-1"], T0)
    assert looks.current(T0 - 1) == set()


def test_only_the_newest_reported_looks_are_kept() -> None:
    looks = RecentLooks()
    for number in range(MOST + 10):
        looks.note([f"r-{number}"], T0)
    assert len(looks.current(T0)) == MOST
    assert "r-9" not in looks.current(T0)
    assert f"r-{MOST + 9}" in looks.current(T0)
