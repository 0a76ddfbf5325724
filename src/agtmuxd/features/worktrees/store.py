"""Hold the SQL of worktrees, of what was answered, and of collisions."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.worktrees.model import MACHINE, Owner, Worktree
from agtmuxd.features.worktrees.radar_model import Collision

_DAY = 86_400_000_000_000
_ALL = """
SELECT w.worktree_id, w.repo_id, r.common_dir, w.name, w.team, w.agent_id, w.path, w.branch, w.base, w.base_commit,
       w.state, w.conflicts, w.salvage_json, w.created_at, w.updated_at
FROM worktrees w JOIN repos r ON r.repo_id = w.repo_id
"""


def _worktree(row: tuple[Any, ...]) -> Worktree:
    salvage = None if row[12] is None else json.loads(row[12])
    return Worktree(
        row[0], row[1], row[2], Owner(row[3], row[4], row[5]), row[6], row[7], row[8], row[9], row[10], row[11],
        salvage, row[13], row[14],
    )  # fmt: skip


def all_worktrees(connection: sqlite3.Connection, *, removed: bool) -> list[Worktree]:
    """Read all records, oldest first. ``removed``: also those of worktrees that are gone."""
    rows = connection.execute(f"{_ALL} WHERE ? OR w.state <> 'removed' ORDER BY w.created_at, w.rowid", (removed,))
    return [_worktree(row) for row in rows]


def one_worktree(connection: sqlite3.Connection, worktree_id: str) -> Worktree | None:
    """Read one record."""
    row = connection.execute(f"{_ALL} WHERE w.worktree_id = ?", (worktree_id,)).fetchone()
    return None if row is None else _worktree(row)


def add_worktree(connection: sqlite3.Connection, one: Worktree) -> None:
    """Add a record. Raises E_PRECONDITION_FAILED if another has its path or its branch."""
    connection.execute(
        "INSERT INTO repos VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (one.repo_id, MACHINE, one.repository, one.created_at),
    )
    try:
        connection.execute(
            "INSERT INTO worktrees VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?)",
            (one.worktree_id, one.repo_id, one.owner.agent_id, one.owner.name, one.owner.team, one.path, one.branch,
             one.base, one.base_commit, one.state, one.created_at, one.updated_at),
        )  # fmt: skip
    except sqlite3.IntegrityError:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"{one.owner.name} has a worktree at {one.path}: choose another name with --slug, or see "
            "agtmux worktree list",
            {"path": one.path, "branch": one.branch},
        ) from None


def save_worktree(connection: sqlite3.Connection, one: Worktree) -> None:
    """Save what changes of a record."""
    salvage = None if one.salvage is None else json.dumps(one.salvage)
    connection.execute(
        "UPDATE worktrees SET state = ?, conflicts = ?, salvage_json = ?, updated_at = ? WHERE worktree_id = ?",
        (one.state, one.conflicts, salvage, one.updated_at, one.worktree_id),
    )


def answered(connection: sqlite3.Connection, sender: str, request_ref: str, payload: str) -> dict[str, Any] | None:
    """Return what this request was answered before. Raises E_IDEMPOTENCY_CONFLICT if it was another request."""
    row = connection.execute(
        "SELECT payload, answer_json FROM worktree_requests WHERE sender = ? AND request_ref = ?", (sender, request_ref)
    ).fetchone()
    if row is None:
        return None
    if row[0] != payload:
        raise AgtmuxError(
            "E_IDEMPOTENCY_CONFLICT", "this request_ref was used for another request: use a new one for each request"
        )
    answer: dict[str, Any] = json.loads(row[1])
    return answer


def save_answer(
    connection: sqlite3.Connection, sender: str, request_ref: str, payload: str, answer: dict[str, Any], at: int
) -> None:
    """Save an answer."""
    connection.execute(
        "INSERT INTO worktree_requests VALUES (?, ?, ?, ?, ?)", (sender, request_ref, payload, json.dumps(answer), at)
    )


# ---------------------------------------------------------------- collisions


def open_collisions(connection: sqlite3.Connection) -> list[Collision]:
    """Read the collisions that are not over, oldest first."""
    rows = connection.execute(
        "SELECT collision_id, repository, path, agent_a, agent_b, tree_a, tree_b, certain, found_at FROM collisions"
        " WHERE over_at IS NULL ORDER BY found_at, rowid"
    )
    return [Collision(r[0], r[1], r[2], r[3], r[4], r[5], r[6], bool(r[7]), r[8]) for r in rows]


def add_collision(connection: sqlite3.Connection, one: Collision) -> bool:
    """Add a collision. Return False if it is known."""
    done = connection.execute(
        "INSERT INTO collisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING",
        (one.collision_id, one.repository, one.path, one.agent_a, one.agent_b, one.tree_a, one.tree_b, one.certain,
         one.found_at),
    )  # fmt: skip
    return done.rowcount == 1


def end_collision(connection: sqlite3.Connection, collision_id: str, at: int) -> None:
    """Note that a collision is over."""
    connection.execute("UPDATE collisions SET over_at = ? WHERE collision_id = ?", (at, collision_id))


def purge(connection: sqlite3.Connection, now: int) -> int:
    """Delete answers of more than a day ago, and what was over 90 days ago. Return how many rows went."""
    old = (
        ("DELETE FROM worktree_requests WHERE at < ?", now - _DAY),
        ("DELETE FROM collisions WHERE over_at < ?", now - 90 * _DAY),
        ("DELETE FROM worktrees WHERE state = 'removed' AND updated_at < ?", now - 90 * _DAY),
    )
    return sum(connection.execute(statement, (before,)).rowcount for statement, before in old)
