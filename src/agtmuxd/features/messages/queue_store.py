"""Hold the SQL of the queue of prompts: list, change and order what waits. Makes no decisions."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from agtmuxd.features.messages.model import OPEN, WAITING, Delivery, Message
from agtmuxd.features.messages.store import DELIVERY_COLUMNS, MESSAGE_COLUMNS, delivery_of, marks, message_of

_DELIVERY_FIELDS: Final = DELIVERY_COLUMNS.count(",") + 1


class Prompt(NamedTuple):
    """A person's prompt, and how far it is on its way."""

    message: Message
    delivery: Delivery


def _prompts(connection: sqlite3.Connection, where: str, values: Sequence[str]) -> list[Prompt]:
    rows = connection.execute(
        f"SELECT {DELIVERY_COLUMNS}, {MESSAGE_COLUMNS} FROM deliveries d"  # noqa: S608 constants
        f" JOIN messages m USING (message_id) WHERE m.kind = 'prompt' AND {where}"
        " ORDER BY d.agent_id, d.position, m.seq",
        values,
    )
    return [Prompt(message_of(row[_DELIVERY_FIELDS:]), delivery_of(row[:_DELIVERY_FIELDS])) for row in rows]


def open_prompts(connection: sqlite3.Connection, agent_id: str | None) -> list[Prompt]:
    """Return the prompts that have not arrived yet, in the order of each queue. ``agent_id`` None: of all agents."""
    where = f"d.state IN ({marks(OPEN)})" + ("" if agent_id is None else " AND d.agent_id = ?")
    return _prompts(connection, where, [*OPEN, *([] if agent_id is None else [agent_id])])


def get_prompt(connection: sqlite3.Connection, message_id: str) -> Prompt | None:
    """Return a prompt by its id, also one that has ended."""
    return next(iter(_prompts(connection, "m.message_id = ?", [message_id])), None)


def waiting_prompts(connection: sqlite3.Connection, agent_id: str) -> list[Prompt]:
    """Return an agent's prompts of which nothing was typed, in their order."""
    return _prompts(connection, f"d.agent_id = ? AND d.state IN ({marks(WAITING)})", [agent_id, *WAITING])


def set_text(connection: sqlite3.Connection, message_id: str, text: str) -> None:
    """Replace the text of a prompt."""
    connection.execute(
        "UPDATE messages SET body = ?, body_sha256 = ? WHERE message_id = ?",
        (text, hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(), message_id),
    )


def set_position(connection: sqlite3.Connection, delivery_id: str, position: float, now: int) -> None:
    """Move a delivery to a position of its queue."""
    connection.execute(
        "UPDATE deliveries SET position = ?, updated_at = ? WHERE delivery_id = ?", (position, now, delivery_id)
    )
