"""What single lines of session files tell, and that everything unknown tells nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agtmuxd.adapters.contract import TranscriptAdapter
from agtmuxd.core.model import RawEvent, Source
from tests.corpus import events, recording
from tests.unit.adapters.transcript_lines import (
    ADAPTERS,
    AT,
    BROKEN,
    NS_AT,
    OVER,
    codex,
    gemini,
    signal,
    text,
    user,
)


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
def test_the_kind_of_line_counts_with_its_words() -> None:
    assert signal("gemini", gemini("info", "[API Error: x]")) is None
    assert signal("gemini", gemini("error", "Request cancelled.")) is None
    failed = signal("gemini", gemini("error", "[API Error: overloaded]"))
    assert failed is not None
    assert (failed.event_type, failed.writes[0].detail) == ("turn_failed", "[API Error: overloaded]")
    cancelled = signal("gemini", gemini("info", "Request cancelled."))
    assert cancelled is not None and cancelled.event_type == "cancelled"


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
