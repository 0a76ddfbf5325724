"""Build the feature messages: routes, a task, a subscriber and the condition ``msg``."""

from __future__ import annotations

import sqlite3
from typing import Final

from agtmuxd.api.route import RouteTable
from agtmuxd.core.model import NS
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.messages import upkeep_store
from agtmuxd.features.messages.conditions import MessageCondition
from agtmuxd.features.messages.routes import ROUTES
from agtmuxd.features.messages.service import Messages
from agtmuxd.store.housekeeping import forget_at

DAY: Final = 86_400 * NS


def build(context: Context) -> Feature:
    """Build the feature."""

    def wake(_agent_id: str) -> None:
        """Nothing types messages yet."""

    def purge(connection: sqlite3.Connection, now: int) -> int:
        at, _ = forget_at(connection)
        by = now if at is None else min(now, at + DAY)  # a clock that jumps ahead deletes nothing
        return upkeep_store.purge(connection, by - round(context.settings().retention.messages * DAY), by)

    messages = Messages(context, wake)
    return Feature(
        tables=(RouteTable(ROUTES, messages),), subscriber=messages.upkeep, run=messages.upkeep.run,
        conditions={"msg": MessageCondition(context)}, health=messages.health, purge=purge,
    )  # fmt: skip
