"""Find messages by filters, with the SQL for it, and count how far a reader has come.

A cursor is ``<epoch>:<seq>``: the database, and the newest message that the reader has seen. It outlives the daemon.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.messages.model import OPEN, PEOPLE, Delivery, DeliveryState, Message, quoted
from agtmuxd.features.messages.store import (
    DELIVERY_COLUMNS,
    MESSAGE_COLUMNS,
    delivery_of,
    get_message,
    marks,
    message_of,
    newest_seq,
    no_message,
)

_CURSOR = re.compile(r"([0-9a-f]{8}):([0-9]{1,18})")
UNDELIVERED: Final = (*OPEN, DeliveryState.EXPIRED, DeliveryState.DEAD)
"""States of deliveries that did not reach their recipient, or not yet."""
_VISIBLE = (
    "(m.sender_agent_id = :viewer OR EXISTS (SELECT 1 FROM deliveries v WHERE v.message_id = m.message_id"
    " AND v.agent_id = :viewer AND v.state <> 'cancelled')"
    " OR m.channel_id IN (SELECT channel_id FROM channel_members WHERE agent_id = :viewer))"
)
"""An agent sees what it sent, what it was sent, and what is in its channels."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """What the cursors of this database are checked against. ``newest``: the newest message ever stored."""

    epoch: str
    newest: int
    purged: int

    def at(self, seq: int) -> str:
        """Return the cursor after this message."""
        return f"{self.epoch}:{seq}"

    def after(self, text: str) -> int:
        """Return the message after which to read.

        Raises E_CURSOR_INVALID for no cursor or one that is ahead, and E_CURSOR_EXPIRED if messages after it were
        deleted.
        """
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise AgtmuxError(
                "E_CURSOR_INVALID", f"{text[:80]!r} is not a cursor: use next_cursor of an earlier answer"
            )
        seq = int(match[2])
        details: dict[str, object] = {"next_cursor": self.at(self.newest), "oldest_cursor": self.at(self.purged)}
        if match[1] != self.epoch or seq < self.purged:
            why = "it is of another database" if match[1] != self.epoch else "messages after it were deleted"
            raise AgtmuxError(
                "E_CURSOR_EXPIRED", f"the cursor cannot be used any more ({why}): read without it, then go on", details
            )
        if seq > self.newest:
            raise AgtmuxError(
                "E_CURSOR_INVALID",
                f"the cursor is ahead of the newest message ({self.newest}): read without it, then go on",
                {**details, "reason": "CURSOR_AHEAD"},
            )
        return seq


def cursor(connection: sqlite3.Connection) -> Cursor:
    """Read what cursors are checked against now."""
    epoch, purged = connection.execute("SELECT epoch, purged_seq FROM mailbox").fetchone()
    return Cursor(str(epoch), newest_seq(connection), int(purged))


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages to list. A field that is None does not filter.

    ``viewer``: the agent that asks; None: a person, who sees all. ``to`` and ``sender``: agent ids, or ``PEOPLE``.
    ``unread``: of the recipient ``to``, else of the viewer. ``after``: only newer ones, oldest first; else newest
    first. ``text``: words that must occur.
    """

    limit: int
    viewer: str | None = None
    to: str | None = None
    sender: str | None = None
    channel_id: str | None = None
    thread_id: str | None = None
    unread: bool = False
    undelivered: bool = False
    after: int | None = None
    text: str | None = None


def find(connection: sqlite3.Connection, wanted: MessageFilter) -> tuple[list[Message], bool]:
    """Return the messages, and whether there are more than ``limit``."""
    where, values = _conditions(wanted)
    order = "DESC" if wanted.after is None else "ASC"
    rows = connection.execute(
        f"SELECT {MESSAGE_COLUMNS} FROM messages m WHERE {' AND '.join(where) or '1'}"  # noqa: S608
        f" ORDER BY m.seq {order} LIMIT :most",
        {**values, "most": wanted.limit + 1},
    ).fetchall()
    return [message_of(row) for row in rows[: wanted.limit]], len(rows) > wanted.limit


def _conditions(wanted: MessageFilter) -> tuple[list[str], dict[str, Any]]:
    where: list[str] = []
    values: dict[str, Any] = {}

    def add(condition: str, **more: Any) -> None:
        where.append(condition)
        values.update(more)

    if wanted.viewer is not None:
        add(_VISIBLE, viewer=wanted.viewer)
    if wanted.to is not None or wanted.unread:
        add(
            "EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = m.message_id AND d.agent_id = :recipient"
            " AND d.state <> 'cancelled' AND (NOT :unread OR d.read_at IS NULL))",
            recipient=wanted.to if wanted.to is not None else wanted.viewer or PEOPLE,
            unread=wanted.unread,
        )
    if wanted.sender is not None:
        add("m.sender_agent_id IS :sender", sender=wanted.sender or None)
    if wanted.undelivered:
        states = ", ".join(f"'{state}'" for state in UNDELIVERED)
        add(f"EXISTS (SELECT 1 FROM deliveries u WHERE u.message_id = m.message_id AND u.state IN ({states}))")  # noqa: S608
    for column, value in (("channel_id", wanted.channel_id), ("thread_id", wanted.thread_id)):
        if value is not None:
            add(f"m.{column} = :{column}", **{column: value})
    if wanted.after is not None:
        add("m.seq > :after", after=wanted.after)
    if wanted.text is not None and (query := quoted(wanted.text)):
        add("m.seq IN (SELECT rowid FROM messages_fts WHERE messages_fts MATCH :query)", query=query)
    return where, values


def visible(connection: sqlite3.Connection, viewer: str | None, name: str) -> Message:
    """Return a message that the reader may see. Raises E_NOT_FOUND, also for one that it may not see."""
    message = get_message(connection, name)
    if viewer is not None and not is_visible(connection, message.message_id, viewer):
        raise no_message(name)
    return message


def is_visible(connection: sqlite3.Connection, message_id: str, viewer: str) -> bool:
    """Return whether this agent may see the message."""
    row = connection.execute(
        f"SELECT 1 FROM messages m WHERE m.message_id = :message_id AND {_VISIBLE}",  # noqa: S608
        {"message_id": message_id, "viewer": viewer},
    ).fetchone()
    return row is not None


def unread_count(connection: sqlite3.Connection, agent_id: str) -> int:
    """Count what a recipient has not read."""
    row = connection.execute(
        "SELECT count(*) FROM deliveries WHERE agent_id = ? AND read_at IS NULL AND state <> 'cancelled'", (agent_id,)
    ).fetchone()
    return int(row[0])


def find_deliveries(
    connection: sqlite3.Connection, *, viewer: str | None, agent_id: str | None, states: Sequence[str], limit: int
) -> tuple[list[Delivery], bool]:
    """Return deliveries, newest first, and whether there are more. ``viewer``: an agent sees its own and its sent ones.

    ``agent_id``: only to this recipient. ``states``: only in one of these; empty: in any.
    """
    where, values = ["1"], []
    if viewer is not None:
        where.append("(d.agent_id = ? OR m.sender_agent_id = ?)")
        values += [viewer, viewer]
    if agent_id is not None:
        where.append("d.agent_id = ?")
        values.append(agent_id)
    if states:
        where.append(f"d.state IN ({marks(states)})")
        values += states
    rows = connection.execute(
        f"SELECT {DELIVERY_COLUMNS} FROM deliveries d JOIN messages m USING (message_id)"  # noqa: S608
        f" WHERE {' AND '.join(where)} ORDER BY m.seq DESC, d.rowid LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    return [delivery_of(row) for row in rows[:limit]], len(rows) > limit
