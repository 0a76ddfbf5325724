"""Hold the SQL of messages and deliveries: read and write single rows. Makes no decisions.

``search`` finds messages by filters, ``channel_store`` holds channels, and ``upkeep`` what time does to messages.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.messages.model import (
    BAND,
    BANDS,
    OPEN,
    Delivery,
    DeliveryRoute,
    DeliveryState,
    Kind,
    Message,
    Priority,
)

_MESSAGE: Final = (
    "message_id, sender_agent_id, sender_label, kind, priority, subject, body, thread_id, request_ref, request_digest,"
    " created_at, seq, parent_id, channel_id, refs_json, depends_on_json, reply_by, overdue_at, expires_at, hop,"
    " cancelled_at"
)
MESSAGE_COLUMNS: Final = ", ".join(f"m.{name.strip()}" for name in _MESSAGE.split(","))
"""The columns of ``message_of``, of the table ``messages m``."""
_DELIVERY: Final = (
    "delivery_id, message_id, agent_id, state, route, position, updated_at, hold_reason, attempts, next_try_at,"
    " runtime_id, claimed_at, action_ref, submitted_at, delivered_at, evidence, read_at, acked_at, error_code"
)
DELIVERY_COLUMNS: Final = ", ".join(f"d.{name.strip()}" for name in _DELIVERY.split(","))
"""The columns of ``delivery_of``, of the table ``deliveries d``."""


def marks(values: Sequence[Any]) -> str:
    """Return a question mark for each value."""
    return ",".join("?" * len(values))


def message_of(row: Sequence[Any]) -> Message:
    """Build a message from a row of ``MESSAGE_COLUMNS``."""
    return Message(
        row[0], row[1], row[2], Kind(row[3]), Priority(row[4]), row[5], row[6], row[7], row[8], row[9], row[10],
        row[11], row[12], row[13], tuple(json.loads(row[14])), tuple(json.loads(row[15])), row[16], row[17],
        row[18], row[19], row[20],
    )  # fmt: skip


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Build a delivery from a row of ``DELIVERY_COLUMNS``."""
    return Delivery(row[0], row[1], row[2], DeliveryState(row[3]), DeliveryRoute(row[4]), *row[5:])


# ---------------------------------------------------------------- messages


def add_message(connection: sqlite3.Connection, message: Message) -> Message:
    """Add a message and return it with its ``seq``."""
    cursor = connection.execute(
        f"INSERT INTO messages ({_MESSAGE}, body_sha256)"  # noqa: S608
        f" VALUES ({marks(range(22))})",
        (
            message.message_id, message.sender_agent_id, message.sender_label, message.kind, message.priority,
            message.subject, message.body, message.thread_id, message.request_ref, message.request_digest,
            message.created_at, None, message.parent_id, message.channel_id, json.dumps(list(message.refs)),
            json.dumps(list(message.depends_on)), message.reply_by, message.overdue_at, message.expires_at,
            message.hop, message.cancelled_at, _sha256(message.body),
        ),
    )  # fmt: skip
    return replace(message, seq=int(cursor.lastrowid or 0))


def _sha256(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode("utf-8", "replace")).hexdigest()


def get_message(connection: sqlite3.Connection, name: str) -> Message:
    """Return a message by its id or its number (``seq``). Raises E_NOT_FOUND."""
    column = "seq" if name.isascii() and name.isdecimal() and len(name) < 19 else "message_id"
    row = connection.execute(f"SELECT {MESSAGE_COLUMNS} FROM messages m WHERE {column} = ?", (name,)).fetchone()  # noqa: S608
    if row is None:
        raise no_message(name)
    return message_of(row)


def no_message(name: str) -> AgtmuxError:
    """Return the error for a message that is not there, or that the caller may not see."""
    return AgtmuxError("E_NOT_FOUND", f"there is no message {name[:64]!r}: agtmux inbox and agtmux outbox list yours")


