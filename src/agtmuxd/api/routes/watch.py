"""Define the route of the stream: one JSON line per change, until the reader leaves."""

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
from agtmuxd.stream.watcher import Watcher, WatchRequest


class WatchService(Protocol):
    """Opens streams."""

    envelope: Envelope

    async def open(self, request: WatchRequest) -> Watcher:
        """Open a watcher; ``close()`` ends it. Raises E_CURSOR_INVALID, E_CURSOR_EXPIRED, E_OVERLOADED."""


async def watch(request: web.Request, streams: WatchService) -> web.StreamResponse:
    query = read_query(WatchQuery, request.query)
    wanted = query.filter()
    streams.envelope.answering(wanted.named_targets())
    asked = WatchRequest(str(query.scope), wanted, query.cursor, query.interval, query.heartbeat, query.once)
    if isinstance(request.protocol, Connection):
        request.protocol.rests = True
    watcher = await streams.open(asked)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
    try:
        await response.prepare(request)
        async with aclosing(watcher.lines()) as lines:
            async for line in lines:
                await response.write(line)
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
