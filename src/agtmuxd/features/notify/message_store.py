"""Read and write messages and the health of channels. Owns their SQL and decides nothing.

A message is written before it is sent, and again after: so a restart knows what may have been sent.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from agtmuxd.features.notify.message import Message

_COLUMNS: Final = (
    "message_id, channel, made_at, state, attempts, next_at, ended_at, last_error, handle, retract, payload_json"
)


@dataclass(frozen=True, slots=True)
class Sending:
    """One message and how far it came. Times in ns. ``state``: sending, retry, sent, unknown, dead or dropped.

    ``retract``: ``due`` if it is to be taken back, ``done`` if it was.
    """

    message: Message
    state: str
    attempts: int = 0
    next_at: int | None = None
    ended_at: int | None = None
    last_error: str | None = None
    handle: str | None = None
    retract: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How a channel does. ``failures``: in a row. ``disabled``: why nothing is sent on it any more."""

    channel: str
    last_success: int | None = None
    last_failure: int | None = None
    last_error: str | None = None
    failures: int = 0
    disabled: str | None = None


def _sending_of(row: tuple[Any, ...]) -> Sending:
    _, _, _, state, attempts, next_at, ended_at, last_error, handle, retract, payload = row
    return Sending(
        Message.from_json(json.loads(payload)), state, attempts, next_at, ended_at, last_error, handle, retract
    )


def put(connection: sqlite3.Connection, one: Sending) -> None:
    """Insert or replace a message."""
    message = one.message
    connection.execute(
        f"INSERT INTO notify_messages ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (message_id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,"
        " next_at = excluded.next_at, ended_at = excluded.ended_at, last_error = excluded.last_error,"
        " handle = excluded.handle, retract = excluded.retract",
        (
            message.message_id, message.channel, message.made_at, one.state, one.attempts, one.next_at, one.ended_at,
            one.last_error, one.handle, one.retract, json.dumps(message.to_json(), ensure_ascii=False),
        ),
    )  # fmt: skip


def unfinished(connection: sqlite3.Connection) -> list[Sending]:
    """List the messages that are being sent or will be sent again, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM notify_messages WHERE state IN ('sending', 'retry') ORDER BY made_at"  # noqa: S608
    )
    return [_sending_of(row) for row in rows]


def dead(connection: sqlite3.Connection, limit: int) -> list[Sending]:
    """List the messages that could not be delivered, newest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM notify_messages WHERE state = 'dead' ORDER BY made_at DESC LIMIT ?",  # noqa: S608
        (limit,),
    )
    return [_sending_of(row) for row in rows]


def of_ids(connection: sqlite3.Connection, message_ids: Iterable[str]) -> list[Sending]:
    """Return these messages, those that exist."""
    found = []
    for message_id in message_ids:
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM notify_messages WHERE message_id = ?",  # noqa: S608
            (message_id,),
        ).fetchone()
        if row is not None:
            found.append(_sending_of(row))
    return found


def to_retract(connection: sqlite3.Connection) -> list[Sending]:
    """List the delivered messages whose episodes have all ended and that were not taken back yet."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM notify_messages WHERE retract = 'due' ORDER BY made_at"  # noqa: S608
    )
    return [_sending_of(row) for row in rows]


def delivered_open(connection: sqlite3.Connection, episode_id: str) -> list[tuple[Sending, bool]]:
    """List the delivered messages about an episode that can be taken back, each with whether all its episodes ended."""
    rows = connection.execute(
        "SELECT DISTINCT message_id FROM notify_deliveries WHERE episode_id = ? AND message_id IS NOT NULL",
        (episode_id,),
    )
    found = []
    for one in of_ids(connection, [row[0] for row in rows.fetchall()]):
        if one.handle is None or one.retract is not None:
            continue
        still = connection.execute(
            "SELECT 1 FROM notify_deliveries d JOIN notify_episodes e ON e.episode_id = d.episode_id"
            " WHERE d.message_id = ? AND e.closed_at IS NULL LIMIT 1",
            (one.message.message_id,),
        ).fetchone()
        found.append((one, still is None))
    return found


def health(connection: sqlite3.Connection) -> dict[str, ChannelHealth]:
    """Return the health of all channels that were ever used, by name."""
    rows = connection.execute(
        "SELECT channel, last_success, last_failure, last_error, failures, disabled FROM notify_channels"
    )
    return {row[0]: ChannelHealth(*row) for row in rows}


def put_health(connection: sqlite3.Connection, one: ChannelHealth) -> None:
    """Insert or replace the health of a channel."""
    connection.execute(
        "INSERT INTO notify_channels VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " last_success = excluded.last_success, last_failure = excluded.last_failure,"
        " last_error = excluded.last_error, failures = excluded.failures, disabled = excluded.disabled",
        (one.channel, one.last_success, one.last_failure, one.last_error, one.failures, one.disabled),
    )
