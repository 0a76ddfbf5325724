"""Read and write actions and their snapshots. Owns the SQL of both tables and makes no decisions."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from agtmuxd.core.action.request import Snapshot
from agtmuxd.store.current import dumps


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One stored action. ``result_code`` None: still in flight. Times in ns."""

    action_id: str
    action_type: str
    request_ref: str
    payload_digest: str
    target_id: str | None
    pane_id: str | None
    runtime_id: str | None
    requested_at: int
    started_at: int | None
    completed_at: int | None
    result_code: str | None
    error_code: str | None
    metadata: dict[str, Any]


COLUMNS = (
    "action_id, action_type, request_ref, payload_digest, target_id, pane_id, runtime_id, requested_at, started_at,"
    " completed_at, result_code, error_code, metadata_json"
)


def row_of(values: tuple[Any, ...]) -> ActionRow:
    """Build a row from the values of ``COLUMNS``."""
    names = ActionRow.__slots__[:-1]
    return ActionRow(**dict(zip(names, values[:-1], strict=True)), metadata=json.loads(values[-1]))


def find(connection: sqlite3.Connection, action_type: str, request_ref: str) -> ActionRow | None:
    """Find the action that an earlier request with this type and request ref made; None if there is none."""
    found = connection.execute(
        f"SELECT {COLUMNS} FROM actions WHERE action_type = ? AND request_ref = ?",  # noqa: S608 constants
        (action_type, request_ref),
    ).fetchone()
    return None if found is None else row_of(found)


def get(connection: sqlite3.Connection, action_id: str) -> ActionRow | None:
    """Read one action by its id; None if there is none."""
    found = connection.execute(
        f"SELECT {COLUMNS} FROM actions WHERE action_id = ?",  # noqa: S608 constants
        (action_id,),
    ).fetchone()
    return None if found is None else row_of(found)


def begin(connection: sqlite3.Connection, row: ActionRow, snapshot: Snapshot, snapshot_id: str, nonce: str) -> None:
    """Insert an action together with the snapshot that it was decided on.

    Raises sqlite3.IntegrityError if a request with this type and request ref was already made.
    """
    connection.execute(
        f"INSERT INTO actions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 constants
        (row.action_id, row.action_type, row.request_ref, row.payload_digest, row.target_id, row.pane_id,
         row.runtime_id, row.requested_at, row.started_at, row.completed_at, row.result_code, row.error_code,
         dumps(row.metadata)),
    )  # fmt: skip
    connection.execute(
        "INSERT INTO action_snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (snapshot_id, row.action_id, snapshot.target_id, snapshot.pane_id, snapshot.runtime_id,
         snapshot.state_version, snapshot.observed_at, snapshot.expires_at, nonce),
    )  # fmt: skip


def finish(connection: sqlite3.Connection, row: ActionRow) -> None:
    """Store the result of an action that is in flight. An action that has a result keeps it."""
    connection.execute(
        "UPDATE actions SET started_at = ?, completed_at = ?, result_code = ?, error_code = ?, metadata_json = ?"
        " WHERE action_id = ? AND result_code IS NULL",
        (row.started_at, row.completed_at, row.result_code, row.error_code, dumps(row.metadata), row.action_id),
    )


def answered_version(connection: sqlite3.Connection, target_id: str, pane_id: str, runtime_id: str) -> int | None:
    """Give the newest state version of this runtime at which a prompt was answered, or may have been; None: never.

    The pane is part of the query because the index on actions starts with it.
    """
    found = connection.execute(
        "SELECT MAX(json_extract(metadata_json, '$.state_version')) FROM actions"
        " WHERE target_id = ? AND pane_id = ? AND runtime_id = ?"
        " AND action_type IN ('approve', 'deny', 'answer') AND result_code IN ('done', 'indeterminate')",
        (target_id, pane_id, runtime_id),
    ).fetchone()
    return found[0] if isinstance(found[0], int) else None


def newest_text(connection: sqlite3.Connection, target_id: str, pane_id: str, runtime_id: str) -> ActionRow | None:
    """Read the newest send of a text to this runtime that typed it or may have; None if there is none, or if a later
    one has removed a text.
    """
    found = connection.execute(
        f"SELECT {COLUMNS} FROM actions"  # noqa: S608 constants
        " WHERE target_id = ? AND pane_id = ? AND runtime_id = ? AND action_type = 'send'"
        " AND (result_code = 'indeterminate' AND json_extract(metadata_json, '$.request.params.text') IS NOT NULL"
        " OR result_code = 'done' AND (json_extract(metadata_json, '$.request.params.text') IS NOT NULL"
        " OR json_extract(metadata_json, '$.request.params.clear_own_draft')))"
        " ORDER BY requested_at DESC, action_id DESC LIMIT 1",
        (target_id, pane_id, runtime_id),
    ).fetchone()
    row = None if found is None else row_of(found)
    return row if row is not None and row.metadata["request"]["params"]["text"] is not None else None


def abandon(connection: sqlite3.Connection, now: int) -> int:
    """Mark every action in flight as indeterminate, and return how many there were. Call it after a restart."""
    return connection.execute(
        "UPDATE actions SET result_code = 'indeterminate', error_code = 'E_ACTION_INDETERMINATE', completed_at = ?"
        " WHERE result_code IS NULL",
        (now,),
    ).rowcount
