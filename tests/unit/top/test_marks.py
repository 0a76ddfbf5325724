"""Marks of a row: what the agent asks of people, and its mail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux.columns import GLYPHS
from agtmux.top import lines
from agtmux.top.arrange import Entry
from agtmux.top.card import Card, card_lines
from agtmux.top.keys import DEFAULTS
from agtmux.top.layout import columns
from agtmux.top.marks import SIGNS, in_detail, in_row, marks_of
from tests.unit.top.rows import NOW, ago, row
from tests.unit.top.test_lines import drawn, list_texts

ASKS = {
    "since": ago(9),
    "attention": "needs_action",
    "message_id": "m",
    "kind": "question",
    "overdue": False,
    "count": 1,
}
MAIL = {"unread": 2, "dead": 1, "since": ago(9), "attention": "review"}
AGENT = {"agent_id": "a" * 8, "name": "builder", "team": "web"}


@pytest.mark.tc("TC-900")
def test_each_mark_has_a_shape_that_no_state_and_no_other_mark_has() -> None:
    assert len(set(SIGNS.values())) == len(SIGNS)
    assert not set(SIGNS.values()) & {*GLYPHS.values(), ">", "+", "…", " "}


@pytest.mark.tc("TC-900")
def test_a_row_shows_the_given_name_and_its_marks_with_words_or_at_40_columns_as_a_shape() -> None:
    one = row("%1", "running", since=ago(7), task="Fix it", agent=AGENT, asks=ASKS, mail=MAIL)
    assert list_texts(one) == [" ● running   builder  work:1.0             7s  ◇ question †1 @2 Fix it"]
    narrow = list_texts(one, width=40)[0]
    assert narrow.startswith(" ● builder  work:1.0") and "◇" in narrow and len(narrow) == 40


@pytest.mark.tc("TC-900")
@pytest.mark.parametrize(
    ("asks", "mail", "first"),
    [
        ({**ASKS, "kind": "blocker"}, MAIL, "■ blocker"),
        ({**ASKS, "overdue": True}, MAIL, "◆ overdue"),
        ({**ASKS, "count": 3}, None, "◇ question +2"),
        ({**ASKS, "kind": "note"}, None, "□ message"),
        (None, MAIL, "† 1 failed"),
        (None, {**MAIL, "dead": 0}, "@ 2 unread"),
    ],
)
def test_the_most_urgent_mark_comes_first_and_has_its_word(asks: Any, mail: Any, first: str) -> None:
    assert drawn(in_row(marks_of(asks, mail), 34)).startswith(first)


@pytest.mark.tc("TC-900")
def test_what_somebody_acknowledged_stays_but_is_dim() -> None:
    (mark,) = marks_of({**ASKS, "seen": True}, None)
    assert (mark.style, mark.sign) == ("dim", "◇")


@pytest.mark.tc("TC-900")
def test_the_detail_and_the_card_say_the_name_and_the_marks_in_words() -> None:
    one = row("%1", "waiting_approval", agent=AGENT, asks={**ASKS, "kind": "blocker"}, mail=MAIL)
    assert "web/builder · claude" in drawn(lines.title(one, 80, focused=False, target=False))
    texts = lines.text_of(lines.about(one, NOW, 80))
    assert texts[-1] == "■ blocked, needs a person  † 1 message not delivered  @ 2 unread messages"
    assert lines.text_of(in_detail(one.marks, 40)) == [
        "■ blocked, needs a person", "† 1 message not delivered", "@ 2 unread messages",
    ]  # fmt: skip
    shown = lines.text_of(card_lines(Card("approve", one, 0.0), DEFAULTS, NOW, 76, 20))
    assert any(text.startswith("web/builder (claude) in host/work:1.0 %1") for text in shown)
    assert any("■ blocked, needs a person" in text for text in shown)


@pytest.mark.tc("TC-900")
@given(
    st.dictionaries(
        st.sampled_from(["kind", "overdue", "count", "seen"]), st.one_of(st.text(), st.integers(), st.none())
    ),
    st.dictionaries(st.sampled_from(["unread", "dead", "seen"]), st.one_of(st.text(), st.integers(), st.booleans())),
    st.text(max_size=80),
    st.integers(20, 200),
)
def test_no_line_with_marks_is_wider_than_its_panel(
    asks: dict[str, Any], mail: dict[str, Any], name: str, width: int
) -> None:
    one = row("%1", "running", since=ago(7), task="x" * 300, agent={**AGENT, "name": name}, asks=asks, mail=mail)
    at = columns(width)
    spans = lines.list_line(Entry("", one), at, NOW, marked=True, pointer=True, target=True, key="z")
    assert lines.length(spans) <= width
    ages = [n for n, (_, style) in enumerate(spans) if style == "age"]
    assert lines.length(spans[: ages[0]]) == at.age_at
    assert all(lines.length(line) <= width for line in in_detail(one.marks, width))
