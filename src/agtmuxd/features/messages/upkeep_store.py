"""Hold the SQL of what time does to messages: expiry, answers that are due, retention, and what seems wrong."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from agtmuxd.features.messages.model import NS, WAITING, Delivery, DeliveryState, Message
from agtmuxd.features.messages.store import DELIVERY_COLUMNS, MESSAGE_COLUMNS, delivery_of, marks, message_of

MOST_EXPIRED: Final = 500
"""Deliveries that expire in one transaction."""
MOST_PURGED: Final = 500
"""Threads that are deleted in one transaction."""
STUCK_AFTER: Final = 300 * NS
"""How long a delivery may be claimed, or wait after its expiry, before it counts as stuck."""
_IN_FLIGHT: Final = (DeliveryState.CLAIMED, DeliveryState.SUBMITTED)


def next_due(connection: sqlite3.Connection, after: int) -> int | None:
    """Return when the next message expires or its answer is due. Times of answers up to ``after`` were looked at."""
    row = connection.execute(
        "SELECT (SELECT min(m.expires_at) FROM deliveries d JOIN messages m USING (message_id)"  # noqa: S608
        f" WHERE d.state IN ({marks(WAITING)})),"
        " (SELECT min(reply_by) FROM messages"
        "  WHERE reply_by IS NOT NULL AND overdue_at IS NULL AND reply_by > ? AND cancelled_at IS NULL)",
        (*WAITING, after),
    ).fetchone()
    return min((int(at) for at in row if at is not None), default=None)


def expired(connection: sqlite3.Connection, now: int) -> list[Delivery]:
    """Return deliveries that wait although their message has expired."""
    rows = connection.execute(
        f"SELECT {DELIVERY_COLUMNS} FROM deliveries d JOIN messages m USING (message_id)"  # noqa: S608
        f" WHERE d.state IN ({marks(WAITING)}) AND m.expires_at <= ? LIMIT ?",
        (*WAITING, now, MOST_EXPIRED),
    )
    return [delivery_of(row) for row in rows.fetchall()]


def due(connection: sqlite3.Connection, after: int, now: int) -> list[Message]:
    """Return the messages whose answer was due after ``after``, up to ``now``, and that nobody was notified of."""
    rows = connection.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages m WHERE reply_by IS NOT NULL AND overdue_at IS NULL"  # noqa: S608
        " AND reply_by > ? AND reply_by <= ? AND cancelled_at IS NULL ORDER BY seq",
        (after, now),
    )
    return [message_of(row) for row in rows.fetchall()]


def set_overdue(connection: sqlite3.Connection, message_id: str, at: int) -> None:
    """Note that no answer came in time."""
    connection.execute("UPDATE messages SET overdue_at = ? WHERE message_id = ?", (at, message_id))


def purge(connection: sqlite3.Connection, before: int, now: int) -> int:
    """Delete threads whose newest message was sent before ``before``, and return how many rows that were.

    A thread in which a message is on its way or has not expired stays. So a reply always has its parent.
    """
    threads = [
        str(row[0])
        for row in connection.execute(
            "SELECT thread_id FROM messages GROUP BY thread_id"  # noqa: S608
            " HAVING max(created_at) < ? AND max(ifnull(expires_at, 0)) <= ? AND NOT EXISTS ("
            "  SELECT 1 FROM messages o JOIN deliveries d USING (message_id)"
            f"  WHERE o.thread_id = messages.thread_id AND d.state IN ({marks(_IN_FLIGHT)})) LIMIT ?",
            (before, now, *_IN_FLIGHT, MOST_PURGED),
        )
    ]
    deleted = 0
    if threads:
        newest = connection.execute(
            f"SELECT max(seq) FROM messages WHERE thread_id IN ({marks(threads)})",  # noqa: S608
            threads,
        ).fetchone()[0]
        deleted = connection.execute(
            f"DELETE FROM messages WHERE thread_id IN ({marks(threads)})",  # noqa: S608
            threads,
        ).rowcount
        connection.execute("UPDATE mailbox SET purged_seq = max(purged_seq, ?)", (newest,))
    requests = connection.execute(
        "DELETE FROM message_requests WHERE (agent_id, request_ref) IN"
        " (SELECT agent_id, request_ref FROM message_requests WHERE made_at < ? LIMIT ?)",
        (before, 4 * MOST_PURGED),
    ).rowcount
    return deleted + requests


# ---------------------------------------------------------------- what an agent asks of people


_ASKS: Final = """
WITH sent AS (
  SELECT m.seq, p.agent_id IS NOT NULL AND p.read_at IS NULL AND p.state <> 'expired' AS unread,
    NOT EXISTS (SELECT 1 FROM messages r
      WHERE r.parent_id = m.message_id AND r.cancelled_at IS NULL AND r.sender_agent_id IS NOT m.sender_agent_id)
    AND (m.overdue_at IS NOT NULL OR (
      (m.kind = 'blocker' OR (m.kind = 'question' AND p.agent_id IS NOT NULL))
      AND NOT EXISTS (SELECT 1 FROM deliveries a WHERE a.message_id = m.message_id AND a.acked_at IS NOT NULL)
    )) AS must_act
  FROM messages m LEFT JOIN deliveries p ON p.message_id = m.message_id AND p.agent_id = ''
  WHERE m.sender_agent_id = ? AND m.cancelled_at IS NULL
)
"""


def asks(connection: sqlite3.Connection, agent_id: str) -> list[tuple[Message, bool]]:
    """Return what an agent sent that people should see, newest first; True: they should act.

    People should see what is for them until they have read it. They should act on a blocker and on a question to them
    until it was acknowledged, and on a question that is overdue; on none of them once somebody else has replied.
    """
    rows = connection.execute(
        f"{_ASKS} SELECT {MESSAGE_COLUMNS}, must_act FROM sent JOIN messages m USING (seq)"  # noqa: S608
        " WHERE unread OR must_act ORDER BY seq DESC LIMIT 100",
        (agent_id,),
    )
    return [(message_of(row[:-1]), bool(row[-1])) for row in rows.fetchall()]


# ---------------------------------------------------------------- what seems wrong


def trouble(connection: sqlite3.Connection, now: int) -> dict[str, Any]:
    """Count deliveries that failed, and list those that are stuck and the recipients of open ones."""
    counts = dict(
        connection.execute(
            "SELECT state, count(*) FROM deliveries WHERE state IN ('dead', 'submitted_unconfirmed') GROUP BY state"
        ).fetchall()
    )
    late = now - STUCK_AFTER
    stuck = [
        str(row[0])
        for row in connection.execute(
            "SELECT d.delivery_id FROM deliveries d JOIN messages m USING (message_id) WHERE"  # noqa: S608
            f" (d.state IN ({marks(_IN_FLIGHT)}) AND d.updated_at < ?)"
            f" OR (d.state IN ({marks(WAITING)}) AND m.expires_at < ?) ORDER BY m.seq LIMIT 100",
            (*_IN_FLIGHT, late, *WAITING, late),
        )
    ]
    recipients = {
        str(row[0]): int(row[1])
        for row in connection.execute(
            f"SELECT agent_id, count(*) FROM deliveries WHERE state IN ({marks(WAITING)}) AND agent_id <> ''"  # noqa: S608
            " GROUP BY agent_id",
            WAITING,
        )
    }
    return {
        "dead": int(counts.get("dead", 0)), "unconfirmed": int(counts.get("submitted_unconfirmed", 0)), "stuck": stuck,
        "recipients": recipients,
    }  # fmt: skip
