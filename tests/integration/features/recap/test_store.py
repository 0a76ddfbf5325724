"""Read the stream log by time: in order over streams, each entry once, however the pages are cut."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from agtmuxd.features.recap import store as rows
from agtmuxd.store.db import open_database

pytestmark = pytest.mark.tc("TC-252")


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    opened, _ = open_database(str(tmp_path / "a.db"))
    entries = [("b", 1, "panes", 30), ("a", 1, "panes", 10), ("a", 2, "panes", 20), ("a", 3, "windows", 25),
               ("b", 2, "panes", 30), ("b", 3, "panes", 40)]  # fmt: skip
    opened.executemany(
        "INSERT INTO stream_log VALUES (?, ?, ?, ?, ?)",
        [(stream, number, scope, f'[{{"key": "{stream}{number}"}}]', at) for stream, number, scope, at in entries],
    )
    return opened


@pytest.mark.parametrize("size", [1, 2, 3, 250])
def test_each_entry_from_the_time_on_is_read_once_in_order(
    connection: sqlite3.Connection, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "PAGE", size)
    found: list[tuple[int, str]] = []
    after: rows.Position | None = (20, "", -1)
    while after is not None:
        some, after = rows.page(connection, after, 35)
        found += [(at, changes[0]["key"]) for at, changes, _ in some]
    assert found == [(20, "a2"), (30, "b1"), (30, "b2")]
    assert rows.oldest(connection) == 10


def test_an_empty_log_has_no_oldest_entry(tmp_path: Path) -> None:
    opened, _ = open_database(str(tmp_path / "b.db"))
    assert rows.oldest(opened) is None


@pytest.mark.tc("TC-919")
def test_changes_of_coordination_come_with_their_batch(connection: sqlite3.Connection) -> None:
    columns = "stream_id, sequence, changes_json, committed_at"
    entry = ("b", 1, '[{"key": "message/m-1"}]', 30)
    connection.execute(f"INSERT INTO coord_log ({columns}) VALUES (?, ?, ?, ?)", entry)  # noqa: S608
    found, _ = rows.page(connection, (20, "", -1), 35)
    assert [(at, [change["key"] for change in coordinated]) for at, _, coordinated in found] == [
        (20, []), (30, ["message/m-1"]), (30, []),
    ]  # fmt: skip
