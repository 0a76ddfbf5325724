"""The lines of the dashboard as texts with styles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux.render import STATES
from agtmux.top import lines
from agtmux.top.arrange import arrange
from agtmux.top.keys import DEFAULTS
from agtmux.top.layout import columns
from agtmux.top.model import Request, Row, Target, View
from tests.unit.top.rows import NOW, ago, row

HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("界한👩\u200d💻\u0301\x1b\x9b\u202e")), max_size=40)


def drawn(spans: lines.Spans) -> str:
    return "".join(text for text, _ in spans)


def list_texts(*rows: Row, width: int = 80, target: bool = False, grouping: str = "attention") -> list[str]:
    at = columns(width)
    return [
        drawn(lines.list_line(line, at, NOW, marked=False, pointer=False, target=target, key="z")).rstrip()
        for line in arrange(rows, grouping)
    ]


@pytest.mark.tc("TC-302")
def test_a_row_says_state_agent_place_age_and_what() -> None:
    asks = {"subject": "Bash", "text": "rm -rf build"}
    rows = (
        row("%1", "waiting_approval", waiting_for=asks, since=ago(125), attention_since=ago(125)),
        row("%2", "running", since=ago(7), task="Fix it"),
        row("%3", "idle"),
        row("%4", "idle"),
    )
    assert list_texts(*rows) == [
        " ! approval  claude   work:1.0             2m  Bash: rm -rf build",
        " ● running   claude   work:1.0             7s  Fix it",
        " … 2 idle (z shows them)",
    ]
    assert list_texts(*rows[:2], width=40) == [
        " ! claude   work:1.0                  2m",
        " ● claude   work:1.0                  7s",
    ]


@pytest.mark.tc("TC-302")
def test_a_row_names_its_target_where_there_are_several_and_keeps_its_window() -> None:
    long = row("%1", session="a-session-with-a-very-long-name", target="gpu")
    place = lines.place(long, 16, target=True)
    assert place.startswith("gpu/a-") and place.endswith("…:1.0") and len(place) == 16
    assert lines.place(long, 60, target=False) == "a-session-with-a-very-long-name:1.0"


@pytest.mark.tc("TC-302")
@given(st.sampled_from(STATES), HOSTILE, HOSTILE, st.integers(20, 200), st.booleans())
def test_no_line_is_wider_than_its_panel(state: str, text: str, session: str, width: int, target: bool) -> None:
    """Whatever the row says. The age always stands at the same cell."""
    asks = {"subject": text, "text": f"{text}\n{text}", "options": [text] * 12, "fingerprint": "f"}
    one = row("%1", state, waiting_for=asks, session=session, cwd=text, title=text, task=text, project=text)
    at = columns(width)
    for line in arrange([one, row("%2", "idle"), row("%3", "idle", session=session)], "session"):
        spans = lines.list_line(line, at, NOW, marked=True, pointer=True, target=target, key="z")
        if lines.is_row(line):
            assert lines.length(spans) <= width
            ages = [n for n, (_, style) in enumerate(spans) if style == "age"]
            assert lines.length(spans[: ages[0]]) == at.age_at
    assert one.request is not None
    for most in (1, 3, 9):
        made = lines.request_lines(one.request, width, most)
        assert len(made) <= most
        assert all(lines.length(spans) <= max(width, 30) for spans in made)
    assert lines.length(lines.title(one, width, focused=True, target=target)) == width


@pytest.mark.tc("TC-302")
def test_the_summary_counts_states_and_names_targets_that_are_not_well() -> None:
    rows = [row("%1", "waiting_approval"), row("%2"), row("%3"), row("%4", "completed", attention="review")]
    view = View(
        {one.key: one for one in rows}, (Target("host", "ok", "", NOW), Target("gpu", "down", "refused", NOW - 90))
    )
    wide = drawn(lines.summary(view, 4, NOW, 120))
    assert " ".join(wide.split()) == "agtmux 1 needs you ! 1 approval ● 2 running ✓ 1 completed, 1 not seen gpu down 1m"
    assert len(wide) == 120
    assert " ".join(drawn(lines.summary(view, 4, NOW, 40)).split()) == "1! !1 ●2 ✓1 1 new gpu down 1m"
    assert "2 of 4 shown" in drawn(lines.summary(view, 2, NOW, 120))
    assert "no agents" in drawn(lines.summary(View(), 0, NOW, 80))


@pytest.mark.tc("TC-305")
def test_a_lost_daemon_is_told_with_its_age() -> None:
    assert lines.banner(View(), NOW) == ()
    result = drawn(lines.banner(View(lost_at=NOW - 75, why="no daemon answers"), NOW))
    assert result.startswith(" lost the daemon 1m ago") and result.endswith("no daemon answers")


@pytest.mark.tc("TC-302")
def test_a_request_keeps_its_options_and_says_which_grant_more() -> None:
    request = Request(
        "approval", "Bash", ("npm test", "", "Do you want to proceed?"), ("Yes", "Always allow", "No"), "f"
    )
    assert lines.text_of(lines.request_lines(request, 60, 9)) == [
        "Bash", "npm test", "", "Do you want to proceed?", " 1 Yes", " 2 Always allow  (also later ones)", " 3 No",
    ]  # fmt: skip
    assert lines.text_of(lines.request_lines(request, 60, 4)) == [
        "Bash …", " 1 Yes", " 2 Always allow  (also later ones)", " 3 No",
    ]  # fmt: skip
    many = Request("question", "", ("Which?",), tuple("abcdefghijkl"), "f")
    assert lines.text_of(lines.request_lines(many, 60, 20))[-1] == " … 3 more"


@pytest.mark.tc("TC-306")
@pytest.mark.parametrize("width", [20, 40, 80, 160])
@pytest.mark.parametrize("state", STATES)
def test_the_hints_name_keys_that_do_something_for_the_row(state: str, width: int) -> None:
    """Help and quit are always among them, and they fit the width."""
    spans = lines.hints(row("%1", state), DEFAULTS, width)
    text = drawn(spans)
    assert lines.length(spans) <= width
    assert "? help" in text and "q quit" in text
    if width >= 80:
        assert ("approve" in text) is (state == "waiting_approval")
        assert ("interrupt" in text) is (state == "running")


@pytest.mark.tc("TC-306")
def test_the_hints_follow_the_keymap() -> None:
    keymap = {**DEFAULTS, "approve": ("ctrl+y",), "deny": ()}
    text = drawn(lines.hints(row("%1", "waiting_approval"), keymap, 120))
    assert "^y approve" in text and "deny" not in text
    assert drawn(lines.hints(None, DEFAULTS, 80, marked=3)).startswith(" 3 marked a approve")
