"""Hold the SQL of waits. Makes no decisions."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from agtmuxd.core.json_codec import encode
from agtmuxd.features.waits.model import Wait, WaitCondition

_COLUMNS: Final = (
    "wait_id, owner_agent_id, owner_label, mode, needed, conditions_json, deadline, created_at, state, ended_at"
)


def _wait(row: tuple[Any, ...]) -> Wait:
    conditions = tuple(WaitCondition.from_json(one) for one in json.loads(row[5]))
    return Wait(row[0], row[1], row[2], row[3], row[4], conditions, row[6], row[7], row[8], row[9])


def add_wait(connection: sqlite3.Connection, wait: Wait, request_ref: str, request_digest: str) -> None:
    """Add a wait. Raises sqlite3.IntegrityError if the request is known."""
    connection.execute(
        f"INSERT INTO waits ({_COLUMNS}, request_ref, request_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (wait.wait_id, wait.owner_agent_id, wait.owner, wait.mode, wait.needed, _text(wait), wait.deadline,
         wait.created_at, wait.state, wait.ended_at, request_ref, request_digest),
    )  # fmt: skip


def save_wait(connection: sqlite3.Connection, wait: Wait) -> None:
    """Store how far a wait came."""
    connection.execute(
        "UPDATE waits SET conditions_json = ?, state = ?, ended_at = ? WHERE wait_id = ?",
        (_text(wait), wait.state, wait.ended_at, wait.wait_id),
    )


def _text(wait: Wait) -> str:
    return encode([one.to_json() for one in wait.conditions]).decode()


def open_waits(connection: sqlite3.Connection) -> list[Wait]:
    """Load all open waits, oldest first."""
    return [
        _wait(row)
        for row in connection.execute(f"SELECT {_COLUMNS} FROM waits WHERE state = 'open' ORDER BY rowid")  # noqa: S608
    ]


def find_wait(connection: sqlite3.Connection, wait_id: str) -> Wait | None:
    """Find a wait by its id."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM waits WHERE wait_id = ?", (wait_id,)).fetchone()  # noqa: S608
    return None if row is None else _wait(row)


def find_request(
    connection: sqlite3.Connection, owner_agent_id: str | None, request_ref: str
) -> tuple[Wait, str] | None:
    """Find the wait of a request, and the request's digest."""
    row = connection.execute(
        f"SELECT {_COLUMNS}, request_digest FROM waits WHERE ifnull(owner_agent_id, '') = ? AND request_ref = ?",  # noqa: S608
        (owner_agent_id or "", request_ref),
    ).fetchone()
    return None if row is None else (_wait(row), row[10])


def list_waits(
    connection: sqlite3.Connection, *, owner_agent_id: str | None, state: str | None, limit: int
) -> list[Wait]:
    """List waits, newest first. ``owner_agent_id`` None: of all. ``state``: a state, ``ended``, or None for all."""
    where = {None: "1", "ended": "state <> 'open'"}.get(state, "state = :state")
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM waits WHERE (:owner IS NULL OR owner_agent_id = :owner) AND {where}"  # noqa: S608
        " ORDER BY rowid DESC LIMIT :limit",
        {"owner": owner_agent_id, "state": state, "limit": limit},
    )
    return [_wait(row) for row in rows]


def purge(connection: sqlite3.Connection, older_than: int, batch: int) -> int:
    """Delete waits that ended before ``older_than``. Return how many."""
    done = connection.execute(
        "DELETE FROM waits WHERE wait_id IN (SELECT wait_id FROM waits WHERE ended_at < ? ORDER BY ended_at LIMIT ?)",
        (older_than, batch),
    )
    return done.rowcount
