"""Devices and the server's state come back as they were stored."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from agtmuxd.api.route import WebScope
from agtmuxd.features.web.model import Device
from agtmuxd.features.web.store import (
    ServerState,
    add_device,
    load_devices,
    load_state,
    remove_device,
    save_seen,
    save_state,
)
from agtmuxd.store.db import open_database

pytestmark = pytest.mark.tc("TC-291")


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    return open_database(str(tmp_path / "a.db"))[0]


def test_a_new_database_has_no_device_and_a_server_that_is_off(connection: sqlite3.Connection) -> None:
    assert (load_state(connection), load_devices(connection)) == (ServerState(), [])
    save_state(connection, ServerState(True, 4567))
    assert load_state(connection) == ServerState(True, 4567)
    connection.close()


def test_devices_come_back_the_oldest_first_and_names_are_unique(connection: sqlite3.Connection) -> None:
    one = Device("d-1", "phone", WebScope.ACT, "a" * 64, 2)
    two = Device("d-2", "tablet", WebScope.OBSERVE, "b" * 64, 1, 5)
    add_device(connection, one)
    add_device(connection, two)
    assert load_devices(connection) == [two, one]
    with pytest.raises(sqlite3.IntegrityError):
        add_device(connection, Device("d-3", "phone", WebScope.ALL, "c" * 64, 3))
    with pytest.raises(sqlite3.IntegrityError):
        add_device(connection, Device("d-4", "other", WebScope.OWN, "d" * 64, 3))
    save_seen(connection, {"d-1": 9, "gone": 9})
    remove_device(connection, "d-2")
    assert [(each.name, each.seen_at) for each in load_devices(connection)] == [("phone", 9)]
    connection.close()
