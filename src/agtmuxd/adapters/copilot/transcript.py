"""Read Copilot CLI's event log: turns, requests, questions, interrupts, failures, agents in the background.

Owns every fact about that file. Measured on 1.0.102. Kinds of lines that are not named here give no claim.

Unlike the files of other agents, it has a line for each request that is put to the user, and for the answer. What is
allowed without asking is not in it. The process holds a file open in the folder of its session, which shows whose log
it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.contract import TranscriptEvent, TranscriptOwner
from agtmuxd.adapters.shared import first_line, request_subject, shorten, text_of
from agtmuxd.adapters.transcripts import moment, texts
from agtmuxd.core.model import Claim, Phase, RawEvent, Signal, WaitingFor, Write

PROMPT: Final = "user.message"
STEERED: Final = "steered"
"""A prompt that was added to the running turn."""
CALL: Final = "assistant.turn_start"
"""One call of the model. A turn has many."""
ANSWERED: Final = "assistant.message"
ABORTED: Final = "abort"
FAILED: Final = "session.error"
REQUESTED: Final = "permission.requested"
DECIDED: Final = "permission.completed"
ASKED: Final = "ask_user"
AGENT_STARTED: Final = "subagent.started"
AGENT_ENDED: Final = "subagent.ended"
LEFT: Final = "session.shutdown"
"""The session is left: the program ends, or the user typed ``/clear``."""
OTHER_SESSION: Final = "other_session"

_FOLDER: Final = "session-state"
_SESSION: Final = re.compile(r"[0-9A-Za-z-]{8,64}")
_HOLD: Final = re.compile(r"inuse\.\d+\.hold")
_PROGRAM: Final = re.compile(r"/pkg/[^/]+/(\d+\.\d+\.\d+[^/]*)/inuse\.\d+\.hold")
_WANTED: Final = ("fullCommandText", "fileName", "path", "url", "toolTitle", "toolName", "intention")
"""The fields that name what a request is about. The first one that is there counts."""


def path(session: str, config_home: Path) -> Path | None:
    """Return the log of a session. None if ``session`` is not a session's name."""
    if _SESSION.fullmatch(session) is None:
        return None
    return config_home / _FOLDER / session / "events.jsonl"


def open_logs(files: Sequence[str], config_home: Path) -> tuple[TranscriptOwner, ...]:
    """Return the logs of the sessions that a process holds open."""
    root = os.path.join(os.path.realpath(config_home), _FOLDER)
    sessions = set()
    version = None
    for file in files:
        folder, _, name = file.rpartition("/")
        if _HOLD.fullmatch(name) is None:
            continue
        above, _, session = folder.rpartition("/")
        if above == root:
            sessions.add(session)
        elif (program := _PROGRAM.search(file)) is not None:
            version = program.group(1)
    logs = {session: path(session, config_home) for session in sorted(sessions)}
    return tuple(TranscriptOwner(log, session, version) for session, log in logs.items() if log is not None)


def read(line: Mapping[str, Any]) -> TranscriptEvent | None:
    """Return what one line reports, or None. Lines of a sub-agent count only for its requests and for its start and
    end.
    """
    at, data = moment(line), line.get("data")
    if at is None or not isinstance(data, Mapping):
        return None
    kind, event_id = line.get("type"), text_of(line, "id")
    agent = text_of(line, "agentId")
    if kind in (REQUESTED, DECIDED, "tool.execution_start"):
        return _of_request(str(kind), data, at, event_id, agent)
    if agent is not None:
        return _of_agent(str(kind), data, at, event_id, agent)
    if data.get("parentToolCallId"):
        return None
    if kind == PROMPT:
        return _of_user(data, at, event_id)
    if kind == ANSWERED:
        return _of_assistant(data, at, event_id)
    if kind == CALL:
        return TranscriptEvent(at, CALL, {}, event_id, asks=True)
    if kind == ABORTED:
        return TranscriptEvent(at, ABORTED, {"reason": text_of(data, "reason")}, event_id, asks=True)
    if kind == LEFT:
        return TranscriptEvent(at, LEFT, {}, event_id, asks=True)
    if kind == FAILED:
        error = {"error": (shorten(data.get("message")) or "error")[:200], "kind": text_of(data, "errorType")}
        return TranscriptEvent(at, FAILED, error, event_id)
    return None


def _of_user(data: Mapping[str, Any], at: int, event_id: str | None) -> TranscriptEvent:
    asked = {} if data.get("source") else {"prompt": first_line(data.get("content"))}
    if data.get("delivery") == "steering":
        return TranscriptEvent(at, STEERED, asked, event_id)
    return TranscriptEvent(at, PROMPT, asked, event_id, begins=True)


def _of_assistant(data: Mapping[str, Any], at: int, event_id: str | None) -> TranscriptEvent | None:
    """Read a message of the agent. Text without a tool call is the last text of a turn."""
    text = texts(data.get("content"), "text")
    if text is None or data.get("phase") == "thinking":
        return None
    pieces, piece = data.get("chunkCount"), data.get("chunkIndex")
    split = isinstance(pieces, int) and pieces > 1
    part_of = text_of(data, "apiCallId") if split else None
    last = data.get("toolRequests") == [] and (not split or piece == pieces - 1)  # type: ignore[operator]
    return TranscriptEvent(
        at, ANSWERED if last else None, {}, event_id if last else None, message=text, part_of=part_of
    )


