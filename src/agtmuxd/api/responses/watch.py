"""Define the lines of the stream."""

from __future__ import annotations

from typing import Any, Literal

from agtmuxd.api.responses.base import Answer, ResponseModel, Time
from agtmuxd.api.responses.panes import Pane, PaneIdentity, Session, SessionIdentity, Summary, Window, WindowIdentity


class CoordinationIdentity(ResponseModel):
    """What a change of coordination is about."""

    kind: str
    id: str


class ChangeLine(ResponseModel):
    """``item`` comes with an upsert. ``kind`` comes with changes of coordination, whose items are as their routes
    answer.
    """

    op: Literal["upsert", "delete"]
    kind: str | None = None
    identity: PaneIdentity | WindowIdentity | SessionIdentity | CoordinationIdentity
    item: Pane | Window | Session | dict[str, Any] | None = None


class WatchLine(Answer):
    """One line of the stream: ``items`` in a snapshot, ``changes`` in a delta, ``reason`` in a reset."""

    generated_at: Time
    emitted_at: Time
    stream_id: str
    cursor: str
    scope: Literal["panes", "windows", "sessions", "coord", "all"]
    type: Literal["snapshot", "delta", "reset", "heartbeat"]
    sequence: int
    filters: dict[str, Any]
    summary: Summary
    items: list[Pane] | list[Window] | list[Session] | None = None
    changes: list[ChangeLine] | None = None
    reason: str | None = None
