"""The lists of the panel of coordination as lines: order, words, shapes, widths."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux.top import lines
from agtmux.top.coord_lists import (
    DETAIL,
    EMPTY,
    TABS,
    about,
    line,
    listed,
    message_lines,
    receipt,
    tab_line,
    tabs_of,
)
from tests.integration.top.coord_stage import delivery, lease, message, worktree
from tests.unit.top.rows import NOW
from tests.unit.top.test_lines import drawn

ODD = st.one_of(st.text(max_size=60), st.integers(), st.none(), st.booleans(), st.lists(st.text(), max_size=2))
FIELDS = sorted({*message(1), *lease(1), *worktree(1), *delivery(1)} - {"deliveries"})


def keys(tab: str, *items: dict[str, Any]) -> list[str]:
    return [one.key for one in listed(tab, items)]


@pytest.mark.tc("TC-901")
def test_unread_mail_comes_first_then_the_newest_and_the_lease_that_ends_first() -> None:
    assert keys("mail", message(1, "read"), message(2), message(3, "acked"), message(4)) == ["m4", "m2", "m3", "m1"]
    late = lease(2, expires_at="2127-01-01T00:00:00.000Z")
    assert keys("leases", late, lease(1)) == ["l1", "l2"]
    assert keys("worktrees", worktree(1, agent="b"), worktree(2, agent="a")) == ["w2", "w1"]


@pytest.mark.tc("TC-901")
def test_a_message_is_unread_until_a_person_has_read_it() -> None:
    """Receipts of agents that got the same message do not count."""
    assert [receipt(message(1, state)) for state in ("unread", "read", "acked")] == ["unread", "read", "acked"]
    both = message(1)
    both["deliveries"].append({"agent_id": "a", "read_at": "2026-01-01T00:00:00.000Z", "acked_at": None})
    assert receipt(both) == "unread"


@pytest.mark.tc("TC-901")
def test_states_of_leases_and_deliveries_differ_by_their_shapes() -> None:
    some = [
        lease(1),
        lease(1, mode="shared"),
        lease(1, advisory=True),
        lease(1, orphaned_at="2026-01-01T00:00:00.000Z"),
    ]
    for tab, items in (("leases", some), ("failed", [delivery(1), delivery(1, "submitted_unconfirmed")])):
        signs = {drawn(line(one, NOW, 40))[1] for one in listed(tab, items)}
        assert len(signs) == len(items)


@pytest.mark.tc("TC-901")
def test_the_open_tab_stands_in_brackets_and_all_four_fit_40_columns() -> None:
    lists = {"mail": listed("mail", [message(n) for n in range(12)]), "leases": listed("leases", [lease(1)] * 12),
             "worktrees": listed("worktrees", [worktree(1)] * 12),
             "failed": listed("failed", [delivery(1)] * 12)}  # fmt: skip
    assert "[Mail 12]" in drawn(tab_line(lists, "mail", 40))
    for room in (40, 80):
        assert lines.length(tab_line(lists, "failed", room)) <= room


@pytest.mark.tc("TC-901")
def test_a_change_makes_only_those_lists_old_that_can_show_it() -> None:
    assert tabs_of(["lease", "signal", "wait"]) == {"leases"}
    assert tabs_of(["delivery"]) == {"mail", "failed"}
    assert tabs_of(["agent"]) == set(TABS) == set(EMPTY)


@pytest.mark.tc("TC-901")
@given(st.sampled_from(sorted(TABS)), st.dictionaries(st.sampled_from(FIELDS), ODD), st.integers(30, 160))
def test_no_line_is_wider_than_the_panel_whatever_the_item_says(tab: str, odd: dict[str, Any], width: int) -> None:
    base = {"mail": message, "leases": lease, "worktrees": worktree, "failed": delivery}[tab](1)
    (one,) = listed(tab, [{**base, **odd}])
    assert lines.length(line(one, NOW, width)) <= width
    shown = about(one, NOW, width)
    assert len(shown) <= DETAIL
    assert all(lines.length(text) <= width for text in shown)
    texts = "".join(lines.text_of(message_lines({**message(1), **odd}, NOW, width)))
    assert not {unicodedata.category(char) for char in texts} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
