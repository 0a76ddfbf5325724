"""The changes of coordination in the stream."""

from __future__ import annotations

import pytest

from agtmuxd.stream.coordination import changes_in, coordination_change
from agtmuxd.stream.published import Change

pytestmark = pytest.mark.tc("TC-601")


def test_a_change_is_named_by_kind_and_id_and_comes_back_equal_from_the_log() -> None:
    for item in ({"name": "claude-1"}, None):
        change = coordination_change("agent", "a-1", item)
        assert (change.op, change.key, change.identity) == (
            "delete" if item is None else "upsert", "agent/a-1", {"kind": "agent", "id": "a-1"}
        )  # fmt: skip
        assert Change.from_json("coord", change.to_json()) == change


def test_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a kind of coordination"):
        coordination_change("mood", "1", {})


def test_the_scope_all_has_panes_and_coordination() -> None:
    change = coordination_change("agent", "a-1", {})
    pane = Change("delete", "panes", "host/%1", {"target": "host"}, None, None, None)
    changes = {"panes": [pane], "coord": [change], "windows": [pane]}
    assert changes_in(changes, "all") == [pane, change]
    assert [changes_in(changes, scope) for scope in ("coord", "panes", "sessions")] == [[change], [pane], []]
