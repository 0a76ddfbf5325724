"""Take in the events that hooks spooled while no daemon answered, as if they had been posted.

Owns when the spool is read. ``ingest.spool`` reads the file; ``services.events`` takes in the events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from pydantic import ValidationError

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.requests import WireEvent
from agtmuxd.ingest.spool import SpoolReader
from agtmuxd.services.events import Events
from agtmuxd.store.db import Store

_LOG = structlog.get_logger("agtmuxd")
EVERY: Final = 2.0
"""Seconds between two readings of the spool."""


class SpoolIntake:
    """Read the spool again and again: ``run`` runs until cancelled."""

    def __init__(
        self,
        path: str,
        store: Store,
        events: Events,
        count: Callable[[str], None],
        ready: Callable[[], Awaitable[object]],
    ) -> None:
        """``count``: increments the health counter with this name. ``ready``: waits until events can be bound."""
        self.spool = SpoolReader(path, store, self._take)
        self._events = events
        self._count = count
        self._ready = ready

    async def run(self) -> None:
        await self._ready()
        while True:
            try:
                await self.spool.drain()
            except (OSError, AgtmuxError) as error:
                _LOG.warning("spool not read; trying again later", error=str(error))
                self._count("spool_failures")
            except Exception:  # noqa: BLE001 the outermost edge of this task: a spool file never ends the daemon
                _LOG.exception("spool not read; trying again later")
                self._count("spool_failures")
            await asyncio.sleep(EVERY)

    async def _take(self, lines: list[dict[str, Any]]) -> None:
        good = []
        for line in lines:
            try:
                good.append(WireEvent.model_validate(line))
            except ValidationError:
                self._count("spool_lines_refused")
        if good:
            await self._events.ingest(good)
