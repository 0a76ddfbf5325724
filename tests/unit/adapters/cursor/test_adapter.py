"""Screens of Cursor's CLI, as its documentation shows them."""

from __future__ import annotations

import pytest

from agtmuxd.core.model import Claim
from tests.unit.adapters.test_screens_by_structure import look

CURSOR_FIELD = (" ┌────────────────────────────┐", " │ → Add a follow-up          │", " └────────────────────────────┘",
                "   Auto · 12%", "   ctrl+c to stop")  # fmt: skip


@pytest.mark.tc("TC-182")
@pytest.mark.parametrize(
    "box",
    [
        (" Delete this file?", " notes.txt", "  → Delete (y)", "    Keep (n)"),
        (" Run this command?", " $ make", "  → Run (y) (enter)", "    Reject (esc or p)"),
        (" Write to this file?", "    Proceed (y)", "  → Reject & propose changes (esc or p)"),
        (" Call the tool of a server?", "  → Allow once (y)", "    Always allow (a)", "    Skip (esc or n)"),
    ],
)
def test_cursor_a_request_over_its_field_is_an_approval(box: tuple[str, ...]) -> None:
    write = look("cursor", " go", "", *box, "", *CURSOR_FIELD, cursor=(5, 9))
    assert write is not None
    assert (write.claim, write.accepts_input) == (Claim.WAITING_APPROVAL, False)
    assert write.waiting_for is not None
    assert len(write.waiting_for.options) >= 2


@pytest.mark.tc("TC-180")
@pytest.mark.parametrize("row", ["⠘⠣ Reading  6.66k tokens", "  ⬡ Grepping..", " ⬢ Reading…", " ⠋ Thinking 4s"])
def test_cursor_works_by_its_spinner_alone(row: str) -> None:
    write = look("cursor", " go", "", row, "", *CURSOR_FIELD[:-1], cursor=(5, 4))
    assert write is not None
    assert write.claim is Claim.RUNNING
    quiet = look("cursor", " go", "", "  Done. Use (y) to go on.", "", *CURSOR_FIELD[:-1], cursor=(5, 4))
    assert quiet is not None
    assert quiet.claim is Claim.NOT_RUNNING
