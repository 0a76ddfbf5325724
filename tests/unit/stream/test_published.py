"""Published rows: changes, rollups, filters, sorts, summaries."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.listing import Filter
from agtmuxd.core.model import NS
from agtmuxd.stream.published import Change, PublishedRows, changes_for, merge_sessions, name_of, pane_key, same
from tests.rows import STATES, T0, Item, advance, by_key, pane, replayed, steps

SCOPES = ("panes", "windows", "sessions")


def ops(changes: dict[str, list[Change]], scope: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(change.op, name_of(change.identity)) for change in changes.get(scope, [])]


def test_a_new_pane_is_an_upsert_in_all_three_scopes() -> None:
    changes = changes_for(PublishedRows("s"), by_key(pane()))
    assert ops(changes, "panes") == [("upsert", ("host", "work", "@1", "%1"))]
    assert ops(changes, "windows") == [("upsert", ("host", "work", "@1"))]
    assert ops(changes, "sessions") == [("upsert", ("host", "work"))]


def test_changes_for_leaves_the_view_as_it_is() -> None:
    view = PublishedRows("s", 3, by_key(pane()))
    changes_for(view, {"host/%1": None})
    assert list(view.panes) == ["host/%1"]
    assert view.sequence == 3


def test_volatile_fields_change_nothing() -> None:
    view = PublishedRows("s", 0, by_key(pane()))
    assert changes_for(view, by_key(pane(last_seen_at="2026-01-01T00:00:09.000Z"))) == {}


def test_a_title_changes_the_pane_but_not_its_window() -> None:
    view = PublishedRows("s", 0, by_key(pane()))
    assert list(changes_for(view, by_key(pane(title="new")))) == ["panes"]


def test_a_pane_that_moved_is_deleted_under_its_old_identity_first() -> None:
    view = PublishedRows("s", 0, by_key(pane()))
    changes = advance(view, dict(by_key(pane(window="@2"))))
    assert ops(changes, "panes") == [
        ("delete", ("host", "work", "@1", "%1")),
        ("upsert", ("host", "work", "@2", "%1")),
    ]
    assert sorted(ops(changes, "windows")) == [("delete", ("host", "work", "@1")), ("upsert", ("host", "work", "@2"))]
    assert list(view.windows) == ["host/work/@2"]


def test_a_renamed_session_is_another_identity_everywhere() -> None:
    view = PublishedRows("s", 0, by_key(pane(), pane("%2", window="@2")))
    changes = advance(view, dict(by_key(pane(session="neu/é"), pane("%2", window="@2", session="neu/é"))))
    assert sorted(ops(changes, "sessions")) == [("delete", ("host", "work")), ("upsert", ("host", "neu/é"))]
    assert len(changes["panes"]) == 4
    assert [row["identity"]["session_name"] for row in view.windows.values()] == ["neu/é", "neu/é"]


def test_a_pane_that_nobody_knew_and_went_is_no_change() -> None:
    assert changes_for(PublishedRows("s"), {"host/%9": None}) == {}


@pytest.mark.tc("TC-042")
def test_a_window_shows_the_top_state_and_counts_of_its_agents() -> None:
    view = PublishedRows(
        "s",
        0,
        by_key(
            pane("%1", state="idle", since="2026-01-01T00:00:01.000Z"),
            pane("%2", state="waiting_input", since="2026-01-01T00:00:05.000Z"),
            pane("%3", state="waiting_input", since="2026-01-01T00:00:04.000Z", agent="codex"),
            pane("%4", state="running", since="2026-01-01T00:00:09.000Z"),
            pane("%5", agent=None),
        ),
    )
    (row,) = view.windows.values()
    assert row["state"] == "waiting_input"
    assert row["since"] == "2026-01-01T00:00:04.000Z"
    assert row["updated_at"] == "2026-01-01T00:00:09.000Z"
    assert (row["panes"], row["waiting"], row["running"]) == (4, 2, 1)
    assert row["counts"] == {**dict.fromkeys(STATES, 0), "idle": 1, "waiting_input": 2, "running": 1}
    assert row["agents"] == {"claude": 3, "codex": 1}
    assert row["attention"] == "needs_action"


@pytest.mark.tc("TC-042")
def test_precedence_decides_between_any_two_states() -> None:
    for high in range(len(STATES)):
        for low in range(high, len(STATES)):
            panes = [pane("%1", state=STATES[low]), pane("%2", state=STATES[high], window="@2")]
            view = PublishedRows("s", 0, by_key(*panes))
            assert view.sessions["host/work"]["state"] == STATES[high]


@pytest.mark.tc("TC-042")
def test_a_session_counts_its_windows_and_panes_with_agents() -> None:
    view = PublishedRows(
        "s",
        0,
        by_key(
            pane("%1", state="completed", attention="review"),
            pane("%2", window="@2", state="running"),
            pane("%3", window="@3", agent=None),
        ),
    )
    row = view.sessions["host/work"]
    assert (row["windows"], row["panes"], row["running"], row["waiting"]) == (2, 2, 1, 0)
    assert row["attention"] == "review"
    assert row["state"] == "running"


@pytest.mark.tc("TC-042")
def test_a_window_without_an_agent_has_no_state() -> None:
    view = PublishedRows("s", 0, by_key(pane(agent=None)))
    row = view.windows["host/work/@1"]
    assert (row["state"], row["panes"], row["attention"], row["since"]) == (None, 0, "none", None)


@pytest.mark.tc("TC-042")
def test_sessions_merge_across_targets_by_name_with_their_breakdown() -> None:
    view = PublishedRows(
        "s",
        0,
        by_key(
            pane("%1", state="idle"), pane("%1", target="far", state="error"), pane("%2", target="far", session="x")
        ),
    )
    merged = {row["identity"]["session_name"]: row for row in merge_sessions(view.sessions.values())}
    assert merged.keys() == {"work", "x"}
    assert merged["work"]["state"] == "error"
    assert merged["work"]["panes"] == 2
    assert merged["work"]["identity"] == {"session_name": "work"}
    assert [(part["target"], part["state"]) for part in merged["work"]["targets"]] == [
        ("far", "error"),
        ("host", "idle"),
    ]


@pytest.mark.tc("TC-042")
@given(st.lists(steps(), max_size=12))
def test_counting_again_only_what_was_touched_gives_what_counting_all_gives(
    repository: list[dict[str, Item | None]],
) -> None:
    view = PublishedRows("s")
    listed: dict[str, dict[tuple[str, ...], Item]] = {scope: {} for scope in SCOPES}
    for step in repository:
        changes = advance(view, step)
        for scope in SCOPES:
            replayed(listed[scope], changes.get(scope, []))
    fresh = PublishedRows("s", 0, view.panes)
    for scope in SCOPES:
        rows = {name_of(row["identity"]): row for row in fresh.rows(scope).values()}
        assert listed[scope] == rows
        assert {name_of(row["identity"]): row for row in view.rows(scope).values()} == rows


@given(st.lists(steps(), max_size=8))
def test_a_change_survives_the_log(repository: list[dict[str, Item | None]]) -> None:
    view = PublishedRows("s")
    for step in repository:
        for scope, changes in advance(view, step).items():
            for change in changes:
                assert Change.from_json(scope, json.loads(json.dumps(change.to_json()))) == change


def test_a_round_of_a_target_is_when_its_panes_were_seen_last() -> None:
    view = PublishedRows("s", 0, by_key(pane(), pane(target="far")))
    view.touch("host", 1_800_000_000 * NS)
    seen = {row["identity"]["target"]: row["last_seen_at"] for row in view.select("panes", Filter())}
    assert seen == {"host": "2027-01-15T08:00:00.000Z", "far": T0}
    assert view.panes["host/%1"]["last_seen_at"] == T0
    later = "2027-02-01T00:00:00.000Z"
    assert view.with_age(pane(last_seen_at=later))["last_seen_at"] == later
    assert "last_seen_at" not in view.select("windows", Filter())[0]


@pytest.mark.tc("TC-024")
def test_a_full_ref_resolves_to_its_pane_and_to_no_other() -> None:
    item = pane("%7", session="日本/ %", other_sessions=["mirror"])
    view = PublishedRows("s", 0, by_key(pane(), item))
    assert view.resolve(item["ref"]) == "host/%7"
    assert view.resolve("runtime:" + item["runtime_id"]) == "host/%7"
    assert view.resolve("pane:host/mirror/@1/%7") == "host/%7"


@pytest.mark.parametrize(
    "text",
    [
        "pane:host/work/@1/%99",
        "pane:nowhere/work/@1/%1",
        "pane:host/other/@1/%1",
        "pane:host/work/@2/%1",
        "runtime:" + "z" * 20,
    ],
)
def test_a_ref_that_names_nothing_is_not_found(text: str) -> None:
    with pytest.raises(AgtmuxError) as caught:
        PublishedRows("s", 0, by_key(pane())).resolve(text)
    assert caught.value.code == "E_REF_NOT_FOUND"


@settings(deadline=None, max_examples=3)
@given(st.integers(0, 999))
def test_one_pane_of_a_thousand_changes_only_its_own_window(n: int) -> None:
    panes = [pane(f"%{i}", session=f"s{i // 100}", window=f"@{i // 4}") for i in range(1000)]
    view = PublishedRows("s", 0, by_key(*panes))
    changes = changes_for(
        view, {pane_key("host", f"%{n}"): {**panes[n], "state": "error", "attention": "needs_action"}}
    )
    assert {scope: len(some) for scope, some in changes.items()} == {"panes": 1, "windows": 1, "sessions": 1}


def test_rows_are_the_same_whatever_their_volatile_fields_say() -> None:
    row = pane()
    assert same(row, {**row, "last_seen_at": None})
    assert same(row, {name: value for name, value in row.items() if name != "last_seen_at"})
    assert not same(row, {**row, "title": "other"})
    assert not same(row, {**row, "more": 1})
    assert not same(row, None)
    assert same(None, None)
