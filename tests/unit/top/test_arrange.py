"""The order of the list: what needs you first, quiet rows folded, groups under headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux.render import STATES
from agtmux.top.arrange import Entry, Fold, Head, arrange, groups_of, rows_that_need_you
from agtmux.top.model import Row
from tests.unit.top.rows import ago, row

MIXED = [
    row("%1", "idle"),
    row("%2", "running", since=ago(10)),
    row("%3", "waiting_input", since=ago(60), attention_since=ago(60)),
    row("%4", "completed", attention="review", attention_since=ago(5)),
    row("%5", "error", attention_since=ago(300)),
    row("%6", "waiting_approval", since=ago(120), attention_since=ago(120)),
    row("%7", "unknown"),
    row("%8", "completed"),
    row("%9", "running", since=ago(90)),
]


def shape(rows: list[Row], grouping: str = "attention", unfolded: frozenset[str] | None = frozenset()) -> list[str]:
    out = []
    for line in arrange(rows, grouping, unfolded):
        if isinstance(line, Entry):
            out.append(line.row.pane_id)
        elif isinstance(line, Fold):
            out.append(f"… {line.words}")
        else:
            out.append(f"[{line.title}: {line.state} {line.size}/{line.needs}]")
    return out


@pytest.mark.tc("TC-300")
def test_what_needs_you_comes_first_then_errors_then_news_then_work() -> None:
    """The longest waiting first; idle and completed rows are one line."""
    assert shape(MIXED) == ["%6", "%3", "%5", "%4", "%9", "%2", "%7", "… 1 idle, 1 completed"]


@pytest.mark.tc("TC-300")
def test_what_was_marked_as_seen_and_what_is_stuck_have_their_place() -> None:
    """An acknowledged request waits below what needs you; an agent without progress stands with the news."""
    rows = [
        row("%1", "running"),
        row("%2", "waiting_approval", attention="none", since=ago(5000)),
        row("%3", "running", attention="review", stuck={"since": ago(5), "reason": "Bash failed 6 times"}),
        row("%4", "waiting_input"),
    ]
    assert shape(rows) == ["%4", "%3", "%2", "%1"]
    assert rows[2].what == "no progress: Bash failed 6 times"


@pytest.mark.tc("TC-300")
def test_a_fold_opens_to_its_rows_and_one_quiet_row_is_never_folded() -> None:
    assert shape(MIXED, unfolded=frozenset({""}))[-2:] == ["%1", "%8"]
    assert shape(MIXED, unfolded=None)[-2:] == ["%1", "%8"]
    assert shape([row("%1", "idle"), row("%2")]) == ["%2", "%1"]
    assert shape([row("%1", "idle"), row("%2", "idle")]) == ["… 2 idle"]


@pytest.mark.tc("TC-300")
def test_groups_have_a_header_with_the_state_that_matters_most() -> None:
    """Groups in which something needs you come first, then they go by name."""
    rows = [
        row("%1", "idle", target="alpha"),
        row("%2", "running", target="alpha", session="api"),
        row("%3", "waiting_input", target="gpu"),
        row("%4", "completed", target="gpu", attention="review"),
    ]
    assert shape(rows, "target") == ["[gpu: waiting_input 2/1]", "%3", "%4", "[alpha: running 2/0]", "%2", "%1"]
    assert shape(rows, "session") == [
        "[gpu  work: waiting_input 2/1]", "%3", "%4",
        "[alpha  api: running 1/0]", "%2",
        "[alpha  work: idle 1/0]", "%1",
    ]  # fmt: skip
    assert groups_of(rows, "target") == {"alpha", "gpu"}


@pytest.mark.tc("TC-300")
def test_groups_by_folder_name_the_project() -> None:
    rows = [row("%1", cwd="/src/shop", project="shop"), row("%2", cwd="/w/fix", project="shop"), row("%3", cwd=None)]
    titles = [line.title for line in arrange(rows, "cwd") if isinstance(line, Head)]
    assert titles == ["folder not known", "/src/shop", "shop  /w/fix"]


@pytest.mark.tc("TC-300")
@given(st.lists(st.tuples(st.sampled_from(STATES), st.sampled_from(["host", "gpu"])), max_size=30), st.booleans())
def test_every_row_is_shown_or_counted_once(made: list[tuple[str, str]], folded: bool) -> None:
    """And keys are unique, so that a selection by key is one line."""
    rows = [row(f"%{n}", state, target=target) for n, (state, target) in enumerate(made)]
    for grouping in ("attention", "target", "session", "cwd"):
        lines = arrange(rows, grouping, frozenset() if folded else None)
        seen = [line.row for line in lines if isinstance(line, Entry)]
        assert len(seen) + sum(line.size for line in lines if isinstance(line, Fold)) == len(rows)
        assert len({line.key for line in lines}) == len(lines)
        assert rows_that_need_you(lines) == [one for one in seen if one.needs_you]
        assert {one.key for one in rows_that_need_you(lines)} == {one.key for one in rows if one.needs_you}
