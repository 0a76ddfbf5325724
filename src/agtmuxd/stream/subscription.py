"""Subscriptions: parts of the daemon hear of published changes, after the commit, and never delay one.

Owns a bounded queue for each subscriber and what happens when it is full or a subscriber fails: the queued changes are
dropped and the subscriber is told to read again. Knows no subscriber. Watchers outside the daemon have ``stream.hub``.
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
"""Changes that may wait for one subscriber. One larger publication alone is taken all the same."""


class Resync(StrEnum):
    """Why a subscriber has to read again."""

    STARTED = "started"  # it heard of nothing yet
    OVERFLOW = "overflow"  # it was too slow: changes were dropped
    FAILED = "failed"  # it raised: nobody knows how far it came


class Subscriber(Protocol):
    """Hears of changes, one call at a time, in the event loop. It may wait; changes are queued meanwhile."""

    async def on_changes(self, batch: Batch) -> None:
        """One publication: it is committed, and the view holds it. Batches come in order, none twice."""

    async def on_resync(self, reason: Resync) -> None:
        """Read everything from the view again. Called first of all, and after changes were lost.

        A batch with a sequence up to that of the view as you read it may follow: you have its changes already.
        """


class Subscription:
    """One subscriber and its queue. It counts how often the subscriber raised, and how often it was too slow."""

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
            return  # what it will read holds this
        if self._queue and self._changes + batch.size > self._most:
            self.overflows += 1
            _LOG.warning("subscriber is too slow, it has to read again", subscriber=self.name)
            self._start_over(Resync.OVERFLOW)
            return
        self._queue.append(batch)
        self._changes += batch.size

    async def run(self) -> None:
        """Deliver until cancelled. What the subscriber raises is logged; it then has to read again, with the next
        publication."""
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
    """All of them. ``publish`` is called after each commit, when the view has followed."""

    def __init__(self) -> None:
        self._all: list[Subscription] = []

    def add(self, name: str, subscriber: Subscriber, most_changes: int = MOST_CHANGES) -> Subscription:
        """A new one; somebody has to ``run`` it."""
        made = Subscription(name, subscriber, most_changes)
        self._all.append(made)
        return made

    def publish(self, batch: Batch) -> None:
        for subscription in self._all:
            subscription.publish(batch)
