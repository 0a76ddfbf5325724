"""Do what time does to messages: let them expire, notice answers that are overdue, and show what agents ask of people.

``run`` sleeps until the next message expires or its answer is due. While there is none it does nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.ids import uuid7
from agtmuxd.core.json_codec import stamp
from agtmuxd.features.contract import Context, PublishChange
from agtmuxd.features.messages import receipts
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages import upkeep_store as upkeep
from agtmuxd.features.messages.items import ItemBuilder
from agtmuxd.features.messages.model import NS, PEOPLE, Kind, Message, Priority, expiry, is_answer
from agtmuxd.features.messages.sending import SYSTEM, Plan, Sender
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync

_LOG = structlog.get_logger("messages")
FIELD: Final = "asks"
"""The field of a pane's row that says what its agent asks of people."""
LONGEST: Final = 3600.0
"""Seconds of the longest sleep, in case the clock was set."""
AFTER_FAILURE: Final = 30.0


class Upkeep:
    """The background work of messages. ``run`` runs until cancelled."""

    def __init__(self, context: Context, builder: ItemBuilder, sender: Sender, wake: Callable[[str], None]) -> None:
        """``wake``: of the delivery engine."""
        self._context = context
        self._builder = builder
        self._sender = sender
        self._wake_engine = wake
        self._changed = asyncio.Event()
        self._looked_at = 0

    def wake(self) -> None:
        """Look again when the next thing is due: a message was sent."""
        self._changed.set()

    async def run(self) -> None:
        """Wait for the next time and do what is due, until cancelled."""
        while True:
            self._changed.clear()
            try:
                pause = await self.step()
            except AgtmuxError as error:
                _LOG.warning("messages could not be looked after; trying again", error=error.message)
                pause = AFTER_FAILURE
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)

    async def step(self) -> float | None:
        """Do what is due. Return the seconds until the next thing is; None if nothing waits."""
        now = self._context.clock()
        while await self._expire(now):
            continue
        await self._notice_overdue(now)
        due = await self._context.store.read(lambda connection: upkeep.next_due(connection, self._looked_at))
        return None if due is None else min(LONGEST, max(0.05, (due - now) / NS))

    async def _expire(self, now: int) -> int:
        """Let deliveries expire that waited too long. Return how many."""

        def work(connection: sqlite3.Connection, publish: PublishChange) -> list[str]:
            found = [receipts.expired(one, now) for one in upkeep.expired(connection, now)]
            ended = [one for one in found if one is not None]
            for one in ended:
                rows.save_delivery(connection, one)
                publish("delivery", one.delivery_id, self._builder.delivery(one))
            return [one.agent_id for one in ended]

        if not await self._context.store.read(lambda connection: upkeep.expired(connection, now)):
            return 0
        agents = await self._context.write(work)
        for agent_id in set(agents) - {PEOPLE}:
            self._wake_engine(agent_id)
        return len(agents)

    async def _notice_overdue(self, now: int) -> None:
        """Notify somebody, once, of each answer that did not come in time."""
        after, self._looked_at = self._looked_at, now
        found = await self._context.store.read(lambda connection: self._unanswered(connection, after, now))
        for message, person in found:
            notice, plan = self._notice(message, person, now)
            await self._context.write(_overdue_work(self._sender, message, notice, plan, now))
            _LOG.info("no answer came in time", message=message.message_id)
            for agent_id in plan.recipients if plan is not None else ():
                if agent_id != PEOPLE:
                    self._wake_engine(agent_id)
            await self.show_asks(message.sender_agent_id)

    def _unanswered(self, connection: sqlite3.Connection, after: int, now: int) -> list[tuple[Message, str | None]]:
        """Return the messages whose answer is overdue, with ``escalate_to`` of the sender's team."""
        return [
            (one, rows.team_settings(connection, one.sender_agent_id or "")[1])
            for one in upkeep.due(connection, after, now)
            if not any(is_answer(one, reply) for reply in rows.replies(connection, one.message_id))
        ]

    def _notice(self, message: Message, person: str | None, now: int) -> tuple[Message | None, Plan | None]:
        """Make the message that says so: to the agent whom the team escalates to, or to people.

        None without a team that escalates: then the sender's pane draws attention, and nobody gets a message.
        """
        if person is None and message.sender_agent_id is not None:
            return None, None
        recipient = PEOPLE
        if person is not None:
            with suppress(AgtmuxError):  # the team escalates to a person, who is no agent
                recipient = self._context.agents.find(person).agent_id
        name = uuid7(now)
        subject = message.subject or f"message {message.seq}"
        notice = Message(
            name, None, SYSTEM, Kind.STATUS, Priority.URGENT, f"No answer in time: {subject}"[:200],
            f"Nobody answered message {message.seq} of {message.sender_label} by {stamp(message.reply_by or now)}."
            f" Read it with: agtmux msg show {message.seq}",
            name, f"overdue-{message.message_id}", "", now, refs=({"message": message.message_id},),
            expires_at=expiry(Priority.URGENT, now, None),
        )  # fmt: skip
        return notice, Plan((recipient,))

    # ---------------------------------------------------------------- what agents ask of people

    async def show_asks(self, agent_id: str | None) -> None:
        """Show on the row of an agent's pane what it asks of people, and draw attention to what is new."""
        agent = self._context.agents.get(agent_id) if agent_id else None
        if agent is None or agent.runtime_id is None:
            return
        name = agent.agent_id
        found = await self._context.store.read(lambda connection: upkeep.asks(connection, name))
        before = (self._context.repository.annotations.get(agent.runtime_id) or {}).get(FIELD)
        value = asks_value(found, before)
        if value != before:
            await self._context.annotate(agent.runtime_id, FIELD, value)

    async def on_changes(self, batch: Batch) -> None:
        """Show what an agent asks of people on the row of its new runtime."""
        for change in batch.changes.get("coord", ()):
            if change.identity["kind"] == "agent" and change.item is not None and change.item["runtime_id"] is not None:
                await self.show_asks(change.identity["id"])

    async def on_resync(self, reason: Resync) -> None:
        """Show what each agent asks of people: after a start, and after changes were lost."""
        del reason
        for agent in list(self._context.agents.all()):
            if agent.runtime_id is not None:
                await self.show_asks(agent.agent_id)


def asks_value(found: Sequence[tuple[Message, bool]], before: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the field ``asks`` of a row. What somebody acknowledged stays so until something newer comes.

    ``found``: messages, newest first; True: people should act on it.
    """
    if not found:
        return None
    message, act = next((one for one in found if one[1]), found[0])
    since = stamp(message.overdue_at or message.created_at)
    value: dict[str, Any] = {
        "since": since, "attention": "needs_action" if act else "review", "message_id": message.message_id,
        "kind": str(message.kind), "overdue": message.overdue_at is not None, "count": len(found),
    }  # fmt: skip
    if before is not None and before.get("seen") and since <= str(before.get("since")):
        value["seen"] = True
    return value


Work = Callable[[sqlite3.Connection, PublishChange], None]


def _overdue_work(sender: Sender, message: Message, notice: Message | None, plan: Plan | None, now: int) -> Work:
    def work(connection: sqlite3.Connection, publish: PublishChange) -> None:
        upkeep.set_overdue(connection, message.message_id, now)
        publish("message", message.message_id, replace(message, overdue_at=now).change())
        if notice is not None and plan is not None:
            try:
                sender.store(connection, publish, notice, plan, by_agent=True)
            except AgtmuxError as error:  # the queue is full: the row of the sender's pane still shows it
                _LOG.warning("nobody could be notified of an overdue answer", error=error.message)

    return work
