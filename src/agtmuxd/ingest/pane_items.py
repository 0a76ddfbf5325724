"""Build the published row of a pane. Owns the field names of ``GET /v1/panes`` items."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from agtmux.protocol.text import one_line
from agtmuxd.core import ref
from agtmuxd.core.json_codec import stamp, stamp_or_none
from agtmuxd.core.model import Project
from agtmuxd.core.screen.title import published
from agtmuxd.repository import NO_TEXT, AgentText, Pane, Runtime, StateRow

UNKNOWN: Final = Project()
DETAIL: Final = 200
"""Characters of an error's detail that are shown."""


def _known(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"state": value["state"], "since": stamp(value["since"]), "at": stamp(value["at"])}


def _short(detail: str | None) -> str | None:
    return None if detail is None else one_line(detail)[:DETAIL]


def pane_item(
    target_name: str,
    pane: Pane,
    runtime: Runtime | None,
    state: StateRow | None,
    project: Project = UNKNOWN,
    text: AgentText = NO_TEXT,
) -> dict[str, Any]:
    """Build one item. Without a runtime, the agent fields are null; such panes are listed with ``all=true`` only."""
    row = pane.row
    waiting = None
    if state is not None and state.waiting_for is not None:
        waiting = asdict(state.waiting_for)
        waiting["options"] = list(waiting["options"])
    return {
        "ref": ref.format_pane(target_name, row.session_name, row.window_id, row.pane_id),
        "identity": {
            "target": target_name,
            "session_name": row.session_name,
            "window_id": row.window_id,
            "pane_id": row.pane_id,
        },
        "agent_type": runtime.agent_type if runtime else None,
        "agent_version": runtime.agent_version if runtime else None,
        "agent_session_id": runtime.agent_session_id if runtime else None,
        "runtime_id": runtime.runtime_id if runtime else None,
        "pid": runtime.pid if runtime else None,
        "pane_epoch": runtime.pane_epoch if runtime else None,
        "state": str(state.state) if state else None,
        "reason_code": state.reason_code if state else None,
        "detail": _short(state.detail) if state else None,
        "confidence": state.confidence if state else None,
        "source": str(state.source) if state and state.source else None,
        "state_version": state.state_version if state else None,
        "since": stamp(state.since) if state else None,
        "updated_at": stamp(state.updated_at if state else pane.updated_at),
        "last_seen_at": stamp(state.last_seen_at if state else pane.updated_at),
        "attention": state.attention if state else "none",
        "attention_since": stamp_or_none(state.attention_since) if state else None,
        "title": published(row.title),
        "task": runtime.task if runtime else None,
        "waiting_for": waiting,
        "accepts_input": state.accepts_input if state else None,
        "background_tasks": state.background_tasks if state else 0,
        "resumed": state.resumed if state else False,
        "last_known": _known(state.last_known) if state else None,
        "window_name": one_line(row.window_name),
        "window_index": row.window_index,
        "pane_index": row.pane_index,
        "session_id": row.session_id,
        "other_sessions": list(row.other_sessions),
        "cwd": row.cwd,
        "project": project.name,
        "branch": project.branch,
        "worktree": project.worktree,
        "command": one_line(row.command),
        "agent_name": text.name if runtime else None,
        "message": text.message if runtime else None,
        "message_at": stamp(text.message_at) if runtime and text.message is not None else None,
    }
