"""Read Claude Code's session files: a turn's start, its end, an interrupt, a failure.

Owns every fact about that file. Measured on 2.1.329 and 2.1.197. Kinds of lines that are not named here give no claim.
Escape and refusals have no hook, but they have a line here. A request looks the same as a tool that runs, so no line
claims that the agent waits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.contract import TranscriptEvent
from agtmuxd.adapters.shared import first_line, text_of
from agtmuxd.adapters.transcripts import moment, texts
from agtmuxd.core.model import Claim, Phase, RawEvent, Signal, Write

PROMPT: Final = "prompt"
TURN_OVER: Final = "turn_duration"
INTERRUPTED: Final = "interrupted"
FAILED: Final = "api_error"
OTHER_SESSION: Final = "other_session"
"""Not a line, but an event from the file's reader: the process began, or went on with, another session."""

_SESSION: Final = re.compile(r"[0-9A-Za-z-]{8,64}")
_INTERRUPT: Final = "[Request interrupted by user"
_NOTICE: Final = "<task-notification>"
_FOLDER: Final = 200
"""Characters after which the folder's name is a digest that only Claude Code can make."""


def path(status: Mapping[str, Any], config_home: Path) -> Path | None:
    """Return the session's file, by what the status file names."""
    session, cwd = text_of(status, "sessionId"), text_of(status, "cwd")
    if session is None or cwd is None or _SESSION.fullmatch(session) is None:
        return None
    folder = re.sub(r"[^A-Za-z0-9]", "-", cwd)
    return config_home / "projects" / folder / f"{session}.jsonl" if len(folder) <= _FOLDER else None


def read(line: Mapping[str, Any]) -> TranscriptEvent | None:
    """Return what one line reports about the main turn. None for side chains and for lines that are not understood."""
    at = moment(line)
    if at is None or line.get("isSidechain") is True or line.get("isMeta") is True or line.get("agentId"):
        return None
    event = _event_of(line, at, text_of(line, "uuid"))
    if event is None or event.event is None:
        return event
    return replace(event, payload={**event.payload, "session_id": text_of(line, "sessionId")})


def _event_of(line: Mapping[str, Any], at: int, event_id: str | None) -> TranscriptEvent | None:
    kind = line.get("type")
    if kind == "user":
        return _of_user(line, at, event_id)
    if kind == "assistant":
        return _of_assistant(line, at, event_id)
    if kind == "system" and line.get("subtype") == "turn_duration":
        pending = line.get("pendingBackgroundAgentCount")
        alive = pending if isinstance(pending, int) and pending > 0 else 0
        # Up to 2.1.325 this line comes after a refusal too, directly after the line that reports it.
        return TranscriptEvent(at, TURN_OVER, {"pending_agents": alive}, event_id, follows=text_of(line, "parentUuid"))
    return None


def _of_user(line: Mapping[str, Any], at: int, event_id: str | None) -> TranscriptEvent | None:
    content = _content(line)
    if isinstance(content, str):
        if line.get("isCompactSummary") is True or (content.startswith("<") and not content.startswith(_NOTICE)):
            return None  # a summary, or a command of the program itself and its output
        if content.startswith(_INTERRUPT):
            return TranscriptEvent(at, INTERRUPTED, {}, event_id, closes=True)
        # A background task that ends begins a turn by itself. A sub-agent's request may be open all the while.
        payload = {"notice": True} if content.startswith(_NOTICE) else {"prompt": first_line(content)}
        return TranscriptEvent(at, PROMPT, payload, event_id, begins=True)
    text = texts(content, "text")
    if text is None or _has(content, "tool_result"):
        return None
    if text.startswith(_INTERRUPT):
        return TranscriptEvent(at, INTERRUPTED, {}, event_id, closes=True)
    origin = line.get("origin")
    if isinstance(origin, Mapping) and origin.get("kind") == "human":  # a prompt with pictures
        return TranscriptEvent(at, PROMPT, {"prompt": first_line(text)}, event_id, begins=True)
    return None


def _of_assistant(line: Mapping[str, Any], at: int, event_id: str | None) -> TranscriptEvent | None:
    if line.get("isApiErrorMessage") is True:
        return TranscriptEvent(at, FAILED, {"error": text_of(line, "error")}, event_id)
    text = texts(_content(line), "text")
    if text is None:
        return None
    message = line["message"]
    return TranscriptEvent(at, message=text, part_of=text_of(message, "id") or text_of(line, "requestId"))


def _content(line: Mapping[str, Any]) -> Any:
    message = line.get("message")
    return message.get("content") if isinstance(message, Mapping) else None


def _has(content: Any, kind: str) -> bool:
    return any(isinstance(block, Mapping) and block.get("type") == kind for block in content)


def understand(event: RawEvent, payload: Mapping[str, Any]) -> Signal:
    """Turn an event from ``read`` into a signal. Any other event is kept in history and changes nothing."""
    name, rule = event.event_type, f"transcript {event.event_type}"
    writes: tuple[Write, ...] = ()
    kind = name
    if name == PROMPT:
        phase = Phase.DURING if payload.get("notice") else Phase.START
        kind, writes = "turn_start", (Write(Claim.RUNNING, rule, phase=phase),)
    elif name == TURN_OVER and payload.get("pending_agents"):
        # Sub-agents go on with the request.
        writes = (Write(Claim.RUNNING, f"{rule}, agents at work", phase=Phase.DURING),)
    elif name == TURN_OVER:
        kind, writes = "turn_end", (Write(Claim.COMPLETED, rule, phase=Phase.END),)
    elif name in (INTERRUPTED, OTHER_SESSION):
        writes = (Write(Claim.IDLE, rule, phase=Phase.END),)
    elif name == FAILED:
        error = text_of(payload, "error")
        kind, writes = "turn_failed", (Write(Claim.ERROR, rule, phase=Phase.END, detail=error),)
    return Signal(
        kind, writes, session_id=text_of(payload, "session_id"), task=first_line(payload.get("prompt")),
        transcript_path=text_of(payload, "transcript_path"),
    )  # fmt: skip
