"""Define the answers about events."""

from __future__ import annotations

from typing import Any, Literal

from agtmuxd.api.responses.base import Answer, ResponseModel, RowsAnswer, Time


class EventItem(ResponseModel):
    event_id: str
    runtime_id: str | None
    event_type: str
    source: str
    event_time: Time
    ingested_at: Time
    applied: str
    dedupe_key: str
    source_event_id: str | None = None
    action_id: str | None = None
    raw_payload: Any = None


class EventSummary(ResponseModel):
    total: int


class Events(RowsAnswer):
    summary: EventSummary
    items: list[EventItem]


class IngestResult(ResponseModel):
    event_id: str
    status: Literal["bound", "pending_bind", "duplicate", "dropped_unbound", "stale_runtime", "late"]
    runtime_id: str | None
    reason_code: str | None


class IngestAnswer(Answer):
    results: list[IngestResult]
