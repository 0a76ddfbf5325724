"""Databases for the tests of the store: served, filled, looked into and spoiled."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from agtmuxd.store import history
from agtmuxd.store.db import Store, open_database
from tests.integration.store.test_migrate import put, row
from tests.integration.store.test_retention import NOW, event


@asynccontextmanager
async def serving(path: str) -> AsyncIterator[Store]:
    connection, _ = open_database(path)
    store = Store(connection)
    store.start()
    try:
        yield store
    finally:
        store.close()


def look(path: str, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [r[0] for r in connection.execute(statement)]


def spoil(path: str, table: str) -> None:
    """Write nonsense over the last page of a table, as a bad disk does."""
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with Path(path).open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)


def fill_events(connection: sqlite3.Connection, count: int, size: int = 400) -> None:
    put(connection, "targets", **row("targets"))
    put(connection, "runtimes", **row("runtimes"))
    put(connection, "actions", **row("actions", result_code="done", requested_at=NOW))
    for number in range(count):
        payload = {"text": os.urandom(size).hex()}
        history.add_event(connection, event(number, ingested_at=NOW + number, payload=payload), "r1", "applied")
