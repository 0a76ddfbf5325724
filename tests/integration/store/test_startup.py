"""What the daemon reads and reports when it opens its database."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import pytest

from agtmuxd.store import db as database
from agtmuxd.store import history, housekeeping
from agtmuxd.store.db import open_database
from agtmuxd.store.startup import load_all
from tests.integration.store.databases import serving, spoil
from tests.integration.store.test_migrate import put, row


@pytest.mark.tc("TC-153")
async def test_after_an_orderly_end_nothing_is_checked(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(path):
        pass
    checked: list[str] = []

    def checking(path: str) -> tuple[bool, str | None]:
        checked.append(path)
        return True, None

    monkeypatch.setattr(database, "check_for", checking)
    async with serving(path) as store:
        store.check()
        assert not store.checks
    assert checked == []


@pytest.mark.tc("TC-153")
def test_current_rows_that_cannot_be_read_after_an_orderly_end_are_set_aside_too(path: str) -> None:
    connection, _ = open_database(path)
    put(connection, "targets", **row("targets"))
    housekeeping.note_closed(connection)
    connection.close()
    spoil(path, "targets")
    found = load_all(path, time.time_ns(), lambda _: None)
    assert found.set_aside is not None
    assert found.repository.targets == {}
    found.connection.close()


@pytest.mark.tc("TC-159")
def test_after_a_power_cut_the_stream_is_another_one_and_after_a_kill_it_goes_on(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(machine: str, *, ends_well: bool) -> tuple[str, int]:
        monkeypatch.setattr(housekeeping, "machine_start", lambda: machine)
        found = load_all(path, time.time_ns(), lambda _: None)
        history.add_batch(found.connection, found.stream_id, found.upcoming, {"panes": "[]"}, time.time_ns())
        if ends_well:
            housekeeping.note_closed(found.connection)
        found.connection.close()
        return found.stream_id, found.upcoming

    first = start("boot-1", ends_well=False)
    killed = start("boot-1", ends_well=True)
    rebooted = start("boot-2", ends_well=False)
    cut = start("boot-3", ends_well=True)
    assert (killed, rebooted) == ((first[0], first[1] + 1), (first[0], first[1] + 2))
    assert cut[0] != first[0]
    assert cut[0] > first[0], "so that purges take the older stream's rows first"
    assert cut[1] == first[1] + 3


@pytest.mark.tc("TC-153")
def test_a_place_that_takes_no_write_ahead_log_is_told(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, _ = open_database(path)
    housekeeping.note_closed(connection)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()

    connect = sqlite3.connect

    def refusing(*arguments: Any, **more: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = connect(*arguments, **more)
        made.set_authorizer(
            lambda code, name, value, *_: (
                sqlite3.SQLITE_IGNORE
                if code == sqlite3.SQLITE_PRAGMA and name == "journal_mode" and value
                else sqlite3.SQLITE_OK
            )
        )
        return made

    monkeypatch.setattr(sqlite3, "connect", refusing)
    found = load_all(path, time.time_ns(), lambda _: None)
    found.connection.close()
    assert any("does not support SQLite's write-ahead log (it uses delete)" in note for note in found.notes)
