"""Let ``agtmux wait`` wait for a message: ``msg:ID=delivered``, ``read``, ``acked`` or ``answered``."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.actor import Actor
from agtmuxd.features.contract import Context
from agtmuxd.features.messages import search
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages.model import REACHED, is_answer, reached

ANSWERED: Final = "answered"
RECEIPTS: Final = (*REACHED, ANSWERED)


class MessageCondition:
    """Implements ``Condition`` of the contract."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def wakes_on(self) -> frozenset[str]:
        return frozenset({"message", "delivery"})

    async def prepare(self, operand: str, actor: Actor) -> str:
        """Check ``ID=RECEIPT`` and return it with the message's own id."""
        name, _, receipt = operand.rpartition("=")
        if not name or receipt not in RECEIPTS:
            raise AgtmuxError(
                "E_INVALID_REQUEST", f"msg:{operand[:80]} is no condition: write msg:ID={'|'.join(RECEIPTS)}"
            )
        message = await self._context.store.read(lambda connection: search.visible(connection, actor.agent_id, name))
        return f"{message.message_id}={receipt}"

    async def check(self, operand: str, agent_id: str | None) -> dict[str, Any] | None:
        """Return how the condition is met. Raises E_NOT_FOUND if it never will be."""
        name, _, receipt = operand.rpartition("=")
        return await self._context.store.read(lambda connection: _check(connection, name, receipt, agent_id))


def _check(connection: sqlite3.Connection, name: str, receipt: str, viewer: str | None) -> dict[str, Any] | None:
    message = search.visible(connection, viewer, name)
    if receipt == ANSWERED:
        answers = [one for one in rows.replies(connection, name) if is_answer(message, one)]
        if answers:
            return {"message_id": name, "answer_id": answers[-1].message_id}
        if message.cancelled_at is not None:
            raise _never(message.seq, receipt, "it was cancelled")
        return None
    deliveries = rows.deliveries_of(connection, [name])[name]
    met = reached([one.state for one in deliveries], receipt)
    if met is None:
        states = sorted({str(one.state) for one in deliveries})
        raise _never(message.seq, receipt, f"it is {', '.join(states)}")
    return {"message_id": name, "deliveries": [one.delivery_id for one in deliveries]} if met else None


def _never(seq: int, receipt: str, why: str) -> AgtmuxError:
    return AgtmuxError("E_NOT_FOUND", f"message {seq} will never be {receipt}: {why}")
