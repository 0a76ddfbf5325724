"""When the dashboard says that a person looks at a pane: focus, a key lately, a pane that stays selected."""

from __future__ import annotations

import pytest

from agtmux.top.presence import AWAY, EVERY, STAYS, Presence

pytestmark = pytest.mark.tc("TC-420")


def present() -> Presence:
    """Somebody at the terminal since 0, and one pane selected since then."""
    made = Presence()
    made.focused = True
    made.used(0)
    assert made.due("a", 0) is None
    return made


def test_a_pane_that_stays_selected_is_reported_now_and_then() -> None:
    one = present()
    assert one.due("a", STAYS - 0.1) is None
    assert one.due("a", STAYS) == "a"
    assert one.due("a", STAYS + EVERY - 0.1) is None
    assert one.due("a", STAYS + EVERY) == "a"


def test_another_pane_is_reported_once_it_stays() -> None:
    one = present()
    assert one.due("a", STAYS) == "a"
    assert one.due("b", STAYS + 1) is None
    assert one.due("c", STAYS + 2) is None
    assert one.due("c", STAYS + 3) is None
    assert one.due("c", STAYS + 4) == "c"
    assert one.due(None, STAYS + 5) is None


def test_nothing_is_reported_without_focus_or_after_a_minute_without_a_key() -> None:
    """A terminal that never reports its focus counts as not looked at."""
    one = present()
    one.focused = False
    assert one.due("a", STAYS) is None
    one.focused = True
    assert one.due("a", AWAY) is None
    one.used(AWAY)
    assert one.due("a", AWAY) == "a"
    fresh = Presence()
    fresh.focused = True
    assert fresh.due("a", 0) is None
    assert fresh.due("a", STAYS) is None, "nobody pressed a key yet"
    never = Presence()
    never.used(0)
    assert never.due("a", 0) is None
    assert never.due("a", STAYS) is None
