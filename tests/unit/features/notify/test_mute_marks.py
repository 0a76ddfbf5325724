"""Which rows show a mute, and which must stop to show one."""

from __future__ import annotations

import pytest

from agtmuxd.features.notify.mute_marks import changed_marks
from tests.rows import by_key, pane
from tests.unit.features.notify.makers import T0, s

pytestmark = pytest.mark.tc("TC-403")
LATER = "2026-01-01T00:01:00.000Z"


def test_a_muted_pane_is_marked_once() -> None:
    rows = by_key(pane("%1"), pane("%2"), pane("%3", agent=None))
    muted = {"host/%1": T0 + s(60)}
    runtime = rows["host/%1"]["runtime_id"]
    assert changed_marks(rows, muted, None) == {runtime: LATER}
    rows["host/%1"]["muted_until"] = LATER
    assert changed_marks(rows, muted, None) == {}


def test_the_mark_goes_with_the_mute() -> None:
    rows = by_key({**pane("%1"), "muted_until": LATER})
    assert changed_marks(rows, {}, None) == {rows["host/%1"]["runtime_id"]: None}


def test_a_mute_of_everything_marks_all_until_the_later_end() -> None:
    rows = by_key(pane("%1"), pane("%2"))
    found = changed_marks(rows, {"host/%1": T0 + s(60)}, T0 + s(30))
    assert sorted(found.values(), key=str) == ["2026-01-01T00:00:30.000Z", LATER]
