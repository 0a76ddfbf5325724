"""Codex's rollout files: only the thread of a terminal has an opening."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.core.model import Claim, Phase
from tests.unit.adapters.transcript_lines import (
    ADAPTERS,
    AT,
    DONE,
    FAILED,
    IDLE,
    NS_AT,
    START,
    claim,
    codex,
)

OPENING: dict[str, Any] = {"type": "session_meta", "timestamp": AT,
           "payload": {"id": "s-1", "cwd": "/w", "originator": "codex-tui", "source": "vscode"}}  # fmt: skip


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize(
    "other",
    [
        {"source": {"subagent": "review"}}, {"source": "exec"}, {"originator": "codex_vscode"}, {"cwd": ""},
        {"thread_source": "subagent"},
    ],
)  # fmt: skip
def test_only_a_terminals_own_thread_has_an_opening(other: dict[str, Any]) -> None:
    adapter = ADAPTERS["codex"]
    found = adapter.read_opening(OPENING)
    assert found is not None and (found.session_id, found.cwd, found.at) == ("s-1", "/w", NS_AT)
    assert adapter.read_opening({**OPENING, "payload": {**OPENING["payload"], **other}}) is None


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (codex("task_started"), START),
        (codex("task_complete"), DONE),
        (codex("task_complete", error={"message": "no quota"}), FAILED),
        (codex("turn_aborted", reason="interrupted"), IDLE),
        (codex("token_count"), None),
        ({"type": "task_started", "timestamp": AT}, None),
        ({**codex("task_started"), "timestamp": None}, None),
    ],
)
def test_a_line_claims_what_it_proves_and_no_more(line: dict[str, Any], expected: tuple[Claim, Phase] | None) -> None:
    assert claim("codex", line) == expected
