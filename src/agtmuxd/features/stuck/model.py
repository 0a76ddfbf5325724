"""Decide whether a running agent is stuck. Pure. Times are in ns.

Progress is an event of the agent (but not one more failure of the same tool), a new line in its session file, or
movement on its screen. An agent whose sub-agents or background tasks work is never stuck.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

NS: Final = 1_000_000_000
FEWEST_FAILURES: Final = 3
"""A tool that failed less often in a row may still succeed."""
MOVED_ROWS: Final = 2
"""Rows with new words that count as movement. One row is not enough: a spinner changes its words."""
SUBAGENTS: Final = frozenset(
    {"task", "agent", "spawn_agent", "delegate_to_agent", "codebase_investigator", "subagent", "runsubagent"}
)
"""Tools that let another agent work, in lower case: Claude Code's Task and Agent, Codex's, Gemini's, OpenCode's."""

TOOL_STARTS: Final = frozenset({"PreToolUse", "preToolUse", "BeforeTool"})
TOOL_ENDS: Final = frozenset({"PostToolUse", "PostToolUseFailure", "postToolUse", "postToolUseFailure", "AfterTool"})
"""The agents' own names of these events: Claude Code, Codex and Qwen; Copilot and Cursor; Gemini."""


class Event(NamedTuple):
    """One event of a runtime, from history. ``event_type`` is the agent's own name."""

    at: int
    event_type: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tools:
    """What the events say of tools, since the turn began.

    ``progress_at``: the last event that is progress. ``failing``: the tool that only failed since then, how often, and
    since when. ``open_tool``: a tool that has started and not ended, and when it started.
    """

    progress_at: int = 0
    failing: tuple[str, int, int] | None = None
    open_tool: tuple[str, int] | None = None

    @property
    def delegates(self) -> bool:
        """Whether a sub-agent is at work."""
        return self.open_tool is not None and self.open_tool[0].lower() in SUBAGENTS


@dataclass(frozen=True, slots=True)
class Stuck:
    """Since when there is no progress, and why that is said."""

    since: int
    reason: str


def read_tools(events: Iterable[Event]) -> Tools:
    """Read the events of one runtime since its turn began, oldest first."""
    progress = 0
    open_tools: dict[str, tuple[str, int]] = {}
    failing: tuple[str, int, int] | None = None
    for event in events:
        tool = _tool(event)
        if tool is None:
            progress, failing = event.at, None
        elif event.event_type in TOOL_STARTS:
            open_tools[_call(event, tool)] = (tool, event.at)
            if failing is None or failing[0] != tool:
                progress, failing = event.at, None
        else:
            open_tools.pop(_call(event, tool), None)
            if not failed(event.payload):
                progress, failing = event.at, None
            elif failing is not None and failing[0] == tool:
                failing = (tool, failing[1] + 1, failing[2])
            else:
                progress, failing = event.at, (tool, 1, event.at)
    newest = max(open_tools.values(), key=lambda one: one[1], default=None)
    delegated = next((one for one in open_tools.values() if one[0].lower() in SUBAGENTS), None)
    return Tools(progress, failing, delegated or newest)


def failed(payload: dict[str, Any]) -> bool:
    """Whether the end of a tool call says that the call failed, in the words of any agent."""
    if str(payload.get("hook_event_name", "")).lower().endswith("failure") or payload.get("error"):
        return True
    answer = payload.get("tool_response", payload.get("tool_result", payload.get("result")))
    if isinstance(answer, str):
        try:
            answer = json.loads(answer)
        except ValueError:
            return False
    if not isinstance(answer, dict):
        return False
    code = answer.get("exit_code", answer.get("exitCode", (answer.get("metadata") or {}).get("exit_code")))
    kind = answer.get("resultType", answer.get("result_type"))
    return bool(
        answer.get("is_error") or answer.get("isError") or answer.get("error") or answer.get("success") is False
        or (isinstance(code, int) and code != 0) or kind in ("failure", "error")
    )  # fmt: skip


def moved(before: frozenset[int], after: frozenset[int]) -> bool:
    """Whether a screen shows new rows. Each set has a number for the words of each row."""
    return len(after - before) >= MOVED_ROWS or (not after and bool(before))


def judge(
    *, now: int, after: int, running_since: int, seen_at: Sequence[int], tools: Tools, background: bool
) -> Stuck | None:
    """Say whether an agent is stuck. ``after``: ns without progress that are too many.

    ``running_since``: since when its state is running. ``seen_at``: when its screen and its session file last moved.
    """
    if background or tools.delegates:
        return None
    if tools.failing is not None:
        tool, count, since = tools.failing
        if count >= FEWEST_FAILURES and now - since >= after:
            return Stuck(since, f"{tool} failed {count} times in {_minutes(now - since)}, and nothing else happened")
    last = max(running_since, tools.progress_at, *seen_at)
    if now - last < after:
        return None
    still = f"its screen and its session file have not changed for {_minutes(now - last)}"
    if tools.open_tool is not None:
        return Stuck(last, f"{tools.open_tool[0]} has run for {_minutes(now - tools.open_tool[1])}, and {still}")
    return Stuck(last, still)


def _tool(event: Event) -> str | None:
    """Return the name of the tool that an event is about, None for other events."""
    if event.event_type not in (*TOOL_STARTS, *TOOL_ENDS):
        return None
    name = event.payload.get("tool_name", event.payload.get("toolName", event.payload.get("tool")))
    return name[:60] if isinstance(name, str) and name else "a tool"


def _call(event: Event, tool: str) -> str:
    for name in ("tool_use_id", "toolCallId", "call_id", "callID"):
        if isinstance(event.payload.get(name), str):
            return str(event.payload[name])
    return tool


def _minutes(ns: int) -> str:
    minutes = ns // (60 * NS)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
