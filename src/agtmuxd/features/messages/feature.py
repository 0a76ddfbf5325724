"""Build the feature messages: routes, tasks, a subscriber and the condition ``msg``."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Final

from agtmuxd.api.route import RouteTable
from agtmuxd.core.model import NS
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.messages import upkeep_store
from agtmuxd.features.messages.conditions import MessageCondition
from agtmuxd.features.messages.delivery.engine import DeliveryEngine
from agtmuxd.features.messages.queue_routes import ROUTES as QUEUE_ROUTES
from agtmuxd.features.messages.queue_service import Queue
from agtmuxd.features.messages.routes import ROUTES
from agtmuxd.features.messages.service import Messages
from agtmuxd.features.messages.upkeep import Upkeep
from agtmuxd.services.health import HealthPart
from agtmuxd.store.housekeeping import forget_at
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync

DAY: Final = 86_400 * NS


class _Followers:
    """Gives published changes to the upkeep of messages and to the delivery engine, and runs both."""

    def __init__(self, upkeep: Upkeep, engine: DeliveryEngine) -> None:
        self._upkeep = upkeep
        self._engine = engine

    async def on_changes(self, batch: Batch) -> None:
        await self._engine.on_changes(batch)
        await self._upkeep.on_changes(batch)

    async def on_resync(self, reason: Resync) -> None:
        await self._engine.on_resync(reason)
        await self._upkeep.on_resync(reason)

    async def run(self) -> None:
        """Run until cancelled. An exception in one ends both."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._upkeep.run(), name="upkeep of messages")
            group.create_task(self._engine.run(), name="delivery of messages")


def build(context: Context) -> Feature:
    """Build the feature."""

    def purge(connection: sqlite3.Connection, now: int) -> int:
        at, _ = forget_at(connection)
        by = now if at is None else min(now, at + DAY)  # a clock that jumps ahead deletes nothing
        return upkeep_store.purge(connection, by - round(context.settings().retention.messages * DAY), by)

    engine = DeliveryEngine(context)
    messages = Messages(context, engine.wake)
    followers = _Followers(messages.upkeep, engine)

    def health() -> HealthPart:
        one, other = messages.health(), engine.health()
        return HealthPart(
            one.problems + other.problems, one.notes + other.notes, {**one.counters, **other.counters}
        )  # fmt: skip

    return Feature(
        tables=(RouteTable(ROUTES, messages), RouteTable(QUEUE_ROUTES, Queue(context, engine.wake, messages.find))),
        subscriber=followers, run=followers.run, conditions={"msg": MessageCondition(context)}, health=health,
        purge=purge,
    )  # fmt: skip
