"""Read the stream log by time. The pipeline writes it; this module writes nothing."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

PAGE: Final = 250
"""Entries that one read takes, so that other reads get their turn."""

Entry = tuple[int, list[dict[str, Any]], list[dict[str, Any]]]
"""(committed_at ns, changes of panes, changes of coordination)."""

Position = tuple[int, str, int]
"""(committed_at ns, stream id, sequence) of the last entry that was read."""


def oldest(connection: sqlite3.Connection) -> int | None:
    """Give the time (ns) of the oldest entry; None if the log is empty."""
    found: int | None = connection.execute("SELECT min(committed_at) FROM stream_log").fetchone()[0]
    return found


def page(connection: sqlite3.Connection, after: Position, until: int) -> tuple[list[Entry], Position | None]:
    """Read the next changes up to the time ``until``. Each batch of coordination has an entry for panes too.

    The second value is where to go on; None at the end.
    """
    rows = connection.execute(
        "SELECT s.committed_at, s.stream_id, s.sequence, s.changes_json, c.changes_json FROM stream_log s"
        " LEFT JOIN coord_log c ON c.stream_id = s.stream_id AND c.sequence = s.sequence"
        " WHERE s.scope = 'panes' AND s.committed_at >= ? AND s.committed_at <= ?"
        " AND (s.committed_at, s.stream_id, s.sequence) > (?, ?, ?)"
        " ORDER BY s.committed_at, s.stream_id, s.sequence LIMIT ?",
        (after[0], until, *after, PAGE),
    ).fetchall()
    found = [(at, json.loads(panes), json.loads(coord) if coord else []) for at, _, _, panes, coord in rows]
    return found, (rows[-1][:3] if len(rows) == PAGE else None)