def thread(connection: sqlite3.Connection, thread_id: str) -> list[Message]:
    """Return the messages of a thread, oldest first."""
    rows = connection.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages m WHERE thread_id = ? ORDER BY seq",  # noqa: S608
        (thread_id,),
    )
    return [message_of(row) for row in rows]


def replies(connection: sqlite3.Connection, message_id: str) -> list[Message]:
    """Return the direct replies to a message, oldest first."""
    rows = connection.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages m WHERE parent_id = ? ORDER BY seq",  # noqa: S608
        (message_id,),
    )
    return [message_of(row) for row in rows]


def tasks_after(connection: sqlite3.Connection, message_id: str) -> list[Message]:
    """Return the tasks that depend on a message, oldest first."""
    rows = connection.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages m WHERE kind = 'task' AND depends_on_json <> '[]'"  # noqa: S608
        " AND EXISTS (SELECT 1 FROM json_each(m.depends_on_json) WHERE value = ?) ORDER BY seq",
        (message_id,),
    )
    return [message_of(row) for row in rows]


def set_cancelled(connection: sqlite3.Connection, message_id: str, at: int) -> None:
    """Note when a message was cancelled."""
    connection.execute("UPDATE messages SET cancelled_at = ? WHERE message_id = ?", (at, message_id))


def newest_seq(connection: sqlite3.Connection) -> int:
    """Return the number of the newest message that was ever stored, 0 if there was none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
    return 0 if row is None else int(row[0])


# ---------------------------------------------------------------- deliveries


def add_delivery(connection: sqlite3.Connection, delivery: Delivery) -> None:
    """Add a delivery."""
    connection.execute(
        f"INSERT INTO deliveries ({_DELIVERY}) VALUES ({marks(range(19))})",  # noqa: S608
        _values(delivery),
    )


def save_delivery(connection: sqlite3.Connection, delivery: Delivery) -> None:
    """Write all fields of a delivery that is there."""
    columns = ", ".join(f"{name.strip()} = ?" for name in _DELIVERY.split(","))
    connection.execute(
        f"UPDATE deliveries SET {columns} WHERE delivery_id = ?",  # noqa: S608
        (*_values(delivery), delivery.delivery_id),
    )


def _values(d: Delivery) -> tuple[Any, ...]:
    return (
        d.delivery_id, d.message_id, d.agent_id, d.state, d.route, d.position, d.updated_at, d.hold_reason, d.attempts,
        d.next_try_at, d.runtime_id, d.claimed_at, d.action_ref, d.submitted_at, d.delivered_at, d.evidence, d.read_at,
        d.acked_at, d.error_code,
    )  # fmt: skip


def get_delivery(connection: sqlite3.Connection, delivery_id: str) -> Delivery:
    """Return a delivery by its id. Raises E_NOT_FOUND."""
    row = connection.execute(
        f"SELECT {DELIVERY_COLUMNS} FROM deliveries d WHERE delivery_id = ?",  # noqa: S608
        (delivery_id,),
    ).fetchone()
    if row is None:
        raise AgtmuxError(
            "E_NOT_FOUND", f"there is no delivery {delivery_id[:64]!r}: agtmux outbox lists deliveries by message"
        )
    return delivery_of(row)


def deliveries_of(connection: sqlite3.Connection, message_ids: Iterable[str]) -> dict[str, list[Delivery]]:
    """Return the deliveries of these messages, by message id, in the order in which they were made."""
    wanted = list(message_ids)
    out: dict[str, list[Delivery]] = {name: [] for name in wanted}
    rows = connection.execute(
        f"SELECT {DELIVERY_COLUMNS} FROM deliveries d WHERE message_id IN ({marks(wanted)}) ORDER BY rowid",  # noqa: S608
        wanted,
    )
    for row in rows:
        one = delivery_of(row)
        out[one.message_id].append(one)
    return out


def delivery_to(connection: sqlite3.Connection, message_id: str, agent_id: str) -> Delivery | None:
    """Return the delivery of a message to this recipient."""
    row = connection.execute(
        f"SELECT {DELIVERY_COLUMNS} FROM deliveries d WHERE message_id = ? AND agent_id = ?",  # noqa: S608
        (message_id, agent_id),
    ).fetchone()
    return None if row is None else delivery_of(row)


def open_count(connection: sqlite3.Connection, agent_id: str) -> int:
    """Count the open deliveries of a recipient."""
    row = connection.execute(
        f"SELECT count(*) FROM deliveries WHERE agent_id = ? AND state IN ({marks(OPEN)})",  # noqa: S608
        (agent_id, *OPEN),
    ).fetchone()
    return int(row[0])


def next_position(connection: sqlite3.Connection, agent_id: str, priority: Priority) -> float:
    """Return the position after all open deliveries of this priority in a recipient's queue."""
    begin = BANDS[priority]
    row = connection.execute(
        f"SELECT max(position) FROM deliveries WHERE agent_id = ? AND state IN ({marks(OPEN)}) AND position < ?",  # noqa: S608
        (agent_id, *OPEN, begin + BAND),
    ).fetchone()
    return float(max(begin, int(row[0]) if row[0] is not None else begin) + 1)


