"""The lines of Gemini CLI's chat file: cancelled requests, failures, words.

Owns every fact about that file. Measured on 0.61.0; kinds of lines not named here say nothing. What its hooks cannot
tell stands here: AfterAgent comes alike after an answer, Escape and a failure, and a refused request has no hook. A
finished answer cannot be told from one that will call a tool, so no line claims an end that went well. No open file
leads from the process to it: hooks name it, and its first line has the hash of the folder that the session works in.
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
"""How errors begin that end a turn; a command that is unknown writes one too, and ends none."""
_CONTEXT: Final = "<session_context>"


def opening(line: Mapping[str, Any]) -> SessionHeader | None:
    """The first line of a main session's file; its time is that of the session's start, before any prompt."""
    session, folder, at = text_of(line, "sessionId"), text_of(line, "projectHash"), moment(line, "startTime")
    if session is None or folder is None or at is None or line.get("kind") not in (None, "main"):
        return None
    return SessionHeader(session, f"{HASHED}:{folder}", at)


def read(line: Mapping[str, Any]) -> TranscriptEvent | None:
    """What one line tells. After a refusal the whole history is written again, as lines of that moment: its prompts
    look like new ones, so that a prompt claims nothing, and its answers have blocks in the place of a plain text."""
    at, kind, content = moment(line), line.get("type"), line.get("content")
    if at is None:
        return None
    event_id = text_of(line, "id")
    if kind == "user":
        asked = _asked(content)
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


def _asked(content: Any) -> str | None:
    """The first words of a prompt; at the start of a session those that the program tells its model itself."""
    first = content[0] if isinstance(content, list) and content else None
    text = first.get("text") if isinstance(first, Mapping) else content
    return text.lstrip() if isinstance(text, str) and text.strip() else None


def understand(event: RawEvent, payload: Mapping[str, Any]) -> Signal:
    """One event that ``read`` told, as a signal; one it never tells is kept in history and changes nothing."""
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
