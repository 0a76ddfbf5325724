"""Hold the SQL of leases. Makes no decisions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from agtmuxd.features.leases.model import Lease, Scope

_COLUMNS = (
    "l.lease_id, l.pattern, l.mode, l.advisory, l.holder, l.holder_label, l.agent_id, l.runtime_id, l.fence, l.ttl,"
    " l.acquired_at, l.renewed_at, l.expires_at, l.hold_until, l.orphaned_at, l.ended_at, l.state, l.end_reason,"
    " l.reason, s.scope_id, s.kind, s.name, s.ignore_case, s.capacity"
)
_FROM = f"SELECT {_COLUMNS} FROM leases l JOIN lease_scopes s ON s.scope_id = l.scope_id"  # noqa: S608


def _lease(row: Sequence[Any]) -> Lease:
    scope = Scope(row[19], row[20], row[21], bool(row[22]), row[23])
    return Lease(row[0], scope, row[1], row[2], bool(row[3]), *row[4:19])


def open_leases(connection: sqlite3.Connection, scopes: Iterable[str] | None = None) -> list[Lease]:
    """Return the leases that have not ended, oldest first. ``scopes``: only those of these scopes."""
    sql, values = f"{_FROM} WHERE l.ended_at IS NULL", list(scopes or ())
    if scopes is not None:
        sql += f" AND l.scope_id IN ({', '.join('?' * len(values))})"
    return [_lease(row) for row in connection.execute(f"{sql} ORDER BY l.fence", values)]


def lease(connection: sqlite3.Connection, lease_id: str) -> Lease | None:
    """Return one lease, also one that has ended."""
    row = connection.execute(f"{_FROM} WHERE l.lease_id = ?", (lease_id,)).fetchone()
    return None if row is None else _lease(row)


def listing(connection: sqlite3.Connection, *, ended: bool, limit: int) -> list[Lease]:
    """Return the newest leases, newest first. ``ended``: also those that have ended."""
    where = "" if ended else " WHERE l.ended_at IS NULL"
    return [_lease(row) for row in connection.execute(f"{_FROM}{where} ORDER BY l.fence DESC LIMIT ?", (limit,))]


def scope(connection: sqlite3.Connection, scope_id: str) -> Scope | None:
    """Return a scope by its id."""
    row = connection.execute(
        "SELECT scope_id, kind, name, ignore_case, capacity FROM lease_scopes WHERE scope_id = ?", (scope_id,)
    ).fetchone()
    return None if row is None else Scope(row[0], row[1], row[2], bool(row[3]), row[4])


def save_scope(connection: sqlite3.Connection, one: Scope) -> None:
    """Add a scope, or change the name, the capacity or the case of a known one."""
    connection.execute(
        "INSERT INTO lease_scopes VALUES (?, ?, ?, ?, ?) ON CONFLICT (scope_id) DO UPDATE SET"
        " name = excluded.name, ignore_case = excluded.ignore_case, capacity = excluded.capacity",
        (one.scope_id, one.kind, one.name, one.ignore_case, one.capacity),
    )


def next_fence(connection: sqlite3.Connection) -> int:
    """Take the next fence. None is given twice."""
    row = connection.execute("UPDATE fence_seq SET last = last + 1 RETURNING last").fetchone()
    return int(row[0])


def add(connection: sqlite3.Connection, one: Lease) -> None:
    """Add a lease. Its scope must be stored."""
    connection.execute(
        "INSERT INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            one.lease_id, one.scope.scope_id, one.pattern, one.mode, one.advisory, one.holder, one.holder_label,
            one.agent_id, one.runtime_id, one.fence, one.ttl, one.acquired_at, one.renewed_at, one.expires_at,
            one.hold_until, one.orphaned_at, one.ended_at, one.state, one.end_reason, one.reason,
        ),
    )  # fmt: skip


def update(connection: sqlite3.Connection, one: Lease) -> None:
    """Store what may change in a lease: its times, its state and its runtime."""
    connection.execute(
        "UPDATE leases SET runtime_id = ?, ttl = ?, renewed_at = ?, expires_at = ?, hold_until = ?, orphaned_at = ?,"
        " ended_at = ?, state = ?, end_reason = ? WHERE lease_id = ?",
        (
            one.runtime_id, one.ttl, one.renewed_at, one.expires_at, one.hold_until, one.orphaned_at, one.ended_at,
            one.state, one.end_reason, one.lease_id,
        ),
    )  # fmt: skip


def answered(connection: sqlite3.Connection, holder: str, request_ref: str) -> tuple[str, dict[str, Any]] | None:
    """Return the digest and the answer of a request that succeeded before."""
    row = connection.execute(
        "SELECT digest, answer_json FROM lease_requests WHERE holder = ? AND request_ref = ?", (holder, request_ref)
    ).fetchone()
    return None if row is None else (row[0], json.loads(row[1]))


def save_answer(
    connection: sqlite3.Connection, holder: str, request_ref: str, digest: str, answer: dict[str, Any], at: int
) -> None:
    """Keep the answer of a request, to give it again."""
    connection.execute(
        "INSERT INTO lease_requests VALUES (?, ?, ?, ?, ?)", (holder, request_ref, digest, json.dumps(answer), at)
    )


def purge(connection: sqlite3.Connection, *, ended_before: int, requests_before: int, most: int) -> int:
    """Delete old leases that have ended, and old answers. Return how many."""
    ended = connection.execute(
        "DELETE FROM leases WHERE lease_id IN (SELECT lease_id FROM leases WHERE ended_at < ? LIMIT ?)",
        (ended_before, most),
    ).rowcount
    requests = connection.execute(
        "DELETE FROM lease_requests WHERE (holder, request_ref) IN"
        " (SELECT holder, request_ref FROM lease_requests WHERE made_at < ? LIMIT ?)",
        (requests_before, most),
    ).rowcount
    return ended + requests
