"""A database that is locked, corrupt or unusable: retried, set aside, or told about."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.store import db as database
from agtmuxd.store.db import Store, connect, open_database
from tests.conftest import until

PUT = "INSERT INTO published VALUES (?, '{}')"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    connection, _ = open_database(str(tmp_path / "a.db"))
    made = Store(connection)
    made.start()
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path, store: Store) -> sqlite3.Connection:
    """A second writer on the same file."""
    return connect(str(tmp_path / "a.db"))


@pytest.mark.tc("TC-052")
async def test_a_locked_database_is_retried_until_it_is_free(store: Store, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(store.run(lambda c: c.execute(PUT, ("k",)).rowcount))
    await asyncio.to_thread(until, lambda: store.trouble, what="the writer meets the lock")
    assert "locked" in (store.trouble or "")
    assert other.execute("SELECT count(*) FROM published").fetchone()[0] == 0
    other.execute("ROLLBACK")
    assert await writing == 1
    assert store.trouble is None
    assert other.execute("SELECT count(*) FROM published").fetchone()[0] == 1
    other.close()


@pytest.mark.tc("TC-052")
async def test_a_database_that_stays_locked_is_told_and_the_next_write_works_again(
    store: Store, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_WAITS", (0.01,))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(AgtmuxError) as caught:
        await store.run(lambda c: c.execute(PUT, ("k",)))
    assert caught.value.code == "E_STORE_UNAVAILABLE"
    assert store.trouble is not None
    other.execute("ROLLBACK")
    await store.run(lambda c: c.execute(PUT, ("l",)))
    assert [r[0] for r in other.execute("SELECT item_key FROM published")] == ["l"]
    other.close()


@pytest.mark.tc("TC-052")
async def test_work_that_fails_leaves_nothing_and_does_not_stop_the_writer(
    store: Store, other: sqlite3.Connection
) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute(PUT, ("half",))
        raise RuntimeError("mid-way")

    with pytest.raises(RuntimeError, match="mid-way"):
        await store.run(half)
    await store.run(lambda c: c.execute(PUT, ("whole",)))
    assert [r[0] for r in other.execute("SELECT item_key FROM published")] == ["whole"]
    other.close()


@pytest.mark.tc("TC-052")
async def test_a_lock_in_the_middle_of_the_work_runs_it_again_from_the_start(store: Store) -> None:
    tries = 0

    def work(connection: sqlite3.Connection) -> int:
        nonlocal tries
        tries += 1
        connection.execute(PUT, (f"try {tries}",))
        if tries < 3:
            raise sqlite3.OperationalError("database is locked")
        return tries

    assert await store.run(work) == 3
    assert await store.run(lambda c: c.execute("SELECT group_concat(item_key) FROM published").fetchone()[0]) == "try 3"


@pytest.mark.tc("TC-052")
@pytest.mark.parametrize("damage", ["garbage", "torn"])
def test_a_corrupt_database_is_set_aside_whole_and_a_fresh_one_started(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.db"
    connection, _ = open_database(str(path))
    connection.executemany(PUT, [(f"k{n}" * 50,) for n in range(500)])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    whole = path.read_bytes()
    broken = b"no database at all " * 500 if damage == "garbage" else whole[:4096] + b"\xff" * (len(whole) - 4096)
    path.write_bytes(broken)
    fresh, kept = open_database(str(path))
    assert kept is not None
    assert Path(kept).parent == tmp_path
    assert Path(kept).read_bytes() == broken
    assert fresh.execute("SELECT count(*) FROM published").fetchone()[0] == 0
    fresh.close()


@pytest.mark.tc("TC-052")
def test_a_place_where_no_database_can_be_is_told_and_nothing_is_moved(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.mkdir()
    with pytest.raises(AgtmuxError) as caught:
        open_database(str(path))
    assert caught.value.code == "E_STORE_UNAVAILABLE"
    assert path.is_dir()
    assert [p.name for p in tmp_path.iterdir()] == ["a.db"]


@pytest.mark.tc("TC-243")
@pytest.mark.parametrize("pragma", ["journal_mode", "synchronous", "journal_size_limit"])
def test_a_database_that_cannot_be_opened_to_the_end_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pragma: str
) -> None:
    """Whichever pragma fails."""
    closed: list[str] = []

    class Refusing(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if pragma in sql:
                raise sqlite3.OperationalError("database is locked")
            return super().execute(sql, *values)

        def close(self) -> None:
            closed.append(pragma)
            super().close()

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **named: real(*args, **named, factory=Refusing))
    with pytest.raises(AgtmuxError, match="database is locked"):
        open_database(str(tmp_path / "a.db"))
    assert closed == [pragma]
