"""Repair a database whose times are ahead of the clock because the clock was set back: shift all current rows together.

Owns the list of columns whose times are compared with the present. History (events, actions, the stream log) keeps its
times.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

_NEWEST: Final = """
SELECT max(at) FROM (
  SELECT max(last_order_ingested_at) AS at FROM runtime_source_cursors
  UNION ALL SELECT max(last_seen) FROM candidates WHERE source IN ('poller', 'status')
  UNION ALL SELECT max(max(last_seen_at, updated_at)) FROM states
  UNION ALL SELECT max(updated_at) FROM targets
)
"""
"""The newest time (ns) that the daemon's own clock wrote. Times of events are left out: they may lie in the future."""

_COLUMNS: Final = {
    "targets": ("health_since", "last_seen_at", "updated_at"),
    "panes": ("first_seen_at", "updated_at"),
    "runtimes": ("process_started_at", "started_at", "ended_at"),
    "states": ("since", "attention_since", "last_seen_at", "updated_at"),
    "candidates": ("since", "last_seen", "retired_at"),
    "runtime_source_cursors": ("last_order_event_time", "last_order_ingested_at"),
    "retirement_marks": ("at",),
}
_CURRENT: Final = {
    "runtimes": " WHERE ended_at IS NULL OR runtime_id IN (SELECT runtime_id FROM states)",
}


def put_back(connection: sqlite3.Connection, now: int) -> int:
    """Shift all current times back so that the newest is not ahead of ``now`` (ns). Return the shift in ns.

    All times keep their order, and everything that arrives from now on counts as newer.
    """
    newest = connection.execute(_NEWEST).fetchone()[0]
    by = 0 if newest is None else max(0, newest - now)
    if not by:
        return 0
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table, columns in _COLUMNS.items():
            moved = ", ".join(f"{column} = {column} - :by" for column in columns)
            connection.execute(f"UPDATE {table} SET {moved}{_CURRENT.get(table, '')}", {"by": by})  # noqa: S608 constants
        connection.execute(
            "UPDATE event_inbox SET event_time = event_time - :by, ingested_at = ingested_at - :by"
            " WHERE status = 'pending_bind'",
            {"by": by},
        )
        _put_back_json(connection, by)
        connection.execute("UPDATE upkeep SET emptied_until = 0")  # new events may now be older than that
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return int(by)


def _put_back_json(connection: sqlite3.Connection, by: int) -> None:
    """Shift the times inside JSON columns."""
    rows = [(key, json.loads(text)) for *key, text in connection.execute(
        "SELECT runtime_id, source, subject, evidence_json FROM candidates"
    )]  # fmt: skip
    for _, evidence in rows:
        for entry in (evidence["entry"], evidence["shadow"]):
            if entry is not None:
                entry["since"] -= by
                time, ingested_at, event_id = entry["stamp"]
                entry["stamp"] = [time - by, ingested_at - by, event_id]
    connection.executemany(
        "UPDATE candidates SET evidence_json = ? WHERE runtime_id = ? AND source = ? AND subject = ?",
        [(json.dumps(evidence), *key) for key, evidence in rows],
    )
    known: list[tuple[list[str], dict[str, Any]]] = [(key, json.loads(text)) for *key, text in connection.execute(
        "SELECT target_id, pane_id, last_known_json FROM states WHERE last_known_json IS NOT NULL"
    )]  # fmt: skip
    connection.executemany(
        "UPDATE states SET last_known_json = ? WHERE target_id = ? AND pane_id = ?",
        [(json.dumps({**was, "since": was["since"] - by, "at": was["at"] - by}), *key) for key, was in known],
    )
