"""Delete history that is too old or too large, in small batches, so that ingestion never waits.

Owns the order and the pace. ``store.history`` holds the statements; ``core.retention_clock`` gives the time to use.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from agtmuxd.config import RetentionSettings
from agtmuxd.core.model import NS
from agtmuxd.core.retention_clock import RetentionTime
from agtmuxd.store import history, housekeeping
from agtmuxd.store.db import Store

_LOG = structlog.get_logger("retention")
BATCH = 500
"""Rows that are deleted in one transaction."""
PAUSE = 0.05
"""Seconds between two batches."""
EVERY: Final = 60.0
"""Seconds between two runs."""
DOWN_TO: Final = 0.9
"""A database that is too large is reduced to this part of the allowed size."""


def limits_of(settings: RetentionSettings) -> history.RetentionLimits:
    """Convert the settings (days) to limits in ns."""
    day = 86_400 * NS
    return history.RetentionLimits(
        payloads=int(settings.payloads * day), events=int(settings.events * day), actions=int(settings.actions * day),
        views=int(settings.views * day), stream=int(settings.stream * day), stream_rows=settings.stream_rows,
    )  # fmt: skip


def monotonic_ns() -> int:
    """Give a monotonic time in ns. It includes the time that the machine slept, if the system counts that."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock)


async def purge(store: Store, keep: history.RetentionLimits, now: int) -> dict[str, int]:
    """Delete everything that is due at ``now`` (ns). Return how many rows of each kind were deleted."""
    gone: dict[str, int] = {}

    async def batches(name: str, one: Callable[[sqlite3.Connection], int], least: int = BATCH) -> None:
        while True:
            n = await store.run(one)
            gone[name] = gone.get(name, 0) + n
            if n < least:
                return
            await asyncio.sleep(PAUSE)

    await batches("removed targets", lambda c: history.purge_removed(c, BATCH), least=1)
    await batches("payloads", lambda c: history.purge_payloads(c, now - keep.payloads, BATCH))
    for name, statement, field in history.PURGES:
        older_than = now - int(getattr(keep, field))
        await batches(name, partial(history.purge_batch, statement=statement, older_than=older_than, batch=BATCH))
    await batches("stream", lambda c: history.purge_stream_rows(c, keep.stream_rows, BATCH), least=1)
    return gone


async def shrink(store: Store, most: int, now: int) -> int:
    """If more than ``most`` bytes are used, delete the oldest payloads, then the oldest events.

    Stops at ``DOWN_TO`` of ``most``. Returns the bytes in use afterwards.
    """
    used = await store.read(history.used_bytes)
    if used <= most:
        return used
    _LOG.warning("the database is larger than store.max_bytes: removing the oldest history", bytes=used, most=most)
    steps: tuple[Callable[[sqlite3.Connection], int], ...] = (
        lambda c: history.purge_payloads(c, now, BATCH),
        lambda c: history.purge_oldest_events(c, BATCH),
    )
    for step in steps:
        while used > most * DOWN_TO:
            if not await store.run(step):
                break
            used = await store.read(history.used_bytes)
            await asyncio.sleep(PAUSE)
    return used


class RetentionTask:
    """Delete old history from time to time: ``run`` runs until cancelled."""

    def __init__(
        self,
        store: Store,
        keep: Callable[[], history.RetentionLimits],
        most: Callable[[], int],
        clock: Callable[[], int],
        ran: Callable[[], int] = monotonic_ns,
    ) -> None:
        """``most``: bytes that the database may use. ``clock``: ns since the epoch; ``ran``: a monotonic time in ns."""
        self.used: int | None = None
        """Bytes of the database that are in use; None until they were counted."""
        self.jumped = 0
        """How far (ns) the system's clock jumped ahead; 0 if it did not, or once the jump is accepted."""
        self._store = store
        self._keep = keep
        self._most = most
        self._clock = clock
        self._ran = ran
        self._last_ran = ran()
        self._began = True
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Run now, because there is something to delete."""
        self._wake.set()

    async def run(self, every: float = EVERY) -> None:
        """Delete old history every ``every`` seconds. If a run fails, the next one tries again."""
        while True:
            self._wake.clear()
            try:
                await self._once()
            except Exception as error:  # noqa: BLE001 the outermost edge of this task
                _LOG.warning("old history could not be removed; trying again later", error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), every)

    async def _once(self) -> None:
        system, ran = self._clock(), self._ran()
        elapsed = ran - self._last_ran

        def step(connection: sqlite3.Connection) -> RetentionTime:
            at, waited = housekeeping.forget_at(connection)
            if at is None:
                at = housekeeping.last_seen(connection) or system
            moved = RetentionTime(at, waited).step(system, elapsed, away=self._began)
            housekeeping.save_forget_at(connection, moved.at, moved.waited)
            return moved

        by = await self._store.run(step)
        self._last_ran, self._began = ran, False
        jumped, self.jumped = self.jumped, by.jump(system)
        if self.jumped and not jumped:
            _LOG.warning("the clock jumped ahead: no history is removed until it has been so for a day",
                         days=round(self.jumped / 86_400 / NS, 1))  # fmt: skip
        await purge(self._store, self._keep(), by.at)
        self.used = await shrink(self._store, self._most(), by.at)
        while True:
            if not await self._store.run(lambda c: history.give_back(c, BATCH)):
                break
            await asyncio.sleep(PAUSE)
        if self._store.wal_bytes > WAL_WORTH:
            await self._store.truncate_log()


WAL_WORTH: Final = 16 << 20
"""A write-ahead log larger than so many bytes is copied into the file and truncated."""
