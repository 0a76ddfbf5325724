"""The rows of worktrees, answers and collisions."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.worktrees import store as rows
from agtmuxd.features.worktrees.model import Owner, Worktree
from agtmuxd.features.worktrees.radar_model import Collision
from agtmuxd.store.migrate import load, migrate

pytestmark = pytest.mark.tc("TC-822")
DAY = 86_400_000_000_000
ONE = Worktree("w1", "r", "/g", Owner("a", None, "id"), "/p", "b", "main", "c" * 40, "adding", None, None, 5, 5)
COLLISION = Collision("c1", "/g", "f", "x", "y", "/w1", "/w2", True, 5)


@pytest.fixture
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    migrate(made, load())
    return made


def test_a_record_comes_back_as_it_was(connection: sqlite3.Connection) -> None:
    rows.add_worktree(connection, ONE)
    assert rows.one_worktree(connection, "w1") == ONE
    changed = replace(ONE, state="active", conflicts=2, salvage={"ref": "r"}, updated_at=6)
    rows.save_worktree(connection, changed)
    assert rows.all_worktrees(connection, removed=False) == [changed]


def test_a_path_and_a_branch_belong_to_one_record_until_it_is_removed(connection: sqlite3.Connection) -> None:
    rows.add_worktree(connection, ONE)
    for other in (replace(ONE, worktree_id="w2", branch="b2"), replace(ONE, worktree_id="w2", path="/p2")):
        with pytest.raises(AgtmuxError, match="a has a worktree at"):
            rows.add_worktree(connection, other)
    rows.save_worktree(connection, replace(ONE, state="removed"))
    rows.add_worktree(connection, replace(ONE, worktree_id="w2"))
    assert [one.worktree_id for one in rows.all_worktrees(connection, removed=True)] == ["w1", "w2"]


def test_a_request_has_one_answer(connection: sqlite3.Connection) -> None:
    assert rows.answered(connection, "person", "ref-1", "p") is None
    rows.save_answer(connection, "person", "ref-1", "p", {"a": 1}, 5)
    assert rows.answered(connection, "person", "ref-1", "p") == {"a": 1}
    assert rows.answered(connection, "agent", "ref-1", "other") is None
    with pytest.raises(AgtmuxError) as caught:
        rows.answered(connection, "person", "ref-1", "other")
    assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"


def test_a_collision_is_there_once_until_it_is_over(connection: sqlite3.Connection) -> None:
    again = replace(COLLISION, collision_id="c2")
    assert [rows.add_collision(connection, one) for one in (COLLISION, again)] == [True, False]
    assert rows.open_collisions(connection) == [COLLISION]
    rows.end_collision(connection, "c1", 9)
    assert rows.open_collisions(connection) == []
    assert rows.add_collision(connection, again)


def test_old_rows_are_deleted_and_open_ones_stay(connection: sqlite3.Connection) -> None:
    rows.add_worktree(connection, ONE)
    rows.add_worktree(connection, replace(ONE, worktree_id="w2", path="/p2", branch="b2"))
    rows.save_worktree(connection, replace(ONE, state="removed"))
    rows.save_answer(connection, "person", "ref-1", "p", {}, 5)
    rows.add_collision(connection, COLLISION)
    rows.end_collision(connection, "c1", 9)
    assert rows.purge(connection, DAY) == 0
    assert rows.purge(connection, 91 * DAY) == 3
    assert [one.worktree_id for one in rows.all_worktrees(connection, removed=True)] == ["w2"]
