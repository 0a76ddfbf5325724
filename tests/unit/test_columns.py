"""What the cells of a listing say."""

from __future__ import annotations

from typing import Any

import pytest

from agtmux import columns
from agtmux.columns import GLYPHS, STATES, project, sign, what
from tests.unit.daemon_stub import pane

pytestmark = pytest.mark.tc("TC-265")
ASKED = {"kind": "approval", "subject": "Bash", "text": "make all", "options": [], "fingerprint": "f"}


@pytest.mark.parametrize("glyphs", [GLYPHS, columns.ASCII_GLYPHS])
def test_each_state_has_a_shape_and_a_word_that_no_other_has(glyphs: dict[str, str]) -> None:
    assert list(glyphs) == list(STATES)
    assert len(set(glyphs.values())) == 7
    assert all(columns.width(glyph) == 1 for glyph in glyphs.values())
    for short in (False, True):
        assert len({sign({"state": state}, glyphs, short=short)[2:] for state in STATES}) == 7
    assert all(glyph.isascii() for glyph in columns.ASCII_GLYPHS.values())


@pytest.mark.parametrize(
    ("fields", "cell"),
    [
        ({"project": "agtmux", "branch": "main", "worktree": None}, "agtmux:main"),
        ({"project": "agtmux", "branch": "@1234567", "worktree": None}, "agtmux:@1234567"),
        ({"project": "notes", "branch": None, "worktree": None}, "notes"),
        ({"project": "agtmux", "branch": "rows", "worktree": "rows"}, "agtmux:rows"),
        ({"project": "agtmux", "branch": "fix/rows", "worktree": "rows"}, "agtmux:fix/rows"),
        ({"project": "agtmux", "branch": "fix/x", "worktree": "rows"}, "agtmux:fix/x [rows]"),
        ({"project": "agtmux", "branch": None, "worktree": "rows"}, "agtmux [rows]"),
        ({"project": None, "branch": None, "worktree": None}, "-"),
        ({}, "-"),
        ({"project": "a\x1b[31m\u202eb\n", "branch": "x\ty"}, "a[31mb:x y"),
    ],
)
def test_a_project_is_shown_with_its_branch_and_a_worktree_that_the_branch_does_not_name(
    fields: dict[str, Any], cell: str
) -> None:
    assert project(fields) == cell


@pytest.mark.parametrize(
    ("fields", "cell"),
    [
        ({"state": "waiting_approval", "waiting_for": ASKED, "message": "m"}, "Bash: make all"),
        ({"state": "completed", "message": "All done.", "task": "do it"}, "All done."),
        ({"state": "idle", "message": None, "task": "do it"}, "do it"),
        ({"state": "idle", "message": None, "task": None, "agent_name": "Mend the shed"}, "Mend the shed"),
        ({"state": "idle", "message": None, "task": None, "title": "t"}, "t"),
        ({"state": "idle", "message": None, "task": None, "title": ""}, "-"),
        ({"state": "error", "reason_code": "limit", "detail": "429", "message": "m"}, "[429] m"),
        ({"state": "unknown", "reason_code": "no_rule", "detail": None, "message": "m"}, "[no_rule] m"),
    ],
)
def test_the_last_cell_says_first_what_a_person_wants_to_know(fields: dict[str, Any], cell: str) -> None:
    assert what(pane(**fields)) == cell


def test_a_message_from_before_the_turn_says_nothing_about_a_running_agent() -> None:
    at: dict[str, Any] = {"state": "running", "since": "2026-01-01T00:00:10.000Z", "message": "Hello.", "task": "do it"}
    assert what(pane(**at, message_at="2026-01-01T00:00:09.000Z")) == "do it"
    assert what(pane(**at, message_at="2026-01-01T00:00:11.000Z")) == "Hello."
    assert what(pane(**(at | {"task": None}), message_at="2026-01-01T00:00:09.000Z")) == "Hello."


def test_an_agent_without_progress_says_why() -> None:
    stuck = {"reason": "Bash failed 6 times in 16 min\x1b[31m", "since": "2026-01-01T00:00:00.000Z"}
    cell = what(pane(state="running", message="Hello.", stuck=stuck))
    assert cell.startswith("[stuck] Bash failed 6 times in 16 min")
    assert "\x1b" not in cell


def test_every_column_that_may_be_left_out_exists_and_the_first_ones_never_are() -> None:
    for scope, names in columns.NARROW.items():
        shown = [name for name, _ in columns.TABLES[scope]]
        assert set(names) <= set(shown), scope
        assert shown[0] not in names, scope
    assert {name for scope in columns.OPTIONAL for name in columns.OPTIONAL[scope]} <= {"NAME", "TARGET", "PROJECT"}
    assert not {"STATE", "PROJECT", "WHAT"} & set(columns.NARROW["panes"])


@pytest.mark.tc("TC-625")
def test_a_name_that_a_person_gave_is_shown_before_the_agents_own() -> None:
    given = {"agent_id": "1", "name": "builder", "team": None}
    assert columns.name({"agent": given, "agent_name": "Mend the shed"}) == "builder"
    assert columns.name({"agent": {**given, "team": "web"}}) == "web/builder"
    assert columns.name({"agent_name": "Mend the shed"}) == "Mend the shed"
    assert columns.name({"agent_name": None}) is None
