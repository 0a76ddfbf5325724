"""Make the items of answers: messages with their deliveries and reactions, as far as the reader may see them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from agtmuxd.core.json_codec import stamp
from agtmuxd.features.contract import Agents
from agtmuxd.features.messages import channel_store
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages.model import TO_PEOPLE, Channel, Delivery, Kind, Message, is_answer, ready


class ItemBuilder:
    """Builds items. The names of agents are those that they have now."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    def name(self, agent_id: str | None) -> str | None:
        """Return an agent's name, with its team if it has one. None for people and for an agent that is gone."""
        agent = self._agents.get(agent_id) if agent_id else None
        return None if agent is None else agent.full_name

    def recipient(self, agent_id: str) -> str:
        """Return how a recipient is named in texts."""
        return (self.name(agent_id) or agent_id) if agent_id else TO_PEOPLE

    def delivery(self, one: Delivery) -> dict[str, Any]:
        """Make the item of a delivery."""
        return one.item(self.name(one.agent_id))

    def channel(self, one: Channel) -> dict[str, Any]:
        """Make the item of a channel, with the names of its members."""
        item = one.item()
        item["members"] = [
            {"agent_id": m["agent_id"], "agent": self.name(m["agent_id"]), "notify": m["notify"],
             "joined_at": stamp(m["joined_at"])}
            for m in one.members
        ]  # fmt: skip
        return item

    def messages(
        self, connection: sqlite3.Connection, found: Sequence[Message], viewer: str | None, *, body: bool
    ) -> list[dict[str, Any]]:
        """Make the items of messages.

        ``viewer``: the agent that reads; it sees all deliveries of what it sent, and else only its own. None: a person.
        """
        ids = [one.message_id for one in found]
        deliveries, reactions = rows.deliveries_of(connection, ids), rows.reactions_of(connection, ids)
        channels = channel_store.names_of(connection, {one.channel_id for one in found if one.channel_id})
        items = []
        for one in found:
            item = one.item(body=body, channel=channels.get(one.channel_id or ""), ready=self.is_ready(connection, one))
            if (name := self.name(one.sender_agent_id)) is not None:
                item["sender"] = f"agent:{name}"
            seen = [
                d for d in deliveries[one.message_id] if viewer in (None, one.sender_agent_id) or d.agent_id == viewer
            ]
            item["deliveries"] = [self.delivery(d) for d in seen]
            item["reactions"] = [
                {"agent_id": who or None, "agent": self.name(who), "reaction": reaction, "made_at": stamp(at)}
                for who, reaction, at in reactions[one.message_id]
            ]
            items.append(item)
        return items

    def is_ready(self, connection: sqlite3.Connection, task: Message) -> bool | None:
        """Return whether a task can begin: each message that it depends on has a result, and all of them are acked.

        None for what is no task.
        """
        if task.kind is not Kind.TASK:
            return None
        return ready([self._is_done(connection, name) for name in task.depends_on])

    def _is_done(self, connection: sqlite3.Connection, message_id: str) -> bool:
        replies = rows.replies(connection, message_id)
        if not replies:
            return False
        needed = rows.get_message(connection, message_id)
        results = [one.message_id for one in replies if is_answer(needed, one)]
        receipts = rows.deliveries_of(connection, results)
        return bool(results) and all(d.acked_at is not None for name in results for d in receipts[name])
