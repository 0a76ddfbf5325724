"""Read the last events of a runtime. The pipeline writes them; this module writes nothing."""

from __future__ import annotations

import json
import sqlite3
from typing import Final

from agtmuxd.features.stuck.model import Event

MOST: Final = 200
"""Events that are read for one runtime: a run of failures is seldom longer."""


def last_events(connection: sqlite3.Connection, runtime_id: str, since: int) -> list[Event]:
    """Read the last ``MOST`` events of a runtime that came in after ``since`` (ns), oldest first."""
    rows = connection.execute(
        "SELECT ingested_at, event_type, raw_payload FROM events WHERE runtime_id = ? AND ingested_at > ?"
        " AND source <> 'action' ORDER BY ingested_at DESC LIMIT ?",
        (runtime_id, since, MOST),
    ).fetchall()
    return [Event(at, kind, _payload(text)) for at, kind, text in reversed(rows)]


def _payload(text: str | None) -> dict[str, object]:
    found = json.loads(text) if text else None
    return found if isinstance(found, dict) else {}
