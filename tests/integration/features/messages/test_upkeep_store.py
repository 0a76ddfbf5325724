"""Retention deletes whole threads that are old and closed, and nothing else."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from agtmuxd.features.messages import search, upkeep_store
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages.model import Delivery, DeliveryRoute, DeliveryState, Kind, Message, Priority
from agtmuxd.store.migrate import load, migrate

pytestmark = pytest.mark.tc("TC-694")


@pytest.fixture
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("PRAGMA foreign_keys=ON")
    migrate(made, load())
    return made


def add(connection: sqlite3.Connection, name: str, at: int, state: str = "acked", **more: object) -> None:
    message = Message(name, None, "p", Kind.NOTE, Priority.NORMAL, "", f"text {name}", name, f"ref-{name}", "d", at)
    rows.add_message(connection, replace(message, expires_at=at + 10, **more))  # type: ignore[arg-type]
    rows.add_delivery(connection, Delivery(f"d-{name}", name, "a1", DeliveryState(state), DeliveryRoute.PULL, 1.0, at))


def left(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT message_id FROM messages ORDER BY seq")]


def test_old_closed_threads_go_with_all_that_belongs_to_them(connection: sqlite3.Connection) -> None:
    add(connection, "old", 5)
    add(connection, "reply", 6, parent_id="old", thread_id="old")
    add(connection, "on-its-way", 5, "claimed")
    add(connection, "not-expired", 5, "queued", reply_by=900)
    connection.execute("UPDATE messages SET expires_at = 900 WHERE message_id = 'not-expired'")
    add(connection, "living", 5)
    add(connection, "fresh", 100, parent_id="living", thread_id="living")
    rows.add_reaction(connection, "old", "a1", "+1", 7)
    rows.note_request(connection, "a1", "ref-old", "d", "old", 5)
    rows.note_request(connection, "a1", "ref-new", "d", "fresh", 100)
    assert upkeep_store.purge(connection, 50, 500) == 3
    assert left(connection) == ["on-its-way", "not-expired", "living", "fresh"]
    for table, count in (("deliveries", 4), ("reactions", 0), ("message_requests", 1)):
        (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        assert found == count
    assert search.find(connection, search.MessageFilter(9, text="reply"))[0] == []
    assert search.cursor(connection).purged == 2
    assert upkeep_store.purge(connection, 50, 500) == 0


def test_the_next_time_is_that_of_the_first_thing_due(connection: sqlite3.Connection) -> None:
    assert upkeep_store.next_due(connection, 0) is None
    add(connection, "m1", 5, "queued")
    add(connection, "m2", 5, "read", reply_by=9)
    assert upkeep_store.next_due(connection, 0) == 9
    assert upkeep_store.next_due(connection, 9) == 15
    assert [one.message_id for one in upkeep_store.due(connection, 0, 9)] == ["m2"]
    assert upkeep_store.due(connection, 9, 20) == []
    assert [one.delivery_id for one in upkeep_store.expired(connection, 15)] == ["d-m1"]
