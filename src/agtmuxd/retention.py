"""Forgets history that is older than its time, a small batch at a time so that ingestion never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from agtmuxd.store import log
from agtmuxd.store.db import Store

_LOG = structlog.get_logger("retention")
BATCH = 500
PAUSE = 0.05


async def purge(store: Store, keep: log.Retention, now: int) -> dict[str, int]:
    """Forget all that is due; how many rows of each kind went."""
    gone: dict[str, int] = {}
    for name, statement, field in log.PURGES:
        older_than = now - int(getattr(keep, field))
        while True:
            n = await store.run(lambda c, s=statement, o=older_than: log.purge_batch(c, s, o, BATCH))  # type: ignore[misc]
            gone[name] = gone.get(name, 0) + n
            if n < BATCH:
                break
            await asyncio.sleep(PAUSE)
    while True:
        n = await store.run(lambda c: log.purge_stream_rows(c, keep.stream_rows, BATCH))
        gone["stream"] = gone.get("stream", 0) + n
        if n == 0:
            return gone
        await asyncio.sleep(PAUSE)


async def keep_purging(
    store: Store, keep: Callable[[], log.Retention], clock: Callable[[], int], every: float = 600.0
) -> None:
    """``purge`` now and then, until cancelled. What cannot be forgotten now is forgotten the next time."""
    while True:
        try:
            await purge(store, keep(), clock())
        except Exception as error:  # noqa: BLE001 the outermost edge of this task
            _LOG.warning("nothing was forgotten, tried again later", error=str(error))
        await asyncio.sleep(every)
