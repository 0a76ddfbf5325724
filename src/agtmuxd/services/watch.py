"""Open watchers of the stream for the API."""

from __future__ import annotations

from agtmuxd.api.envelopes import Envelope
from agtmuxd.stream.hub import Hub
from agtmuxd.stream.watcher import Watcher, WatchRequest


class Watch:
    """Implements ``WatchService`` of ``api.routes.watch``."""

    def __init__(self, envelope: Envelope, hub: Hub) -> None:
        self.envelope = envelope
        self._hub = hub

    async def open(self, request: WatchRequest) -> Watcher:
        return await self._hub.open(request)
