"""When a running agent counts as stuck, and why it is said."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.features.stuck.model import NS, Event, Stuck, failed, judge, moved, read_tools

pytestmark = pytest.mark.tc("TC-254")
MIN = 60 * NS


def start(minute: float, tool: str = "Bash", call: str = "c1", **more: Any) -> Event:
    return Event(int(minute * MIN), "PreToolUse", {"tool_name": tool, "tool_use_id": call, **more})


def end(minute: float, tool: str = "Bash", call: str = "c1", *, fails: bool = False, **more: Any) -> Event:
    payload = {"tool_name": tool, "tool_use_id": call, "tool_response": {"is_error": fails}, **more}
    return Event(int(minute * MIN), "PostToolUse", payload)


def verdict(now: float, *events: Event, screen: float = 0, background: bool = False, after: float = 15) -> Stuck | None:
    """Judge an agent that runs since minute 0."""
    return judge(
        now=int(now * MIN), after=int(after * MIN), running_since=0, seen_at=[int(screen * MIN)],
        tools=read_tools(events), background=background,
    )  # fmt: skip


def test_without_any_sign_of_progress_it_is_stuck_after_the_time() -> None:
    assert verdict(14.9) is None
    assert verdict(15) == Stuck(0, "its screen and its session file have not changed for 15 min")


@pytest.mark.parametrize(
    "last", [{"screen": 5}, {"events": [end(5)]}, {"events": [Event(5 * MIN, "UserPromptSubmit", {})]}],
    ids=["the screen moved", "a tool ended", "another event"],
)  # fmt: skip
def test_the_time_begins_at_the_last_progress(last: dict[str, Any]) -> None:
    events = last.get("events", [])
    assert verdict(19, *events, screen=last.get("screen", 0)) is None
    found = verdict(20, *events, screen=last.get("screen", 0))
    assert found is not None
    assert found.since == 5 * MIN


def test_a_tool_that_only_fails_is_no_progress_though_the_screen_moves() -> None:
    calls = [(start(2 * n + 1, call=f"c{n}"), end(2 * n + 2, call=f"c{n}", fails=True)) for n in range(6)]
    failures = [one for call in calls for one in call]
    assert verdict(16, *failures, screen=16) is None, "only 14 minutes since the first failure"
    found = verdict(18, *failures, screen=18)
    assert found == Stuck(2 * MIN, "Bash failed 6 times in 16 min, and nothing else happened")


def test_two_failures_and_a_success_in_between_are_no_alarm() -> None:
    assert verdict(30, end(2, fails=True), end(3, fails=True), screen=29) is None
    events = [end(n, fails=n != 5) for n in range(1, 9)]
    assert verdict(18, *events, screen=18) is None, "it succeeded at minute 5: three failures since, but for 12 minutes"
    assert verdict(30, end(1, fails=True), end(2, "Read", fails=True), end(3, fails=True), screen=30) is None


def test_an_open_tool_is_named() -> None:
    found = verdict(20, start(2))
    assert found is not None
    assert found.reason.startswith("Bash has run for 18 min, and its screen")


@pytest.mark.parametrize("tool", ["Task", "Agent", "spawn_agent"])
def test_a_sub_agent_at_work_keeps_it_silent_until_it_ends(tool: str) -> None:
    assert verdict(60, start(1, tool)) is None
    assert verdict(60, start(1, tool, "c9"), start(2, "Bash", "c2"), end(3, "Bash", "c2")) is None
    assert verdict(60, start(1, tool), end(2, tool)) is not None


def test_a_background_task_keeps_it_silent() -> None:
    assert verdict(60, background=True) is None


@pytest.mark.parametrize(
    "payload",
    [
        {"hook_event_name": "PostToolUseFailure", "error": "no"}, {"tool_response": {"success": False}},
        {"tool_response": '{"metadata": {"exit_code": 2}}'}, {"tool_result": {"resultType": "failure"}},
        {"tool_response": {"exitCode": 1}},
    ],
)  # fmt: skip
def test_failures_are_known_in_the_words_of_each_agent(payload: dict[str, Any]) -> None:
    assert failed(payload)


@pytest.mark.parametrize(
    "payload", [{}, {"tool_response": "error: none"}, {"tool_response": {"exit_code": 0}}, {"tool_response": [1]}]
)
def test_what_does_not_say_so_is_no_failure(payload: dict[str, Any]) -> None:
    assert not failed(payload)


def test_one_new_row_is_no_movement_and_two_are() -> None:
    assert not moved(frozenset({1, 2, 3}), frozenset({1, 2, 4}))
    assert moved(frozenset({1, 2, 3}), frozenset({1, 4, 5}))
    assert moved(frozenset({1}), frozenset())