# ---------------------------------------------------------------- reactions


def add_reaction(connection: sqlite3.Connection, message_id: str, agent_id: str, reaction: str, at: int) -> bool:
    """Add a reaction. Return whether it is new."""
    cursor = connection.execute(
        "INSERT INTO reactions VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (message_id, agent_id, reaction, at)
    )
    return cursor.rowcount == 1


def reactions_of(connection: sqlite3.Connection, message_ids: Iterable[str]) -> dict[str, list[tuple[str, str, int]]]:
    """Return (agent id, reaction, when) of these messages, by message id, oldest first."""
    wanted = list(message_ids)
    out: dict[str, list[tuple[str, str, int]]] = {name: [] for name in wanted}
    rows = connection.execute(
        f"SELECT message_id, agent_id, reaction, made_at FROM reactions WHERE message_id IN ({marks(wanted)})"  # noqa: S608
        " ORDER BY made_at",
        wanted,
    )
    for name, agent_id, reaction, at in rows:
        out[name].append((agent_id, reaction, at))
    return out


# ---------------------------------------------------------------- writes are done once


def earlier_result(connection: sqlite3.Connection, agent_id: str, request_ref: str, digest: str) -> str | None:
    """Return what the same request was about, if it was done before. ``agent_id``: who asks, "" for a person.

    Raises E_IDEMPOTENCY_CONFLICT if this ``request_ref`` named another request.
    """
    row = connection.execute(
        "SELECT digest, result_id FROM message_requests WHERE agent_id = ? AND request_ref = ?", (agent_id, request_ref)
    ).fetchone()
    if row is None:
        return None
    if row[0] != digest:
        raise AgtmuxError(
            "E_IDEMPOTENCY_CONFLICT",
            f"request_ref {request_ref} was used for another request: use a new one for each request",
            {"request_ref": request_ref},
        )
    return str(row[1])


def note_request(
    connection: sqlite3.Connection, agent_id: str, request_ref: str, digest: str, result_id: str, at: int
) -> None:
    """Note that a request was done. Call it in the transaction that did it."""
    connection.execute(
        "INSERT INTO message_requests VALUES (?, ?, ?, ?, ?)", (agent_id, request_ref, digest, result_id, at)
    )


# ---------------------------------------------------------------- teams


def team_settings(connection: sqlite3.Connection, agent_id: str) -> tuple[str | None, str | None]:
    """Return ``deliver`` of an agent, or else of its team, and the team's ``escalate_to``; None where it has none."""
    row = connection.execute(
        "SELECT ifnull(a.deliver, t.deliver), t.escalate_to FROM agents a LEFT JOIN teams t USING (team_id)"
        " WHERE a.agent_id = ?",
        (agent_id,),
    ).fetchone()
    return (None, None) if row is None else (row[0], row[1])
