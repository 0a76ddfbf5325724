"""Read the stream log by time. The pipeline writes it; this module writes nothing."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

PAGE: Final = 250
"""Entries that one read takes, so that other reads get their turn."""

Position = tuple[int, str, int]
"""(committed_at ns, stream id, sequence) of the last entry that was read."""


def oldest(connection: sqlite3.Connection) -> int | None:
    """Give the time (ns) of the oldest entry; None if the log is empty."""
    found: int | None = connection.execute("SELECT min(committed_at) FROM stream_log").fetchone()[0]
    return found


def page(
    connection: sqlite3.Connection, after: Position, until: int
) -> tuple[list[tuple[int, list[dict[str, Any]]]], Position | None]:
    """Read the next changes of panes up to the time ``until``: ``[(committed_at, changes)]``.

    The second value is where to go on; None at the end.
    """
    rows = connection.execute(
        "SELECT committed_at, stream_id, sequence, changes_json FROM stream_log"
        " WHERE scope = 'panes' AND committed_at >= ? AND committed_at <= ?"
        " AND (committed_at, stream_id, sequence) > (?, ?, ?)"
        " ORDER BY committed_at, stream_id, sequence LIMIT ?",
        (after[0], until, *after, PAGE),
    ).fetchall()
    found = [(at, json.loads(text)) for at, _, _, text in rows]
    return found, (rows[-1][:3] if len(rows) == PAGE else None)
