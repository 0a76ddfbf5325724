"""The tables of messages and of the health of channels."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from agtmuxd.features.notify import message_store, store
from agtmuxd.features.notify.message import trial_message
from agtmuxd.features.notify.message_store import ChannelHealth, Sending
from agtmuxd.store.db import open_database
from tests.integration.features.notify.test_store import goes_by_index
from tests.unit.features.notify.makers import T0, episode, s, told

pytestmark = pytest.mark.tc("TC-407")


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    connection, _ = open_database(str(tmp_path / "n.db"))
    return connection


def sending(state: str = "sending", name: str = "m-1", **more: object) -> Sending:
    return replace(Sending(trial_message(name, "desk", T0), state, 1), **more)  # type: ignore[arg-type]


def test_a_message_is_read_as_it_was_written(db: sqlite3.Connection) -> None:
    one = sending(next_at=T0 + 5, last_error="no")
    message_store.put(db, one)
    assert message_store.unfinished(db) == [one]
    message_store.put(db, replace(one, state="dead", ended_at=T0))
    assert message_store.unfinished(db) == []
    assert message_store.dead(db, 5) == message_store.of_ids(db, ["m-1", "m-9"])


def test_a_message_about_two_is_to_be_taken_back_when_both_have_ended(db: sqlite3.Connection) -> None:
    one, two = episode(1), episode(2)
    for some in (one, two):
        store.put_episode(db, some)
    store.put_deliveries(db, [told(one, 1), told(two, 1)])
    message_store.put(db, sending("sent", handle="h-1"))
    store.put_episode(db, replace(one, closed_at=T0, close_reason="x"))
    assert [over for _, over in message_store.delivered_open(db, "e1")] == [False]
    store.put_episode(db, replace(two, closed_at=T0, close_reason="x"))
    ((back, over),) = message_store.delivered_open(db, "e2")
    assert over
    message_store.put(db, replace(back, retract="due"))
    assert [one.handle for one in message_store.to_retract(db)] == ["h-1"]
    assert message_store.delivered_open(db, "e2") == []


def test_what_cannot_be_taken_back_is_not(db: sqlite3.Connection) -> None:
    store.put_episode(db, replace(episode(1), closed_at=T0, close_reason="x"))
    store.put_deliveries(db, [told(episode(1), 1)])
    message_store.put(db, sending("sent"))
    assert message_store.delivered_open(db, "e1") == []


def test_the_health_of_a_channel_is_kept(db: sqlite3.Connection) -> None:
    one = ChannelHealth("desk", T0, T0 + 1, "no bus", 2, None)
    message_store.put_health(db, one)
    message_store.put_health(db, replace(one, failures=3))
    assert message_store.health(db) == {"desk": replace(one, failures=3)}


def test_old_messages_are_deleted_unfinished_ones_stay(db: sqlite3.Connection) -> None:
    message_store.put(db, sending("dead", ended_at=T0))
    message_store.put(db, sending("retry", "m-2"))
    store.purge(db, T0 + s(1), 10)
    assert [one.message.message_id for one in message_store.of_ids(db, ["m-1", "m-2"])] == ["m-2"]


@pytest.mark.tc("TC-013")
def test_the_hot_queries_go_by_an_index(db: sqlite3.Connection) -> None:
    for ask in (message_store.unfinished, message_store.to_retract):
        goes_by_index(db, ask)
    goes_by_index(db, lambda c: message_store.dead(c, 5))
