"""Define the route of the stream: one JSON line per change, until the reader leaves.

A reader that accepts ``text/event-stream`` gets each line as one event. Its id is the line's cursor.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Protocol

from aiohttp import web

from agtmuxd.api.connections import Connection
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.parsing import read_query
from agtmuxd.api.requests import WatchQuery
from agtmuxd.api.responses.watch import WatchLine
from agtmuxd.api.route import Access, BrokenStreamError, Route, WebScope
from agtmuxd.core.json_codec import decode
from agtmuxd.stream.watcher import Watcher, WatchRequest


class WatchService(Protocol):
    """Opens streams."""

    envelope: Envelope

    async def open(self, request: WatchRequest) -> Watcher:
        """Open a watcher; ``close()`` ends it. Raises E_CURSOR_INVALID, E_CURSOR_EXPIRED, E_OVERLOADED."""


EVENTS = "text/event-stream"


def _event(line: bytes) -> bytes:
    """Return a line as a server-sent event. ``decode`` of a line costs less than writing it did."""
    cursor: str = decode(line)["cursor"]
    return b"id: " + cursor.encode() + b"\ndata: " + line + b"\n"


async def watch(request: web.Request, streams: WatchService) -> web.StreamResponse:
    query = read_query(WatchQuery, request.query)
    wanted = query.filter()
    streams.envelope.answering(wanted.named_targets())
    events = EVENTS in request.headers.get("Accept", "")
    cursor = query.cursor
    if events and cursor is None:
        cursor = request.headers.get("Last-Event-ID")
    asked = WatchRequest(str(query.scope), wanted, cursor, query.interval, query.heartbeat, query.once)
    if isinstance(request.protocol, Connection):
        request.protocol.rests = True
    watcher = await streams.open(asked)
    kind = EVENTS if events else "application/x-ndjson"
    response = web.StreamResponse(headers={"Content-Type": kind, "Cache-Control": "no-store"})
    try:
        await response.prepare(request)
        async with aclosing(watcher.lines()) as lines:
            async for line in lines:
                await response.write(_event(line) if events else line)
        await response.write_eof()
    except ConnectionError:
        return response  # the reader left, which is how a watch ends
    except Exception as error:
        raise BrokenStreamError(response) from error
    finally:
        watcher.close()
    return response


ROUTES: tuple[Route[WatchService], ...] = (
    Route(
        "GET", "/v1/watch", watch, "Watch changes as JSON lines", WatchQuery, answer=WatchLine,
        access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
)  # fmt: skip
