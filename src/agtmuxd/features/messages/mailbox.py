"""Take receipts, reactions and cancellations, and try failed deliveries again.

Each is one transaction, done once for each ``request_ref``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.actor import Actor
from agtmuxd.core.json_codec import stamp
from agtmuxd.features.contract import Context, PublishChange
from agtmuxd.features.messages import receipts, search
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages.items import ItemBuilder
from agtmuxd.features.messages.model import PEOPLE, Delivery, DeliveryState, Message, Reaction, digest

RECEIPTS: Final = {"read": receipts.read, "ack": receipts.acked}
FAILED: Final = {"retry": receipts.retried, "drop": receipts.dropped}
Changed = Callable[[Message, Sequence[str]], Awaitable[None]]
"""``await changed(message, agent_ids)``: the deliveries of a message to these recipients have changed."""
Work = Callable[[sqlite3.Connection, PublishChange], tuple[str, Message, list[Delivery]]]
"""Returns what the request was about, its message, and the deliveries that changed."""


class Mailbox:
    """Changes messages that were sent."""

    def __init__(self, context: Context, builder: ItemBuilder, changed: Changed) -> None:
        self._context = context
        self._builder = builder
        self._changed = changed

    async def receipt(self, actor: Actor, what: str, name: str, request_ref: str | None) -> str:
        """Note that the actor read (``read``) or acknowledges (``ack``) a message; return its id.

        ``request_ref`` None: it is not noted, because reading twice changes nothing.
        """
        context, who, now = self._context, actor.agent_id or PEOPLE, self._context.clock()

        def work(connection: sqlite3.Connection, publish: PublishChange) -> tuple[str, Message, list[Delivery]]:
            message = search.visible(connection, actor.agent_id, name)
            delivery = rows.delivery_to(connection, message.message_id, who)
            if delivery is None:
                if what == "read":
                    return message.message_id, message, []
                raise AgtmuxError(
                    "E_PRECONDITION_FAILED",
                    f"message {message.seq} was not sent to you: only its recipients acknowledge it",
                )
            after = RECEIPTS[what](delivery, now)
            if after == delivery:
                return message.message_id, message, []
            rows.save_delivery(connection, after)
            self._publish(publish, after)
            self._publish_ready(connection, publish, message)
            return message.message_id, message, [after]

        seal = digest(what, {"message": name})
        context.allow(actor, "message", name)
        return await self._once(who, request_ref, seal, work, now)

    async def react(self, actor: Actor, name: str, reaction: Reaction, request_ref: str) -> str:
        """Add a reaction and return the id of the message. A reaction wakes no pane."""
        who, now = actor.agent_id or PEOPLE, self._context.clock()

        def work(connection: sqlite3.Connection, publish: PublishChange) -> tuple[str, Message, list[Delivery]]:
            message = search.visible(connection, actor.agent_id, name)
            if rows.add_reaction(connection, message.message_id, who, reaction, now):
                item = {
                    "message_id": message.message_id, "agent_id": who or None, "agent": self._builder.name(who),
                    "reaction": str(reaction), "made_at": stamp(now),
                }  # fmt: skip
                publish("reaction", f"{message.message_id}/{who}/{reaction}", item)
            return message.message_id, message, []

        self._context.allow(actor, "message", name)
        return await self._once(who, request_ref, digest("react", {"message": name, "reaction": reaction}), work, now)

    async def cancel(self, actor: Actor, name: str, request_ref: str) -> str:
        """Cancel a message for everybody who has not got it yet, and return its id.

        Raises E_FORBIDDEN unless the actor sent it or is a person, and E_PRECONDITION_FAILED if everybody has it.
        """
        who, now = actor.agent_id or PEOPLE, self._context.clock()

        def work(connection: sqlite3.Connection, publish: PublishChange) -> tuple[str, Message, list[Delivery]]:
            message = search.visible(connection, actor.agent_id, name)
            if actor.is_agent and message.sender_agent_id != actor.agent_id:
                raise AgtmuxError("E_FORBIDDEN", f"message {message.seq} is not yours: only its sender may cancel it")
            every = rows.deliveries_of(connection, [message.message_id])[message.message_id]
            changed = [after for one in every if (after := receipts.cancelled(one, now)) is not None]
            if not changed:
                states = sorted({str(one.state) for one in every}) or ["sent to nobody"]
                raise AgtmuxError(
                    "E_PRECONDITION_FAILED",
                    f"message {message.seq} is {', '.join(states)}: it is too late to cancel it",
                    {"states": states},
                )
            for one in changed:
                rows.save_delivery(connection, one)
                self._publish(publish, one)
            rows.set_cancelled(connection, message.message_id, now)
            publish("message", message.message_id, rows.get_message(connection, message.message_id).change())
            return message.message_id, message, changed

        self._context.allow(actor, "message", name)
        return await self._once(who, request_ref, digest("cancel", {"message": name}), work, now)

    async def failed(self, actor: Actor, what: str, delivery_id: str, request_ref: str) -> str:
        """Try a failed delivery once more (``retry``) or give it up (``drop``); return its id."""
        who, now = actor.agent_id or PEOPLE, self._context.clock()

        def work(connection: sqlite3.Connection, publish: PublishChange) -> tuple[str, Message, list[Delivery]]:
            before = rows.get_delivery(connection, delivery_id)
            message = rows.get_message(connection, before.message_id)
            after = FAILED[what](before, now)
            rows.save_delivery(connection, after)
            self._publish(publish, after)
            if before.state is DeliveryState.DEAD:
                publish("dead_letter", delivery_id, None)
            return delivery_id, message, [after]

        self._context.allow(actor, "message", delivery_id)
        return await self._once(who, request_ref, digest(what, {"delivery": delivery_id}), work, now)

    # ---------------------------------------------------------------- helpers

    async def _once(self, who: str, request_ref: str | None, seal: str, work: Work, now: int) -> str:
        def once(connection: sqlite3.Connection, publish: PublishChange) -> tuple[str, Message | None, list[Delivery]]:
            if request_ref is not None:
                earlier = rows.earlier_result(connection, who, request_ref, seal)
                if earlier is not None:
                    return earlier, None, []
            result, message, changed = work(connection, publish)
            if request_ref is not None:
                rows.note_request(connection, who, request_ref, seal, result, now)
            return result, message, changed

        result, message, changed = await self._context.write(once)
        if message is not None:
            await self._changed(message, [one.agent_id for one in changed])
        return result

    def _publish(self, publish: PublishChange, delivery: Delivery) -> None:
        publish("delivery", delivery.delivery_id, self._builder.delivery(delivery))

    def _publish_ready(self, connection: sqlite3.Connection, publish: PublishChange, result: Message) -> None:
        """Publish the tasks that may have become ready, because this result was acknowledged."""
        if result.parent_id is None:
            return
        for task in rows.tasks_after(connection, result.parent_id):
            publish("message", task.message_id, {**task.change(), "ready": self._builder.is_ready(connection, task)})
