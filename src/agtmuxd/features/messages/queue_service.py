"""Keep the queue of a person's prompts for each agent. The delivery engine types them, one a turn.

A prompt can be changed, moved and dropped until it is typed. It belongs to the agent, not to its runtime: if that ends,
the prompt waits until the agent has another one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import block
from agtmuxd.agents.model import Agent
from agtmuxd.core.ids import uuid7
from agtmuxd.core.json_codec import stamp, stamp_or_none
from agtmuxd.features.contract import Context, PublishChange
from agtmuxd.features.messages import queue_store as prompts
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages.delivery.gate import WORDS
from agtmuxd.features.messages.model import (
    QUEUE_DEPTH,
    WAITING,
    Delivery,
    DeliveryRoute,
    DeliveryState,
    Kind,
    Message,
    Priority,
    check_size,
    digest,
)
from agtmuxd.features.messages.queue_store import Prompt

PERSON: Final = ""
"""Who asks, in the list of requests that were done."""

Work = Callable[[sqlite3.Connection, PublishChange], str]


class Queue:
    """Implements ``QueueService`` of ``queue_routes``."""

    def __init__(self, context: Context, wake: Callable[[str], None], find: Callable[[str], str]) -> None:
        """``wake``: ``DeliveryEngine.wake``. ``find``: ``Messages.find``."""
        self.envelope = context.envelope
        self._context = context
        self._wake = wake
        self._find = find

    # ---------------------------------------------------------------- routes

    async def add(self, request_ref: str, ref: str, text: str, sender: str) -> dict[str, Any]:
        """Add a prompt to the end of an agent's queue. ``sender``: the person, in a word."""
        agent = self._agent(ref)
        self._check(text)
        now = self._context.clock()
        message = Message(
            uuid7(now), None, sender, Kind.PROMPT, Priority.NORMAL, "", text, "", request_ref,
            digest("queue.add", {"ref": ref, "text": text}), now,
        )  # fmt: skip
        message = replace(message, thread_id=message.message_id)

        def work(connection: sqlite3.Connection, publish: PublishChange) -> str:
            if rows.open_count(connection, agent.agent_id) >= QUEUE_DEPTH:
                raise AgtmuxError(
                    "E_QUEUE_FULL",
                    f"{QUEUE_DEPTH} messages wait for {agent.name}: drop some, or wait until it has taken some",
                    {"agent": agent.name, "cap": QUEUE_DEPTH},
                )
            position = rows.next_position(connection, agent.agent_id, Priority.NORMAL)
            delivery = Delivery(
                uuid7(now), message.message_id, agent.agent_id, DeliveryState.QUEUED, DeliveryRoute.PANE, position, now
            )  # fmt: skip
            stored = rows.add_message(connection, message)
            rows.add_delivery(connection, delivery)
            publish("message", stored.message_id, stored.change())
            self._publish(publish, delivery)
            return stored.message_id

        return await self._once(request_ref, message.request_digest, work)

    async def items(self, ref: str | None) -> list[dict[str, Any]]:
        """List what waits for one agent, or for all."""
        agent_id = None if ref is None else self._agent(ref).agent_id
        found = await self._context.store.read(lambda connection: prompts.open_prompts(connection, agent_id))
        return self._listed(found)

    async def edit(self, request_ref: str, message_id: str, text: str) -> dict[str, Any]:
        """Replace the text of a prompt that was not typed yet."""
        self._check(text)

        def work(connection: sqlite3.Connection, publish: PublishChange) -> str:
            found = self._waiting(connection, message_id, "edited")
            prompts.set_text(connection, message_id, text)
            publish("message", message_id, replace(found.message, body=text).change())
            return message_id

        return await self._once(request_ref, digest("queue.edit", {"id": message_id, "text": text}), work)

    async def move(self, request_ref: str, message_id: str, place: int) -> dict[str, Any]:
        """Move a prompt that was not typed yet to a place among those of its agent; 1 is the next."""

        def work(connection: sqlite3.Connection, publish: PublishChange) -> str:
            found, now = self._waiting(connection, message_id, "moved"), self._context.clock()
            before = prompts.waiting_prompts(connection, found.delivery.agent_id)
            order = [one for one in before if one.message.message_id != message_id]
            order.insert(place - 1, found)
            for one, at in zip(order, [one.delivery.position for one in before], strict=True):
                if one.delivery.position != at:
                    prompts.set_position(connection, one.delivery.delivery_id, at, now)
                    self._publish(publish, replace(one.delivery, position=at, updated_at=now))
            return message_id

        return await self._once(request_ref, digest("queue.move", {"id": message_id, "place": place}), work)

    async def drop(self, request_ref: str, message_id: str) -> dict[str, Any]:
        """Remove a prompt that was not typed yet."""

        def work(connection: sqlite3.Connection, publish: PublishChange) -> str:
            found, now = self._waiting(connection, message_id, "dropped"), self._context.clock()
            ended = replace(
                found.delivery, state=DeliveryState.CANCELLED, hold_reason=None, next_try_at=None, updated_at=now
            )
            rows.save_delivery(connection, ended)
            rows.set_cancelled(connection, message_id, now)
            publish("message", message_id, replace(found.message, cancelled_at=now).change())
            self._publish(publish, ended)
            return message_id

        return await self._once(request_ref, digest("queue.drop", {"id": message_id}), work)

    # ---------------------------------------------------------------- once, and checks

    async def _once(self, request_ref: str, request_digest: str, work: Work) -> dict[str, Any]:
        """Do the request unless it was done before, and return its item as it is now."""

        def once(connection: sqlite3.Connection, publish: PublishChange) -> Prompt:
            done = rows.earlier_result(connection, PERSON, request_ref, request_digest)
            if done is None:
                done = work(connection, publish)
                rows.note_request(connection, PERSON, request_ref, request_digest, done, self._context.clock())
            return self._get(connection, done)

        found = await self._context.write(once)
        self._wake(found.delivery.agent_id)
        waiting = await self._context.store.read(
            lambda connection: prompts.open_prompts(connection, found.delivery.agent_id)
        )
        listed = self._listed(waiting)
        mine = (one for one in listed if one["id"] == found.message.message_id)
        return next(mine, None) or self._item(found, None)

    def _agent(self, text: str) -> Agent:
        """Return the agent that a name or a full ref means. Raises E_AGENT_NOT_FOUND, E_REF_*."""
        agent_id = self._find(text)
        agent = self._context.agents.get(agent_id)
        if agent is None:
            raise AgtmuxError("E_AGENT_NOT_FOUND", f"the agent {text[:80]!r} has just gone: run agtmux agents")
        return agent

    def _check(self, text: str) -> None:
        """Refuse a text that cannot be typed as it is, or must not be stored."""
        check_size("", text)
        if not text.strip():
            raise AgtmuxError("E_INVALID_REQUEST", "text: it is empty")
        if block(text) != text.replace("\t", "    "):
            raise AgtmuxError(
                "E_INVALID_REQUEST", "text: it has control or invisible characters, which act as keys: remove them"
            )
        if self._context.redact(text) != text:
            raise AgtmuxError(
                "E_INVALID_REQUEST",
                "text: it seems to have a secret, and queued texts are stored: use agtmux prompt, which stores none",
            )

    def _get(self, connection: sqlite3.Connection, message_id: str) -> Prompt:
        found = prompts.get_prompt(connection, message_id)
        if found is None:
            raise AgtmuxError(
                "E_NOT_FOUND", f"there is no prompt {message_id[:64]!r} in a queue: run agtmux queue to list them"
            )
        return found

    def _waiting(self, connection: sqlite3.Connection, message_id: str, verb: str) -> Prompt:
        """Return a prompt that was not typed yet. Raises E_NOT_FOUND, E_PRECONDITION_FAILED."""
        found = self._get(connection, message_id)
        if found.delivery.state not in WAITING:
            raise AgtmuxError(
                "E_PRECONDITION_FAILED",
                f"it is {found.delivery.state}: only a prompt that was not typed yet can be {verb}",
                {"reason": "typed", "state": str(found.delivery.state)},
            )
        return found

    # ---------------------------------------------------------------- items

    def _publish(self, publish: PublishChange, delivery: Delivery) -> None:
        agent = self._context.agents.get(delivery.agent_id)
        publish("delivery", delivery.delivery_id, delivery.item(None if agent is None else agent.name))

    def _listed(self, found: Sequence[Prompt]) -> list[dict[str, Any]]:
        """Convert to items. Those that wait have their place in the queue of their agent."""
        places: dict[str, int] = {}
        items = []
        for one in found:
            waits = one.delivery.state in WAITING
            if waits:
                places[one.delivery.agent_id] = places.get(one.delivery.agent_id, 0) + 1
            items.append(self._item(one, places[one.delivery.agent_id] if waits else None))
        return items

    def _item(self, one: Prompt, place: int | None) -> dict[str, Any]:
        message, delivery = one
        agent = self._context.agents.get(delivery.agent_id)
        return {
            "id": message.message_id,
            "delivery_id": delivery.delivery_id,
            "agent_id": delivery.agent_id,
            "agent": None if agent is None else agent.name,
            "runtime_id": None if agent is None else agent.runtime_id,
            "place": place,
            "text": message.body,
            "state": str(delivery.state),
            "hold_reason": delivery.hold_reason,
            "why": _why(delivery),
            "created_at": stamp(message.created_at),
            "updated_at": stamp(delivery.updated_at),
            "submitted_at": stamp_or_none(delivery.submitted_at),
        }


def _why(delivery: Delivery) -> str | None:
    """Return why a prompt waits, in words."""
    reason = delivery.hold_reason
    return None if reason is None else WORDS.get(reason, f"it was not typed: {reason.replace('_', ' ')}")
