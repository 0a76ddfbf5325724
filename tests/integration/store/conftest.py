"""A path for a database, and a database with one target and one runtime."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agtmuxd.store.db import open_database
from tests.integration.store.test_migrate import put, row


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "a.db")


@pytest.fixture
def db(path: str) -> Iterator[sqlite3.Connection]:
    connection, _ = open_database(path)
    put(connection, "targets", **row("targets"))
    put(connection, "runtimes", **row("runtimes"))
    yield connection
    connection.close()
