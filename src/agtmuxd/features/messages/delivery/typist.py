"""Type one claimed message, and write what became of it. Owns every change of a delivery's state by the engine.

The name of the action is stored before it is asked for. So after a crash the ledger says what became of it, and the
same text is never typed again without that answer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.action.request import Caller, Guards, Kind, Request, SendParams
from agtmuxd.core.ids import uuid7
from agtmuxd.features.contract import Act, PublishChange, Write
from agtmuxd.features.messages.delivery import store as rows
from agtmuxd.features.messages.delivery.backoff import MOST_FAILURES, pause
from agtmuxd.features.messages.delivery.evidence import (
    NEVER_ASKED,
    Attempt,
    Result,
    of_exception,
    of_receipt,
    of_record,
)
from agtmuxd.features.messages.delivery.gate import Recipient
from agtmuxd.features.messages.delivery.wording import typed_text
from agtmuxd.features.messages.model import Delivery, DeliveryState, Message
from agtmuxd.store import actions
from agtmuxd.store.db import Store

_LOG = structlog.get_logger("delivery")
S = DeliveryState


class Typist:
    """Types messages for the engine, one at a time for each agent."""

    def __init__(
        self,
        *,
        write: Write,
        store: Store,
        act: Act,
        name_of: Callable[[str], str | None],
        clock: Callable[[], int],
        failpoint: Callable[[str], None],
    ) -> None:
        """``name_of``: gives the name of an agent now."""
        self._write = write
        self._store = store
        self._act = act
        self._name_of = name_of
        self._clock = clock
        self._failpoint = failpoint

    async def type(self, waiting: Delivery, to: Recipient) -> tuple[Delivery, Attempt] | None:
        """Claim a message and type it. Return what became of it, None if it waits no more.

        Raises E_STORE_UNAVAILABLE; then it stays claimed, and ``recover`` finds out what became of it.
        """
        if to.runtime_id is None:
            raise ValueError("nothing is typed to an agent without a runtime")
        runtime_id, ref = to.runtime_id, f"delivery:{uuid7(self._clock())}"
        self._failpoint("delivery_before_claim")
        claimed = await self._claim(waiting.delivery_id, runtime_id, ref)
        self._failpoint("delivery_after_claim")
        if claimed is None:
            return None
        delivery, message = claimed
        guards = Guards(if_runtime=runtime_id, if_state_version=to.state_version)
        request = Request(
            Kind.SEND, ref, f"runtime:{runtime_id}", guards, SendParams(text=typed_text(message), enter=True)
        )
        self._failpoint("delivery_before_act")
        try:
            answer = await self._act(request, Caller(actor=f"message:{message.sender_label}"))
            attempt = of_receipt(answer["result"])
        except AgtmuxError as error:
            attempt = of_exception(error)
        self._failpoint("delivery_after_act")
        return await self.record(delivery, attempt), attempt

    async def recover(self, delivery: Delivery) -> tuple[Delivery, Attempt]:
        """Find out from the ledger what became of a claimed message, and write that. Never types.

        Call it only if its action cannot be running. Raises E_STORE_UNAVAILABLE.
        """
        ref = delivery.action_ref or ""
        row = await self._store.read(lambda connection: actions.find(connection, Kind.SEND, ref))
        attempt = NEVER_ASKED if row is None else of_record(row.result_code, row.error_code, row.metadata)
        _LOG.info("a message was being typed", delivery=delivery.delivery_id, result=str(attempt.result))
        return await self.record(delivery, attempt), attempt

    async def record(self, delivery: Delivery, attempt: Attempt) -> Delivery:
        """Write what an attempt came to. Return the delivery as it is now."""
        now = self._clock()
        fields: dict[str, Any]
        match attempt.result:
            case Result.SUBMITTED:
                fields = {"state": S.SUBMITTED, "submitted_at": now}
            case Result.UNCONFIRMED:
                fields = {"state": S.SUBMITTED_UNCONFIRMED, "submitted_at": now, "hold_reason": attempt.reason}
            case Result.REFUSED:
                fields = {"state": S.HELD, "hold_reason": attempt.reason, "runtime_id": None, "claimed_at": None}
                if attempt is NEVER_ASKED:
                    fields |= {"state": S.QUEUED, "hold_reason": None}
            case Result.FAILED | Result.REJECTED:
                tries = delivery.attempts + 1
                fields = {"attempts": tries, "error_code": attempt.reason, "runtime_id": None, "claimed_at": None}
                if attempt.result is Result.REJECTED or tries >= MOST_FAILURES:
                    fields |= {"state": S.DEAD}
                else:
                    fields |= {"state": S.HELD, "hold_reason": "failed", "next_try_at": now + pause(tries)}
        changed = await self._change(delivery.delivery_id, (S.CLAIMED,), **fields)
        if attempt.result is Result.SUBMITTED:
            self._failpoint("delivery_after_submitted")
        return changed or delivery

    async def hold(self, delivery: Delivery, reason: str) -> None:
        """Write why a message waits, unless that is what its row says."""
        if delivery.state is not S.HELD or delivery.hold_reason != reason:
            await self._change(delivery.delivery_id, rows.WAITING, state=S.HELD, hold_reason=reason)

    async def delivered(self, delivery: Delivery, evidence: str) -> None:
        """Write that a message arrived."""
        self._failpoint("delivery_before_delivered")
        await self._change(
            delivery.delivery_id, (S.SUBMITTED,), state=S.DELIVERED, delivered_at=self._clock(), evidence=evidence
        )
        self._failpoint("delivery_after_delivered")

    async def unconfirmed(self, delivery: Delivery) -> None:
        """Write that no sign of a message's arrival came in time."""
        fields = {"state": S.SUBMITTED_UNCONFIRMED, "hold_reason": "no_turn"}
        await self._change(delivery.delivery_id, (S.SUBMITTED,), **fields)

    async def expire(self, agent_id: str) -> int:
        """Expire what waited too long for an agent. Return how many messages that were."""

        def work(connection: sqlite3.Connection, publish: PublishChange) -> int:
            ended = rows.expire(connection, agent_id, self._clock())
            for one in ended:
                self._publish(publish, one)
            return len(ended)

        return await self._write(work)

    # ---------------------------------------------------------------- writes

    async def _claim(self, delivery_id: str, runtime_id: str, ref: str) -> tuple[Delivery, Message] | None:
        def work(connection: sqlite3.Connection, publish: PublishChange) -> tuple[Delivery, Message] | None:
            found = rows.claim(connection, delivery_id, self._clock(), runtime_id=runtime_id, action_ref=ref)
            if found is not None:
                self._publish(publish, found[0])
            return found

        return await self._write(work)

    async def _change(self, delivery_id: str, from_states: Sequence[DeliveryState], **fields: Any) -> Delivery | None:
        def work(connection: sqlite3.Connection, publish: PublishChange) -> Delivery | None:
            changed = rows.change(connection, delivery_id, from_states, self._clock(), **fields)
            if changed is not None:
                self._publish(publish, changed)
            return changed

        return await self._write(work)

    def _publish(self, publish: PublishChange, one: Delivery) -> None:
        item = one.item(self._name_of(one.agent_id))
        publish("delivery", one.delivery_id, item)
        if one.state is S.DEAD:
            publish("dead_letter", one.delivery_id, item)
