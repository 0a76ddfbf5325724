"""Define the routes of events: ingest them, and list the history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

from agtmuxd.api.callers import peer
from agtmuxd.api.envelopes import Envelope, answer, reply
from agtmuxd.api.parsing import given, read_json, read_query
from agtmuxd.api.peer import Peer
from agtmuxd.api.requests import EventBatch, HistoryQuery, WireEvent
from agtmuxd.api.responses.events import Events, IngestAnswer
from agtmuxd.api.route import Access, Route, WebScope
from agtmuxd.stream.published import PublishedRows


class EventService(Protocol):
    """Ingests events and reads their history."""

    envelope: Envelope
    view: PublishedRows

    async def ingest(self, events: Sequence[WireEvent], peer: Peer | None = None) -> list[dict[str, Any]]:
        """Ingest events and return when they are committed. ``peer``: the sender, if known.

        Returns one result per event, in order: ``event_id``, ``status``, ``runtime_id``, ``reason_code``. Raises
        E_STORE_UNAVAILABLE if nothing could be stored.
        """

    async def history(self, query: HistoryQuery, pane: str | None) -> list[dict[str, Any]]:
        """Return events, newest first, at most ``query.limit``. ``pane``: the pane key of ``query.pane``."""


async def history(request: web.Request, events: EventService) -> web.StreamResponse:
    query = read_query(HistoryQuery, request.query)
    pane = None if query.pane is None else events.view.resolve(query.pane)
    named = () if pane is None else (events.view.panes[pane]["identity"]["target"],)
    items = await events.history(query, pane)
    filters = given(query, "pane", "runtime", "action", "limit", "before")
    return reply(events.envelope.read(filters=filters, summary={"total": len(items)}, items=items, named=named))


async def post(request: web.Request, events: EventService) -> web.StreamResponse:
    value = await read_json(request)
    if isinstance(value, dict) and "events" in value:
        batch = EventBatch.model_validate(value).events
    else:
        batch = [WireEvent.model_validate(value)]
    return answer(results=await events.ingest(batch, peer(request)))


ROUTES: tuple[Route[EventService], ...] = (
    Route(
        "GET", "/v1/events", history, "List events, newest first", HistoryQuery, answer=Events,
        access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
    Route(
        "POST", "/v1/events", post, "Report events", body=EventBatch, answer=IngestAnswer,
        access=Access.EVERYBODY,
    ),
)  # fmt: skip
