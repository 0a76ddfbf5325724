"""The filter grammar: ``state:waiting agent:claude @gpu text``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux.top.filter import FIELDS, filter_rows, parse, problem, states
from tests.unit.top.rows import row

ROWS = [
    row("%1", "waiting_approval", agent_type="claude", target="gpu", session="api"),
    row("%2", "waiting_input", agent_type="codex", project="shop", branch="main"),
    row("%3", "running", agent_type="claude", task="Fix the login page", cwd="/src/shop"),
    row("%4", "idle", agent_type="gemini", agent_name="Reviewer"),
]


def found(text: str) -> list[str]:
    return [one.pane_id for one in filter_rows(ROWS, parse(text))]


@pytest.mark.tc("TC-301")
@pytest.mark.parametrize(
    ("text", "panes"),
    [
        ("", ["%1", "%2", "%3", "%4"]),
        ("state:waiting", ["%1", "%2"]),
        ("state:appr", ["%1"]),
        ("state:input", ["%2"]),
        ("state:done", ["%4"]),
        ("state:", ["%1", "%2", "%3", "%4"]),
        ("agent:claude", ["%1", "%3"]),
        ("agent:review", ["%4"]),
        ("@gpu", ["%1"]),
        ("target:gpu", ["%1"]),
        ("!@gpu", ["%2", "%3", "%4"]),
        ("session:api", ["%1"]),
        ("project:shop branch:main", ["%2"]),
        ("cwd:shop", ["%3"]),
        ("LOGIN", ["%3"]),
        ('"login page"', ["%3"]),
        ('"login  page"', []),
        ("agent:claude !state:running", ["%1"]),
        ("%3", ["%3"]),
        ("shop", ["%2", "%3"]),
        ("nothing:here", []),
        ("!", []),
        ('"', ["%1", "%2", "%3", "%4"]),
    ],
)
def test_all_words_of_a_filter_must_fit(text: str, panes: list[str]) -> None:
    """A known name before a colon asks for a field, ``@`` for the target, ``!`` turns a word round."""
    assert found(text) == panes


@pytest.mark.tc("TC-301")
def test_a_state_that_cannot_be_is_told() -> None:
    assert problem(parse("state:wat")) == "no state begins with wat"
    assert problem(parse("state:wa")) == ""
    assert states("waiting") == {"waiting_approval", "waiting_input"}
    assert found("!state:wat") == ["%1", "%2", "%3", "%4"]


@pytest.mark.tc("TC-301")
@given(st.lists(st.sampled_from([*'ab:@!" ', "state:", "agent:", "w"]), max_size=12).map("".join))
def test_a_filter_never_fails_and_keeps_the_order(text: str) -> None:
    """Whatever is typed."""
    terms = parse(text)
    kept = filter_rows(ROWS, terms)
    assert [one for one in ROWS if one in kept] == kept
    assert all(term.field is None or term.field in FIELDS for term in terms)
