"""A check of the database file: when it is made, and what happens with what it finds."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.services.health import StorageHealth
from agtmuxd.store import db as database
from agtmuxd.store import history, housekeeping, integrity
from agtmuxd.store.db import open_database
from tests.conftest import until
from tests.integration.store.databases import look, serving, spoil
from tests.integration.store.test_retention import NOW, column, event


def fill(connection: sqlite3.Connection, count: int, size: int = 2000, age: int = 0) -> None:
    connection.execute("BEGIN")
    for number in range(count):
        payload = {"text": os.urandom(size // 2).hex()}
        history.add_event(connection, event(number, ingested_at=NOW - age + number, payload=payload), "r1", "applied")
    connection.execute("COMMIT")


@pytest.mark.tc("TC-153")
def test_after_an_end_out_of_order_the_file_is_checked(path: str, db: sqlite3.Connection) -> None:
    fill(db, 50)
    db.close()
    spoil(path, "events")
    fresh, kept = open_database(path)
    assert kept is not None
    assert column(fresh, "SELECT count(*) FROM events") == [0]
    fresh.close()


@pytest.mark.tc("TC-153")
async def test_a_check_that_takes_longer_goes_on_behind_and_what_it_finds_is_told_and_set_aside(
    path: str, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db, 50)
    db.close()
    spoil(path, "events")
    monkeypatch.setattr(database, "check_for", lambda _path: (False, None))  # not done in its time
    async with serving(path) as store:
        storage_health = StorageHealth(store, lambda: 10**9)
        assert store.damage is None
        store.check()
        await asyncio.to_thread(until, lambda: store.damage is not None, what="the check finds it")
        assert any("run agtmux daemon restart to replace it" in line for line in storage_health.wrong())
    monkeypatch.undo()
    fresh, kept = open_database(path)
    assert kept is not None
    assert Path(kept).exists()
    assert not integrity.note_of(path).exists()
    fresh.close()


@pytest.mark.tc("TC-153")
async def test_a_check_in_the_background_that_finds_nothing_is_not_made_again(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "check_for", lambda _path: (False, None))
    async with serving(path) as store:
        store.check()
        await asyncio.to_thread(until, lambda: not store.checks and not store.depth)
        assert await store.read(housekeeping.is_checked)
    async with serving(path) as store:
        assert await store.read(housekeeping.is_checked)


@pytest.mark.tc("TC-153")
async def test_a_damage_that_a_write_or_a_read_meets_is_told(path: str, db: sqlite3.Connection) -> None:
    fill(db, 50)
    housekeeping.note_closed(db)
    db.close()
    spoil(path, "events")
    async with serving(path) as store:
        with pytest.raises(AgtmuxError) as caught:
            await store.read(lambda c: c.execute("SELECT count(raw_payload) FROM events").fetchone())
        assert caught.value.code == "E_STORE_UNAVAILABLE"
        assert store.damage is not None
        assert "malformed" in store.damage
    assert integrity.note_of(path).exists()
    assert look(path, "SELECT closed FROM upkeep") == [0]
