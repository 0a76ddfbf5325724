"""Gemini CLI's chat files: the opening, prompts without words, and history written again."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.core.model import Claim, Phase
from tests.unit.adapters.transcript_lines import (
    ADAPTERS,
    AT,
    FAILED,
    IDLE,
    NS_AT,
    claim,
    gemini,
    signal,
)


@pytest.mark.tc("TC-033")
def test_only_the_first_line_of_a_main_session_is_geminis_opening() -> None:
    whole = {"sessionId": "s-1", "projectHash": "ab" * 32, "startTime": AT, "kind": "main"}
    opening = ADAPTERS["gemini"].read_opening
    assert (found := opening(whole)) is not None
    assert (found.session_id, found.cwd, found.at) == ("s-1", "sha256:" + "ab" * 32, NS_AT)
    assert opening({k: v for k, v in whole.items() if k != "kind"}) == found, "as earlier versions wrote it"
    assert opening({**whole, "kind": "subagent"}) is None
    for key in ("sessionId", "projectHash", "startTime"):
        assert opening({k: v for k, v in whole.items() if k != key}) is None, key


@pytest.mark.tc("TC-033")
@pytest.mark.parametrize("content", [[], {}, None, "", " ", [{"text": ""}], [3], [{"functionResponse": {}}]])
def test_what_gemini_writes_of_its_user_without_words_begins_no_turn(content: Any) -> None:
    assert ADAPTERS["gemini"].read_line(gemini("user", content)) is None
    assert ADAPTERS["gemini"].read_line(gemini("user", "and the door")).begins


@pytest.mark.tc("TC-016")
def test_a_history_that_gemini_writes_again_claims_nothing() -> None:
    again = [
        gemini("user", [{"text": "<session_context>\nThis is the Gemini CLI."}, {"text": "paint the shed"}]),
        gemini("gemini", [{"text": "painted"}], tokens=None), gemini("user", [{"text": "and the door"}]),
    ]  # fmt: skip
    assert [signal("gemini", line) for line in again] == [None, None, None]
    assert ADAPTERS["gemini"].last_message(again) is None
    prompt = ADAPTERS["gemini"].read_line(again[2])
    assert prompt is not None and prompt.begins  # where the file is met, what lies before it is past


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (gemini("info", "Request cancelled."), IDLE),
        (gemini("error", '[API Error: {"error":{"code":400}}]'), FAILED),
        (gemini("error", "Model stream ended without a finish reason."), FAILED),
        (gemini("error", "Unknown command: /frob"), None),
        (gemini("info", "This request failed. Press F12"), None),
        (gemini("gemini", "Request cancelled."), None),
        (gemini("user", [{"text": "Request cancelled."}]), None),
        (gemini("gemini", "", toolCalls=[{"name": "run_shell_command", "status": "cancelled"}]), None),
        ({"sessionId": "s", "kind": "main", "startTime": AT}, None),
        ({"$set": {"messages": [gemini("info", "Request cancelled.")]}}, None),
    ],
)
def test_a_line_claims_what_it_proves_and_no_more(line: dict[str, Any], expected: tuple[Claim, Phase] | None) -> None:
    assert claim("gemini", line) == expected
