"""Listings: filters, sort orders and summaries."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmuxd.core.listing import SORTS, Attrs, Filter, ordered, place, tally
from agtmuxd.stream.published import PublishedRows, name_of
from tests.rows import STATES, Item, advance, by_key, pane, steps
from tests.unit.stream.test_published import SCOPES

WORLD = by_key(
    pane("%1", state="running", since="2026-01-01T00:00:01.000Z"),
    pane("%2", state="waiting_approval", since="2026-01-01T00:00:05.000Z"),
    pane("%3", state="waiting_approval", since="2026-01-01T00:00:03.000Z", agent="codex", session="a/b"),
    pane("%4", state="error", since="2026-01-01T00:00:06.000Z", target="far"),
    pane("%5", state="idle", since="2026-01-01T00:00:02.000Z", target="far", window="@2"),
    pane("%6", agent=None),
)


def chosen(scope: str = "panes", sort: str = "name", **wanted: Any) -> list[str]:
    view = PublishedRows("s", 0, WORLD)
    rows = view.select(scope, Filter(**wanted), sort)
    return ["/".join(name_of(row["identity"])) for row in rows]


@pytest.mark.tc("TC-048")
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["%1", "%2", "%3", "%4", "%5"]),
        ({"everything": True}, ["%1", "%2", "%3", "%4", "%5", "%6"]),
        ({"targets": ("far",)}, ["%4", "%5"]),
        ({"targets": ("far", "host")}, ["%1", "%2", "%3", "%4", "%5"]),
        ({"target_sessions": (("host", "work"),)}, ["%1", "%2"]),
        ({"sessions": ("a/b",)}, ["%3"]),
        ({"states": ("error", "idle")}, ["%4", "%5"]),
        ({"agents": ("codex",)}, ["%3"]),
        ({"needs_action": True}, ["%2", "%3", "%4"]),
        ({"needs_action": True, "agents": ("claude",), "targets": ("host",)}, ["%2"]),
        ({"states": ("running",), "everything": True}, ["%1"]),
    ],
)
def test_filters_choose_by_every_field_and_narrow_each_other(wanted: dict[str, Any], expected: list[str]) -> None:
    assert sorted(row.rpartition("/")[2] for row in chosen(**wanted)) == expected


@pytest.mark.tc("TC-048")
def test_filters_on_rollups_look_at_the_row() -> None:
    assert chosen("windows", agents=("codex",)) == ["host/a/b/@1"]
    assert chosen("windows", states=("idle",)) == ["far/work/@2"]
    assert chosen("sessions", needs_action=True, targets=("far",)) == ["far/work"]


@pytest.mark.tc("TC-048")
@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("attention", "43215"),
        ("-attention", "51234"),
        ("state", "43215"),
        ("since", "15324"),
        ("-since", "42351"),
        ("updated", "15324"),
        ("name", "31245"),
        ("target", "45312"),
        ("-target", "21354"),
    ],
)
def test_every_sort_has_one_order(sort: str, expected: str) -> None:
    found = "".join(row[-1] for row in chosen(sort=sort))
    assert found == expected


@pytest.mark.tc("TC-048")
@given(st.randoms(use_true_random=False), st.sampled_from(SORTS), st.lists(steps(), max_size=6))
def test_no_sort_depends_on_the_order_in_which_rows_came(
    rng: random.Random, sort: str, repository: list[dict[str, Item | None]]
) -> None:
    view = PublishedRows("s")
    for step in repository:
        advance(view, step)
    for scope in SCOPES:
        rows = list(view.rows(scope).values())
        expected = ordered(rows, sort)
        rng.shuffle(rows)
        assert ordered(rows, sort) == expected
        assert len({place(row) for row in rows}) == len(rows)


@pytest.mark.tc("TC-048")
def test_panes_and_windows_sort_by_number_not_by_letter() -> None:
    rows = [pane("%10", window="@10", pane_index=0), pane("%9", window="@9", pane_index=0)]
    assert [row["identity"]["pane_id"] for row in ordered(rows, "name")] == ["%9", "%10"]


def test_a_summary_counts_by_state_agent_target_and_attention() -> None:
    view = PublishedRows("s", 0, WORLD)
    assert view.tally("panes", Filter()).summary() == {
        "total": 5,
        "by_state": {**dict.fromkeys(STATES, 0), "running": 1, "waiting_approval": 2, "error": 1, "idle": 1},
        "by_agent": {"claude": 4, "codex": 1},
        "by_target": {"far": 2, "host": 3},
        "by_attention": {"needs_action": 3, "review": 0, "none": 2},
    }
    assert view.tally("panes", Filter(everything=True)).summary()["total"] == 6


def test_taking_out_what_was_added_leaves_an_empty_summary() -> None:
    rows = [Attrs.of(row) for row in WORLD.values()]
    counted = tally(rows)
    for row in rows:
        counted.add(row, -1)
    assert counted.summary() == tally([]).summary()


def test_the_echo_of_a_filter_is_what_was_given() -> None:
    wanted = Filter(target_sessions=(("host", "a/b"),), states=("error",), needs_action=True)
    assert wanted.echo() == {"target_session": ["host/a%2Fb"], "state": ["error"], "needs_action": True}
    assert Filter().echo() == {}


@pytest.mark.tc("TC-048")
@pytest.mark.parametrize("sort", ["since", "-since", "updated", "-updated"])
def test_rows_without_a_time_come_last_both_ways(sort: str) -> None:
    assert chosen(sort=sort, everything=True)[-1].endswith("%6")
