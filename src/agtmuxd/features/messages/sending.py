"""Send messages and replies: find the recipients, check the limits, and store the message with its deliveries.

All of it is one transaction: either every recipient gets the message, or none. Typing into panes is done by
``delivery``, which is woken afterwards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.actor import Actor
from agtmuxd.core.ids import uuid7
from agtmuxd.core.token_bucket import TokenBuckets
from agtmuxd.features.contract import Context, PublishChange
from agtmuxd.features.messages import channel_store, search
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages.items import ItemBuilder
from agtmuxd.features.messages.model import (
    BURST,
    PEOPLE,
    PEOPLE_DEPTH,
    QUEUE_DEPTH,
    RATE,
    REPLIES,
    Channel,
    Delivery,
    DeliveryRoute,
    DeliveryState,
    Kind,
    Message,
    NewMessage,
    Priority,
    check_new,
    digest,
    expiry,
    next_hop,
    route_of,
)
from agtmuxd.features.messages.receipts import acked

SYSTEM: Final = "agtmux"
"""The sender's label of what agtmux itself sends."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who gets a message, and what it hangs on. ``notify``: by agent id, the choice of a channel's member."""

    recipients: tuple[str, ...]
    channel: Channel | None = None
    notify: dict[str, str] | None = None
    parent: Message | None = None


class Sender:
    """Sends messages for people, agents and agtmux itself."""

    def __init__(
        self,
        context: Context,
        builder: ItemBuilder,
        *,
        find: Callable[[str], str],
        sent: Callable[[Message, Sequence[str]], Awaitable[None]],
    ) -> None:
        """``find``: gives the agent id of a recipient by name or ref. ``sent``: called once a message is stored."""
        self._context = context
        self._builder = builder
        self._find = find
        self._sent = sent
        self._buckets = TokenBuckets(RATE, BURST)

    async def send(self, actor: Actor, new: NewMessage) -> str:
        """Send a message and return its id. The same request returns the same id and sends nothing again."""
        context = self._context
        now = context.clock()
        new = replace(new, subject=context.redact(new.subject), body=context.redact(new.body),
                      refs=tuple(context.redact(dict(one)) for one in new.refs))  # fmt: skip
        who, seal = actor.agent_id or PEOPLE, _digest(new)
        done = await context.store.read(lambda c: rows.earlier_result(c, who, new.request_ref, seal))
        if done is not None:
            return done
        check_new(new, now)
        to = tuple(dict.fromkeys(self._find(name) for name in new.to))
        plan = await context.store.read(lambda connection: self._plan(connection, actor, new, to))
        for recipient in plan.recipients:
            context.allow(actor, "message", f"agent:{self._builder.recipient(recipient)}")
        self._limit(actor, plan.recipients, now)

        def work(connection: sqlite3.Connection, publish: PublishChange) -> tuple[str, Message | None]:
            earlier = rows.earlier_result(connection, who, new.request_ref, seal)
            if earlier is not None:
                return earlier, None
            message = self.store(connection, publish, self._message(actor, new, plan, seal, now), plan, actor.is_agent)
            rows.note_request(connection, who, new.request_ref, seal, message.message_id, now)
            if plan.parent is not None:
                self._note_reply(connection, publish, plan.parent, who, now)
            return message.message_id, message

        message_id, message = await context.write(work)
        if message is not None:
            await self._sent(message, plan.recipients)
        return message_id

    # ---------------------------------------------------------------- before the write

    def _plan(self, connection: sqlite3.Connection, actor: Actor, new: NewMessage, to: tuple[str, ...]) -> Plan:
        for name in new.depends_on:
            search.visible(connection, actor.agent_id, name)
        if new.parent is not None:
            return self._plan_reply(connection, actor, new.parent)
        return Plan(to) if new.channel is None else self._plan_channel(connection, actor, new.channel)

    def _plan_reply(self, connection: sqlite3.Connection, actor: Actor, name: str) -> Plan:
        parent = search.visible(connection, actor.agent_id, name)
        who = actor.agent_id or PEOPLE
        recipients: tuple[str, ...] = (parent.sender_agent_id or PEOPLE,)
        if recipients == (who,):  # to one's own message: to those who got it
            recipients = tuple(one.agent_id for one in rows.deliveries_of(connection, [parent.message_id])[
                parent.message_id] if one.agent_id != who)  # fmt: skip
        channel = channel_store.get_channel(connection, parent.channel_id) if parent.channel_id else None
        return Plan(recipients, channel, parent=parent)

    def _plan_channel(self, connection: sqlite3.Connection, actor: Actor, name: str) -> Plan:
        channel = one_channel(connection, name)
        notify = {str(member["agent_id"]): str(member["notify"]) for member in channel.members}
        if actor.agent_id is not None and actor.agent_id not in notify:
            raise AgtmuxError(
                "E_FORBIDDEN",
                f"you are not a member of {channel.full_name}: run agtmux channel join {channel.full_name}",
            )
        recipients = tuple(one for one, how in notify.items() if how != "none" and one != actor.agent_id)
        return Plan(recipients, channel, notify)

    def _limit(self, actor: Actor, recipients: Sequence[str], now: int) -> None:
        """Take a token for each recipient. Raises E_RATE_LIMITED. People are not limited."""
        if actor.agent_id is None:
            return
        wait = self._buckets.take([(actor.agent_id, one) for one in recipients], now)
        if wait > 0:
            seconds = int(wait) + 1
            raise AgtmuxError(
                "E_RATE_LIMITED",
                f"too many messages to one recipient: wait {seconds} s; put several points into one message",
                {"retry_after_s": seconds},
            )

    def _message(self, actor: Actor, new: NewMessage, plan: Plan, seal: str, now: int) -> Message:
        parent, name = plan.parent, uuid7(now)
        kind = new.kind or (REPLIES.get(parent.kind, Kind.NOTE) if parent is not None else Kind.NOTE)
        priority = new.priority or (parent.priority if parent is not None else Priority.NORMAL)
        return Message(
            name, actor.agent_id, actor.label, kind, priority, new.subject, new.body,
            parent.thread_id if parent is not None else name, new.request_ref, seal, now,
            parent_id=parent.message_id if parent is not None else None,
            channel_id=plan.channel.channel_id if plan.channel is not None else None, refs=new.refs,
            depends_on=new.depends_on, reply_by=new.reply_by, expires_at=expiry(priority, now, new.reply_by),
            hop=next_hop(parent, by_agent=actor.is_agent) if parent is not None else 0,
        )  # fmt: skip

    # ---------------------------------------------------------------- the write

    def store(
        self, connection: sqlite3.Connection, publish: PublishChange, message: Message, plan: Plan, by_agent: bool
    ) -> Message:
        """Store a message and one delivery for each recipient, and publish them. Raises E_QUEUE_FULL."""
        self._check_depth(connection, plan.recipients)
        depends = tuple(rows.get_message(connection, name).message_id for name in message.depends_on)
        message = rows.add_message(connection, replace(message, depends_on=depends))
        publish("message", message.message_id, message.change())
        for agent_id in plan.recipients:
            route = DeliveryRoute.PULL
            if agent_id != PEOPLE:
                deliver, _ = rows.team_settings(connection, agent_id)
                notify = plan.notify.get(agent_id) if plan.notify is not None else None
                route = route_of(by_person=not by_agent, deliver=deliver, notify=notify)
            delivery = Delivery(
                uuid7(message.created_at), message.message_id, agent_id, DeliveryState.QUEUED, route,
                rows.next_position(connection, agent_id, message.priority), message.created_at,
            )  # fmt: skip
            rows.add_delivery(connection, delivery)
            publish("delivery", delivery.delivery_id, self._builder.delivery(delivery))
        return message

    def _check_depth(self, connection: sqlite3.Connection, recipients: Sequence[str]) -> None:
        full = [
            one
            for one in recipients
            if rows.open_count(connection, one) >= (QUEUE_DEPTH if one != PEOPLE else PEOPLE_DEPTH)
        ]
        if full:
            names = ", ".join(self._builder.recipient(one) for one in full)
            cap = PEOPLE_DEPTH if full == [PEOPLE] else QUEUE_DEPTH
            raise AgtmuxError(
                "E_QUEUE_FULL",
                f"{names}: {cap} messages wait there already: let them be read, or cancel some (agtmux outbox)",
                {"recipients": [self._builder.recipient(one) for one in full], "cap": cap},
            )

    def _note_reply(
        self, connection: sqlite3.Connection, publish: PublishChange, parent: Message, who: str, now: int
    ) -> None:
        """Count a reply as the acknowledgement of what it replies to."""
        delivery = rows.delivery_to(connection, parent.message_id, who)
        if delivery is not None and delivery.acked_at is None and delivery.state is not DeliveryState.CANCELLED:
            delivery = acked(delivery, now)
            rows.save_delivery(connection, delivery)
            publish("delivery", delivery.delivery_id, self._builder.delivery(delivery))


def one_channel(connection: sqlite3.Connection, name: str) -> Channel:
    """Return the channel of this name. Raises E_NOT_FOUND and E_REF_AMBIGUOUS, both with ``candidates``."""
    found = channel_store.named(connection, name)
    if len(found) == 1:
        return found[0]
    names = sorted(one.full_name for one in found or channel_store.channels(connection))[:20]
    details: dict[str, object] = {"candidates": names}
    if found:
        raise AgtmuxError(
            "E_REF_AMBIGUOUS", f"{len(found)} channels are called {name}: use {', '.join(names)}", details
        )
    raise AgtmuxError("E_NOT_FOUND", f"there is no channel {name[:80]!r}: agtmux channel list shows them", details)


def _digest(new: NewMessage) -> str:
    fields: dict[str, Any] = {name: getattr(new, name) for name in NewMessage.__dataclass_fields__}
    return digest("send", fields)
