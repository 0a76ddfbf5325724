"""Read Codex's rollout files: a turn's start, its end, an interrupt, a failure.

Owns every fact about that file. Measured on 0.169.0. Kinds of lines that are not named here give no claim. Requests are
not in the file.

Usually the shared app server writes the file, so no open file leads from the terminal's process to it. Its first line
names the folder and the time. The file is of this process if no other Codex on the machine could have begun it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agtmuxd.adapters.contract import SessionHeader, TranscriptEvent
from agtmuxd.adapters.shared import first_line, shorten, text_of
from agtmuxd.adapters.transcripts import moment, texts
from agtmuxd.core.model import Claim, Phase, RawEvent, Signal, Write

STARTED: Final = "task_started"
COMPLETE: Final = "task_complete"
ABORTED: Final = "turn_aborted"
ASKED: Final = "asked"
OTHER_SESSION: Final = "other_session"

_TERMINALS: Final = ("codex-tui", "codex_cli_rs")
_SOURCES: Final = ("vscode", "cli")
"""The source of a terminal's thread: "vscode" with the app server, "cli" without it. A sub-agent's source is not a
string.
"""


def opening(line: Mapping[str, Any]) -> SessionHeader | None:
    """Read the first line of a thread that a terminal began."""
    payload = line.get("payload")
    if line.get("type") != "session_meta" or not isinstance(payload, Mapping):
        return None
    at = moment(line)  # the time of the first prompt; the payload's own time is that of the terminal's start
    session, cwd = text_of(payload, "id"), text_of(payload, "cwd")
    if payload.get("source") not in _SOURCES or payload.get("originator") not in _TERMINALS:
        return None
    if payload.get("thread_source") not in (None, "user"):
        return None
    return SessionHeader(session, cwd, at) if session and cwd and at is not None else None


def read(line: Mapping[str, Any]) -> TranscriptEvent | None:
    """Return what one line reports about the thread's turn, or None."""
    at, payload = moment(line), line.get("payload")
    if at is None or not isinstance(payload, Mapping):
        return None
    kind, what = line.get("type"), payload.get("type")
    if kind == "response_item" and what == "message" and payload.get("role") == "assistant":
        text = texts(payload.get("content"), "output_text")
        return None if text is None else TranscriptEvent(at, message=text)
    if kind != "event_msg":
        return None
    turn = text_of(payload, "turn_id")
    event_id = f"{turn}:{what}" if turn else None
    if what == STARTED:
        return TranscriptEvent(at, STARTED, {}, event_id, begins=True)
    if what == "item_completed":
        return _of_item(payload.get("item"), at)
    if what == COMPLETE:
        error = payload.get("error")
        failed = {} if not error else {"error": _reason(error)}
        return TranscriptEvent(at, COMPLETE, failed, event_id, message=texts(payload.get("last_agent_message"), "text"))
    if what == ABORTED:
        return TranscriptEvent(at, ABORTED, {"reason": text_of(payload, "reason")}, event_id)
    return None


def _of_item(item: Any, at: int) -> TranscriptEvent | None:
    if not isinstance(item, Mapping) or item.get("type") != "UserMessage":
        return None
    asked = first_line(texts(item.get("content"), "text"))
    return None if asked is None else TranscriptEvent(at, ASKED, {"prompt": asked}, text_of(item, "id"))


def _reason(error: Any) -> str:
    text = error.get("message") if isinstance(error, Mapping) else error
    return (shorten(text) or "error")[:200]


def understand(event: RawEvent, payload: Mapping[str, Any]) -> Signal:
    """Turn an event from ``read`` into a signal. Any other event is kept in history and changes nothing."""
    name, rule = event.event_type, f"rollout {event.event_type}"
    writes: tuple[Write, ...] = ()
    kind = name
    if name == STARTED:
        kind, writes = "turn_start", (Write(Claim.RUNNING, rule, phase=Phase.START),)
    elif name == ASKED:
        writes = (Write(None, rule, subject="asked"),)
    elif name == COMPLETE and payload.get("error"):
        detail = text_of(payload, "error")
        kind, writes = "turn_failed", (Write(Claim.ERROR, f"{rule}, error", phase=Phase.END, detail=detail),)
    elif name == COMPLETE:
        kind, writes = "turn_end", (Write(Claim.COMPLETED, rule, phase=Phase.END),)
    elif name in (ABORTED, OTHER_SESSION):
        writes = (Write(Claim.IDLE, rule, phase=Phase.END),)
    return Signal(
        kind, writes, session_id=text_of(payload, "session_id"), task=first_line(payload.get("prompt")),
        transcript_path=text_of(payload, "transcript_path"),
    )  # fmt: skip
