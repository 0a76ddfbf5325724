"""Read Gemini CLI's chat file: cancelled requests, failures, messages.

Owns every fact about that file. Measured on 0.61.0. Kinds of lines that are not named here give no claim.

The file shows what hooks cannot: AfterAgent is the same after an answer, after Escape and after a failure, and a
refused request has no hook. A finished answer looks the same as one that will call a tool, so no line claims that a
turn ended well. No open file leads from the process to it: hooks name it, and its first line has the hash of the
session's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agtmuxd.adapters.contract import HASHED, SessionHeader, TranscriptEvent
from agtmuxd.adapters.shared import shorten, text_of
from agtmuxd.adapters.transcripts import MESSAGE_CHARS, moment
from agtmuxd.core.model import Claim, Phase, RawEvent, Signal, Write

CANCELLED: Final = "cancelled"
FAILED: Final = "failed"
OTHER_SESSION: Final = "other_session"

_CANCELLED: Final = "Request cancelled."
_FAILURES: Final = ("[API Error", "Model stream ended")
"""Prefixes of errors that end a turn. An unknown command writes an error too, but ends no turn."""
_CONTEXT: Final = "<session_context>"


def opening(line: Mapping[str, Any]) -> SessionHeader | None:
    """Read the first line of a main session's file. Its time is the session's start, before any prompt."""
    session, folder, at = text_of(line, "sessionId"), text_of(line, "projectHash"), moment(line, "startTime")
    if session is None or folder is None or at is None or line.get("kind") not in (None, "main"):
        return None
    return SessionHeader(session, f"{HASHED}:{folder}", at)


def read(line: Mapping[str, Any]) -> TranscriptEvent | None:
    """Return what one line reports, or None.

    After a refusal Gemini writes the whole history again, as lines of that moment. Old prompts then look like new ones,
    so a prompt claims nothing. The old answers have blocks in place of a plain text.
    """
    at, kind, content = moment(line), line.get("type"), line.get("content")
    if at is None:
        return None
    event_id = text_of(line, "id")
    if kind == "user":
        asked = _prompt_of(content)
        return None if asked is None or asked.startswith(_CONTEXT) else TranscriptEvent(at, begins=True)
    if not isinstance(content, str):
        return None
    if kind == "info" and content == _CANCELLED:
        return TranscriptEvent(at, CANCELLED, {}, event_id)
    if kind == "error" and content.startswith(_FAILURES):
        return TranscriptEvent(at, FAILED, {"error": (shorten(content) or "error")[:200]}, event_id)
    if kind == "gemini" and content.strip():
        return TranscriptEvent(at, message=content[:MESSAGE_CHARS])
    return None


def _prompt_of(content: Any) -> str | None:
    """Return the first words of a prompt. At the start of a session it is the text that the program itself sends its
    model.
    """
    first = content[0] if isinstance(content, list) and content else None
    text = first.get("text") if isinstance(first, Mapping) else content
    return text.lstrip() if isinstance(text, str) and text.strip() else None


def understand(event: RawEvent, payload: Mapping[str, Any]) -> Signal:
    """Turn an event from ``read`` into a signal. Any other event is kept in history and changes nothing."""
    name, rule = event.event_type, f"chat {event.event_type}"
    answered = Write(None, rule, subject="approval:main")
    writes: tuple[Write, ...] = ()
    if name in (CANCELLED, OTHER_SESSION):
        writes = (Write(Claim.IDLE, rule, phase=Phase.END), answered)
    elif name == FAILED:
        writes = (Write(Claim.ERROR, rule, phase=Phase.END, detail=text_of(payload, "error")), answered)
    kind = "turn_failed" if name == FAILED else name
    path = text_of(payload, "transcript_path")
    return Signal(kind, writes, session_id=text_of(payload, "session_id"), transcript_path=path)
