"""Deliver published changes to parts of the daemon, after the commit, without ever delaying a commit.

Owns a bounded queue for each subscriber. If a queue is full or a subscriber fails, its queued changes are dropped and
it must read everything again. Knows no subscriber. Watchers outside the daemon use ``stream.hub``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum
from typing import Final, Protocol

import structlog

from agtmuxd.stream.history import Batch

_LOG = structlog.get_logger("stream")
MOST_CHANGES: Final = 4096
"""Changes that may wait for one subscriber. A single larger publication is queued all the same."""


class Resync(StrEnum):
    """Why a subscriber has to read everything again."""

    STARTED = "started"  # it is new
    OVERFLOW = "overflow"  # it was too slow: changes were dropped
    FAILED = "failed"  # it raised: how far it came is unknown


class Subscriber(Protocol):
    """Receives changes, one call at a time, in the event loop. A call may wait; changes are queued meanwhile."""

    async def on_changes(self, batch: Batch) -> None:
        """Handle one publication, which is committed and in the view. Batches come in order, none twice."""

    async def on_resync(self, reason: Resync) -> None:
        """Read everything from the view again. Called at the start, and after changes were lost.

        A batch whose sequence is not above the view's sequence at that time may follow: you already have its changes.
        """


class Subscription:
    """One subscriber and its queue. ``failures`` counts its exceptions, ``overflows`` how often it was too slow."""

    def __init__(self, name: str, subscriber: Subscriber, most_changes: int = MOST_CHANGES) -> None:
        self.name = name
        self.failures = 0
        self.overflows = 0
        self._subscriber = subscriber
        self._most = most_changes
        self._queue: deque[Batch] = deque()
        self._changes = 0
        self._resync: Resync | None = Resync.STARTED
        self._wake = asyncio.Event()
        self._wake.set()

    def publish(self, batch: Batch) -> None:
        """Queue one publication. Never waits, never raises."""
        self._wake.set()
        if self._resync is not None:
            return  # it will read everything, including this
        if self._queue and self._changes + batch.size > self._most:
            self.overflows += 1
            _LOG.warning("subscriber is too slow, it has to read again", subscriber=self.name)
            self._start_over(Resync.OVERFLOW)
            return
        self._queue.append(batch)
        self._changes += batch.size

    async def run(self) -> None:
        """Deliver until cancelled. An exception of the subscriber is logged; it then has to read everything again, at
        the next publication."""
        while True:
            await self._wake.wait()
            try:
                await self._deliver()
            except Exception:  # noqa: BLE001 the outermost edge of this task: a subscriber never ends the daemon
                self.failures += 1
                _LOG.exception("subscriber failed", subscriber=self.name)
                self._start_over(Resync.FAILED)
                self._wake.clear()

    async def _deliver(self) -> None:
        if self._resync is not None:
            reason, self._resync = self._resync, None
            await self._subscriber.on_resync(reason)
        elif self._queue:
            batch = self._queue.popleft()
            self._changes -= batch.size
            await self._subscriber.on_changes(batch)
        else:
            self._wake.clear()

    def _start_over(self, reason: Resync) -> None:
        self._queue.clear()
        self._changes = 0
        self._resync = reason


class Subscriptions:
    """All subscriptions. Call ``publish`` after each commit, once the view is updated."""

    def __init__(self) -> None:
        self._all: list[Subscription] = []

    def add(self, name: str, subscriber: Subscriber, most_changes: int = MOST_CHANGES) -> Subscription:
        """Add a subscriber. The caller must ``run`` the subscription."""
        made = Subscription(name, subscriber, most_changes)
        self._all.append(made)
        return made

    def publish(self, batch: Batch) -> None:
        """Queue one publication for every subscriber. Never waits, never raises."""
        for subscription in self._all:
            subscription.publish(batch)
