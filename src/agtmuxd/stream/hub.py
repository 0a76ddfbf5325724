"""Send every published change to every watcher, in order, without waiting for any of them.

Owns the list of watchers, by scope and filter. ``watcher`` decides what one watcher gets; ``history`` holds what was
published before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.listing import Filter
from agtmuxd.stream.channel import Channel
from agtmuxd.stream.history import RING, Batch, History, ReadLog
from agtmuxd.stream.published import PublishedRows
from agtmuxd.stream.watcher import BACKLOG_BYTES, BACKLOG_LINES, Backlog, Watcher, WatchRequest

WATCHERS: Final = 256
"""Watchers at the same time, at most, unless configured."""


class Hub:
    """The publisher of the stream. Call every method in the event loop."""

    def __init__(
        self,
        view: PublishedRows,
        *,
        now: Callable[[], int],
        read_log: ReadLog,
        ring: int = RING,
        backlog_lines: int = BACKLOG_LINES,
        backlog_bytes: int = BACKLOG_BYTES,
        most: int = WATCHERS,
    ) -> None:
        self.view = view
        self.now = now
        self.most = most
        self.history = History(view.sequence, read_log, ring)
        self._backlog = Backlog(backlog_lines, backlog_bytes)
        self._closing = False
        self._channels: dict[tuple[str, Filter], Channel] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def watchers(self) -> int:
        """How many watchers are connected."""
        return sum(len(channel.watchers) for channel in self._channels.values())

    def publish(self, batch: Batch) -> None:
        """Apply a committed batch to the view and send it to the watchers. Never waits.

        Raises ValueError if the sequence is not above the last one.
        """
        if batch.sequence <= self.view.sequence:
            raise ValueError(f"batch {batch.sequence} after {self.view.sequence}")
        self.view.apply(batch.sequence, batch.changes)
        self.history.add(batch)
        for channel in self._channels.values():
            channel.publish(batch)

    async def open(self, request: WatchRequest) -> Watcher:
        """Open a watcher. End it with its ``close()``.

        Raises E_CURSOR_INVALID, E_CURSOR_EXPIRED (one-shot only), and E_OVERLOADED if there are too many watchers.
        """
        if self.watchers >= self.most:
            text = f"{self.most} watchers are connected, which is the limit (api.watchers): close some"
            raise AgtmuxError("E_OVERLOADED", text, {"watchers": self.most})
        name = (str(request.scope), request.wanted)
        found = self._channels.get(name)
        channel = found if found is not None else Channel(self.view, self.now, *name)
        self._channels[name] = channel
        watcher = Watcher(channel, request, self.history, self._backlog, lambda one: self._leave(channel, one))
        channel.watchers.add(watcher)
        self._empty.clear()
        if self._closing:
            watcher.end()
        try:
            await watcher.begin()
        except BaseException:
            watcher.close()
            raise
        return watcher

    def _leave(self, channel: Channel, watcher: Watcher) -> None:
        channel.watchers.discard(watcher)
        name = (channel.scope, channel.wanted)
        if not channel.watchers and self._channels.get(name) is channel:
            del self._channels[name]
        if not self._channels:
            self._empty.set()

    async def close(self, patience: float = 1.0) -> None:
        """Send every watcher its queued lines and a last reset. Wait at most ``patience`` seconds for slow ones."""
        self._closing = True
        for channel in self._channels.values():
            for watcher in channel.watchers:
                watcher.end()
        try:
            async with asyncio.timeout(patience):
                await self._empty.wait()
        except TimeoutError:
            return
