"""Read the audit's rows. The ledger of actions writes them, by ``store.actions``; this module writes none."""

from __future__ import annotations

import sqlite3
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.audit.model import AuditFilter
from agtmuxd.store.actions import COLUMNS, ActionRow, row_of


def listing(connection: sqlite3.Connection, wanted: AuditFilter) -> list[ActionRow]:
    """List the actions that match, newest first. Raises E_INVALID_REQUEST if there is no action ``wanted.before``."""
    where: list[str] = []
    values: list[Any] = []
    for clause, value in (
        ("action_id = ?", wanted.action), ("action_type = ?", wanted.kind), ("runtime_id = ?", wanted.runtime),
        ("requested_at >= ?", wanted.since),
    ):  # fmt: skip
        if value is not None:
            where.append(clause)
            values.append(value)
    if wanted.pane is not None:
        where.append("target_id = ? AND pane_id = ?")
        values += wanted.pane
    if wanted.before is not None:
        start = connection.execute(
            "SELECT requested_at, action_id FROM actions WHERE action_id = ?", (wanted.before,)
        ).fetchone()
        if start is None:
            raise AgtmuxError(
                "E_INVALID_REQUEST", f"before: there is no action {wanted.before}; agtmux actions lists them"
            )
        where += ["requested_at <= ?", "(requested_at, action_id) < (?, ?)"]
        values += [start[0], *start]
    clause = f"WHERE {' AND '.join(where)}" if where else ""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM actions {clause} ORDER BY requested_at DESC, action_id DESC LIMIT ?",  # noqa: S608
        (*values, wanted.limit),
    )
    return [row_of(row) for row in rows]


def events_of(connection: sqlite3.Connection, action_ids: list[str]) -> dict[str, list[str]]:
    """List the event ids of these actions, oldest first, by action id."""
    out: dict[str, list[str]] = {}
    marks = ",".join("?" * len(action_ids))
    for action_id, event_id in connection.execute(
        f"SELECT action_id, event_id FROM events WHERE action_id IN ({marks}) ORDER BY ingested_at",  # noqa: S608
        action_ids,
    ):
        out.setdefault(action_id, []).append(event_id)
    return out
