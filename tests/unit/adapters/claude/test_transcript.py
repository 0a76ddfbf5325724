"""Claude Code's session files: a line claims what it proves and no more."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.core.model import Claim, Phase
from tests.unit.adapters.transcript_lines import (
    AT,
    BROKEN,
    DONE,
    FAILED,
    GOES_ON,
    IDLE,
    OVER,
    QUEUED,
    START,
    claim,
    text,
    user,
)


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (user("do it"), START),
        (QUEUED, START),
        (user("<task-notification>\n<task-id>1"), GOES_ON),  # answers nothing that a sub-agent asked
        (OVER, DONE),
        ({**OVER, "pendingBackgroundAgentCount": 1}, GOES_ON),
        ({**OVER, "pendingBackgroundAgentCount": "many"}, DONE),
        (user(text("[Request interrupted by user]")), IDLE),
        (user(text("[Request interrupted by user for tool use]")), IDLE),
        (BROKEN, FAILED),
        ({**BROKEN, "isApiErrorMessage": False}, None),
        (user("do it", isSidechain=True), None),
        (user("do it", isMeta=True), None),
        (user("so far", isCompactSummary=True), None),
        (user("<command-name>/model</command-name>"), None),
        (user(text("[Request interrupted by user]"), isSidechain=True), None),
        (user([{"type": "tool_result", "content": "[Request interrupted by user]"}]), None),
        ({**OVER, "timestamp": "yesterday"}, None),
        ({"type": "assistant", "timestamp": AT, "message": {"content": [{"type": "tool_use"}]}}, None),
    ],
)
def test_a_line_claims_what_it_proves_and_no_more(line: dict[str, Any], expected: tuple[Claim, Phase] | None) -> None:
    assert claim("claude", line) == expected