def _of_request(
    kind: str, data: Mapping[str, Any], at: int, event_id: str | None, agent: str | None
) -> TranscriptEvent | None:
    request_id = text_of(data, "requestId")
    if kind == DECIDED:
        return TranscriptEvent(at, DECIDED, {"agent": agent, "request_id": request_id}, event_id, asks=True)
    if kind == REQUESTED:
        if data.get("resolvedByHook") is True:
            return None
        wanted = data.get("permissionRequest")
        request = wanted if isinstance(wanted, Mapping) else {}
        text = next((t for key in _WANTED if (t := shorten(request.get(key))) is not None), None)
        asked = {"agent": agent, "request_id": request_id, "kind": text_of(request, "kind"), "request": text}
        return TranscriptEvent(at, REQUESTED, asked, event_id, asks=True)
    if data.get("toolName") != ASKED:
        return None
    given = data.get("arguments")
    arguments = given if isinstance(given, Mapping) else {}
    question = shorten(arguments.get("message")) or shorten(arguments.get("question"))
    of_it: dict[str, Any] = {"agent": agent, "question": question, "options": _options(arguments)}
    return TranscriptEvent(at, ASKED, of_it, event_id, asks=True)


def _options(arguments: Mapping[str, Any]) -> list[str]:
    """Return the options, if exactly one question is asked."""
    choices = arguments.get("choices")
    schema = arguments.get("requestedSchema")
    fields = schema.get("properties") if isinstance(schema, Mapping) else None
    if isinstance(fields, Mapping) and len(fields) == 1:
        one = next(iter(fields.values()))
        choices = one.get("enum") if isinstance(one, Mapping) else None
    listed = choices if isinstance(choices, list) else []
    return [text for choice in listed[:20] if (text := shorten(choice)) is not None]


def _of_agent(kind: str, data: Mapping[str, Any], at: int, event_id: str | None, agent: str) -> TranscriptEvent | None:
    """Read a sub-agent's start or end. Only one in the background outlives the turn that began it. Others are part of
    it.
    """
    if kind == AGENT_STARTED and data.get("executionMode") == "background":
        return TranscriptEvent(at, AGENT_STARTED, {"agent": agent}, event_id)
    if kind in ("subagent.completed", "subagent.failed"):
        return TranscriptEvent(at, AGENT_ENDED, {"agent": agent}, event_id)
    return None


def understand(event: RawEvent, payload: Mapping[str, Any]) -> Signal:
    """Turn an event from ``read`` into a signal. Any other event is kept in history and changes nothing."""
    kind, writes = _meaning(event.event_type, payload)
    session = text_of(payload, "beside")
    if session is not None:
        return Signal(kind, tuple(_of_other_session(session, write) for write in writes if write.subject != "turn"))
    return Signal(
        kind, writes, session_id=text_of(payload, "session_id"), task=first_line(payload.get("prompt")),
        agent_version=text_of(payload, "agent_version"),
    )  # fmt: skip


def _meaning(name: str, payload: Mapping[str, Any]) -> tuple[str, tuple[Write, ...]]:
    rule, agent = f"log {name}", text_of(payload, "agent")
    asks, one = request_subject(agent, None), request_subject(agent, text_of(payload, "request_id"))
    answered = Write(None, rule, subject=asks)
    if name == PROMPT:
        return "turn_start", (Write(Claim.RUNNING, rule, phase=Phase.START), answered)
    if name in (STEERED, CALL):
        return name, (Write(Claim.RUNNING, rule, phase=Phase.DURING), answered)
    if name == ANSWERED:
        return "turn_end", (Write(Claim.COMPLETED, rule, phase=Phase.END), answered)
    if name in (ABORTED, OTHER_SESSION):
        return name, (Write(Claim.IDLE, rule, phase=Phase.END), answered)
    if name == FAILED:
        detail = text_of(payload, "error")
        return "turn_failed", (Write(Claim.ERROR, rule, phase=Phase.END, detail=detail), answered)
    if name == LEFT:
        # Only the claim about the turn is withdrawn: what the screen shows of the turn goes a moment later.
        return name, (Write(None, rule, phase=Phase.END), answered)
    if name == REQUESTED:
        wanted = WaitingFor("approval", subject=text_of(payload, "kind"), text=shorten(payload.get("request")))
        asked = Write(Claim.WAITING_APPROVAL, rule, subject=one, waiting_for=wanted, accepts_input=False)
        return "approval_requested", (asked,)
    if name == ASKED:
        options = tuple(o for o in payload.get("options") or () if isinstance(o, str))
        wanted = WaitingFor("question", subject=ASKED, text=shorten(payload.get("question")), options=options)
        return name, (Write(Claim.WAITING_INPUT, rule, subject=asks, waiting_for=wanted, accepts_input=False),)
    if name == DECIDED:
        return name, (Write(None, rule, subject=one),)
    if name in (AGENT_STARTED, AGENT_ENDED) and agent is not None:
        works = Claim.RUNNING if name == AGENT_STARTED else None
        # A request without an id ends with the agent. A request with one was decided earlier, in all recordings.
        lives = Write(works, rule, subject=f"agent:{agent}", phase=Phase.DURING)
        return name, ((lives,) if works is not None else (lives, answered))
    return name, ()


def _of_other_session(session: str, write: Write) -> Write:
    """Return the same write for one of several sessions of a process. No screen confirms it while the session is not
    shown.
    """
    asked = write.waiting_for
    if asked is not None:
        asked = replace(asked, subject=f"{asked.subject or asked.kind} (session {session[:8]})")
    return replace(write, subject=f"session:{session}:{write.subject}", waiting_for=asked)
