"""Lines of session files as the agents write them, and what their adapters make of them."""

from __future__ import annotations

from typing import Any

from agtmuxd.adapters.claude.adapter import ClaudeAdapter
from agtmuxd.adapters.codex.adapter import CodexAdapter
from agtmuxd.adapters.gemini.adapter import GeminiAdapter
from agtmuxd.core.model import Claim, Phase, RawEvent, Signal, Source

AT = "2026-01-01T00:00:01.250Z"


NS_AT = 1_767_225_601_250_000_000


ADAPTERS: dict[str, Any] = {"claude": ClaudeAdapter(), "codex": CodexAdapter(), "gemini": GeminiAdapter()}


def signal(agent: str, line: dict[str, Any]) -> Signal | None:
    """Return the signal of a line, None if it is no event."""
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
