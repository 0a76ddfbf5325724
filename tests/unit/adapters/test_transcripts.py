"""What single lines of session files tell, and that everything unknown tells nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agtmuxd.adapters.claude.adapter import ClaudeAdapter
from agtmuxd.adapters.codex.adapter import CodexAdapter
from agtmuxd.adapters.contract import TranscriptAdapter
from agtmuxd.adapters.gemini.adapter import GeminiAdapter
from agtmuxd.core.model import Claim, Phase, RawEvent, Signal, Source
from tests.corpus import events, recording

AT = "2026-01-01T00:00:01.250Z"
NS_AT = 1_767_225_601_250_000_000
ADAPTERS: dict[str, Any] = {"claude": ClaudeAdapter(), "codex": CodexAdapter(), "gemini": GeminiAdapter()}


def signal(agent: str, line: dict[str, Any]) -> Signal | None:
    """What the door makes of a line, None where it tells no event."""
    result = ADAPTERS[agent].read_line(line)
    if result is None or result.event is None:
        return None
    raw = RawEvent("e", result.event, Source.TRANSCRIPT, agent, result.at, result.at, "k", payload=dict(result.payload))
    found: Signal = ADAPTERS[agent].normalise(raw, {})
    return found


def claim(agent: str, line: dict[str, Any]) -> tuple[Claim | None, Phase] | None:
    found = signal(agent, line)
    return None if found is None or not found.writes else (found.writes[0].claim, found.writes[0].phase)


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "user", "timestamp": AT, "uuid": "u", "message": {"role": "user", "content": content}, **more}


def text(value: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": value}]


def codex(kind: str, **payload: Any) -> dict[str, Any]:
    return {"type": "event_msg", "timestamp": AT, "payload": {"type": kind, "turn_id": "t", **payload}}


def gemini(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"id": "g", "type": kind, "timestamp": AT, "content": content, **more}


START, DONE, IDLE = (Claim.RUNNING, Phase.START), (Claim.COMPLETED, Phase.END), (Claim.IDLE, Phase.END)
FAILED, GOES_ON = (Claim.ERROR, Phase.END), (Claim.RUNNING, Phase.DURING)
OVER = {"type": "system", "subtype": "turn_duration", "timestamp": AT}
BROKEN = {"type": "assistant", "timestamp": AT, "isApiErrorMessage": True, "error": "server_error",
          "message": {"content": text("API Error")}}  # fmt: skip
QUEUED = user([*text("look"), {"type": "image"}], origin={"kind": "human"})


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize(
    ("agent", "line", "expected"),
    [
        ("claude", user("do it"), START),
        ("claude", QUEUED, START),
        ("claude", user("<task-notification>\n<task-id>1"), GOES_ON),  # answers nothing that a sub-agent asked
        ("claude", OVER, DONE),
        ("claude", {**OVER, "pendingBackgroundAgentCount": 1}, GOES_ON),
        ("claude", {**OVER, "pendingBackgroundAgentCount": "many"}, DONE),
        ("claude", user(text("[Request interrupted by user]")), IDLE),
        ("claude", user(text("[Request interrupted by user for tool use]")), IDLE),
        ("claude", BROKEN, FAILED),
        ("claude", {**BROKEN, "isApiErrorMessage": False}, None),
        ("claude", user("do it", isSidechain=True), None),
        ("claude", user("do it", isMeta=True), None),
        ("claude", user("so far", isCompactSummary=True), None),
        ("claude", user("<command-name>/model</command-name>"), None),
        ("claude", user(text("[Request interrupted by user]"), isSidechain=True), None),
        ("claude", user([{"type": "tool_result", "content": "[Request interrupted by user]"}]), None),
        ("claude", {**OVER, "timestamp": "yesterday"}, None),
        ("claude", {"type": "assistant", "timestamp": AT, "message": {"content": [{"type": "tool_use"}]}}, None),
        ("codex", codex("task_started"), START),
        ("codex", codex("task_complete"), DONE),
        ("codex", codex("task_complete", error={"message": "no quota"}), FAILED),
        ("codex", codex("turn_aborted", reason="interrupted"), IDLE),
        ("codex", codex("token_count"), None),
        ("codex", {"type": "task_started", "timestamp": AT}, None),
        ("codex", {**codex("task_started"), "timestamp": None}, None),
        ("gemini", gemini("info", "Request cancelled."), IDLE),
        ("gemini", gemini("error", '[API Error: {"error":{"code":400}}]'), FAILED),
        ("gemini", gemini("error", "Model stream ended without a finish reason."), FAILED),
        ("gemini", gemini("error", "Unknown command: /frob"), None),
        ("gemini", gemini("info", "This request failed. Press F12"), None),
        ("gemini", gemini("gemini", "Request cancelled."), None),
        ("gemini", gemini("user", [{"text": "Request cancelled."}]), None),
        ("gemini", gemini("gemini", "", toolCalls=[{"name": "run_shell_command", "status": "cancelled"}]), None),
        ("gemini", {"sessionId": "s", "kind": "main", "startTime": AT}, None),
        ("gemini", {"$set": {"messages": [gemini("info", "Request cancelled.")]}}, None),
    ],
)
def test_a_line_claims_what_it_proves_and_no_more(
    agent: str, line: dict[str, Any], expected: tuple[Claim, Phase] | None
) -> None:
    assert claim(agent, line) == expected


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize("agent", ADAPTERS)
@pytest.mark.parametrize(
    "line",
    [
        {}, {"type": None}, {"type": "user"}, {"type": ["user"], "timestamp": AT}, {"timestamp": 5, "type": "user"},
        {"type": "user", "timestamp": AT, "message": "text"}, user(None), user(7), user([None, 3, {"type": "text"}]),
        {"type": "event_msg", "timestamp": AT, "payload": []}, codex("item_completed", item=[]),
        codex("item_completed", item={"type": "UserMessage", "content": [None]}), {"type": "from-next-year"},
        {"type": "response_item", "timestamp": AT, "payload": {"type": "message", "role": "assistant", "content": 3}},
        {"type": "session_meta", "timestamp": AT, "payload": {"id": 3}}, {"type": "system", "timestamp": AT},
    ],
)  # fmt: skip
def test_what_is_not_understood_says_nothing(agent: str, line: dict[str, Any]) -> None:
    assert ADAPTERS[agent].read_line(line) is None
    assert ADAPTERS[agent].read_opening(line) is None


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize("agent", ADAPTERS)
def test_an_event_that_no_line_tells_changes_nothing(agent: str) -> None:
    raw = RawEvent("e", "made_up", Source.TRANSCRIPT, agent, 1, 1, "k", payload={"x": 1})
    assert ADAPTERS[agent].normalise(raw, {}).writes == ()


@pytest.mark.tc("TC-016")
def test_a_line_counts_at_its_own_time() -> None:
    assert ADAPTERS["claude"].read_line(OVER).at == NS_AT
    assert ADAPTERS["codex"].read_line(codex("task_started")).at == NS_AT


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


@pytest.mark.tc("TC-033")
def test_the_kind_of_line_counts_with_its_words() -> None:
    assert signal("gemini", gemini("info", "[API Error: x]")) is None
    assert signal("gemini", gemini("error", "Request cancelled.")) is None
    failed = signal("gemini", gemini("error", "[API Error: overloaded]"))
    assert failed is not None
    assert (failed.event_type, failed.writes[0].detail) == ("turn_failed", "[API Error: overloaded]")
    cancelled = signal("gemini", gemini("info", "Request cancelled."))
    assert cancelled is not None and cancelled.event_type == "cancelled"


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


@pytest.mark.tc("TC-015")
def test_what_was_asked_is_told_by_its_first_line_alone() -> None:
    asked = "fix the shed\nit leaks, password=hunter2"
    item = {"type": "UserMessage", "id": "i", "content": [{"type": "text", "text": asked}]}
    for agent, line in (("claude", user(asked)), ("codex", codex("item_completed", item=item))):
        result = ADAPTERS[agent].read_line(line)
        assert "leaks" not in json.dumps(dict(result.payload))
        found = signal(agent, line)
        assert found is not None and found.task == "fix the shed"


@pytest.mark.tc("TC-016")
def test_no_words_of_the_agent_are_in_what_is_stored() -> None:
    result = "the secret plan"
    lines: dict[str, list[dict[str, Any]]] = {
        "claude": [{"type": "assistant", "timestamp": AT, "message": {"content": text(result)}}, BROKEN],
        "codex": [
            codex("task_complete", last_agent_message=result),
            {"type": "response_item", "timestamp": AT,
             "payload": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": result}]}},
        ],
        "gemini": [gemini("gemini", result)],
    }  # fmt: skip
    for agent, some in lines.items():
        for line in some:
            assert result not in json.dumps(dict(ADAPTERS[agent].read_line(line).payload))


@pytest.mark.tc("TC-015")
def test_the_last_message_is_that_of_the_last_line_and_its_pieces() -> None:
    def answer(value: str, message: str) -> dict[str, Any]:
        return {"type": "assistant", "timestamp": AT, "message": {"id": message, "content": text(value)}}

    adapter = ADAPTERS["claude"]
    assert (
        adapter.last_message([answer("one", "m1"), answer("two", "m2"), answer("three", "m2"), OVER]) == "two\n\nthree"
    )
    assert adapter.last_message([OVER]) is None
    assert ADAPTERS["codex"].last_message([codex("task_complete", last_agent_message="done")]) == "done"
    assert ADAPTERS["gemini"].last_message([gemini("gemini", "one"), gemini("gemini", "two")]) == "two"


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
def test_lines_recorded_of_real_agents_are_understood_or_left_alone() -> None:
    listed: dict[str, set[str]] = {agent: set() for agent in ADAPTERS}
    for agent, adapter in ADAPTERS.items():
        assert isinstance(adapter, TranscriptAdapter)
        for name in recording.names(agent):
            for line in recording.load(name).lines:
                if line["kind"] == "transcript":
                    found = adapter.read_line(events.fill(line["line"]))
                    listed[agent] |= {found.event} if found is not None and found.event else set()
    assert listed["claude"] == {"prompt", "turn_duration", "interrupted", "api_error"}
    assert listed["codex"] >= {"task_started", "task_complete", "turn_aborted"}
    assert listed["gemini"] == {"cancelled", "failed"}
