"""The tables of episodes, deliveries, turns and mutes: what is written is read again, by an index, and ages out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agtmuxd.features.notify import store
from agtmuxd.features.notify.episodes import Steps
from agtmuxd.features.notify.model import Kind, Part, State
from agtmuxd.features.notify.store import Mute
from agtmuxd.store.db import open_database
from tests.integration.store.test_retention import plans
from tests.unit.features.notify.makers import T0, episode, s, told

pytestmark = pytest.mark.tc("TC-407")


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    connection, _ = open_database(str(tmp_path / "n.db"))
    return connection


def test_an_episode_is_read_as_it_was_written(db: sqlite3.Connection) -> None:
    one = episode(1, Kind.COMPLETED)
    store.write_steps(db, Steps(opened=[one], turns={"rt-1": 5}))
    assert store.open_episodes(db) == [one]
    assert (store.episode(db, "e1"), store.turns(db)) == (one, {"rt-1": 5})
    ended = replace(one, closed_at=T0 + 9, close_reason="you looked at it", seen_at=T0 + 3)
    store.write_steps(db, Steps(closed=[ended], turns={"rt-1": None}))
    assert (store.open_episodes(db), store.episode(db, "e1"), store.turns(db)) == ([], ended, {})


def test_one_agent_has_one_open_episode_of_a_kind(db: sqlite3.Connection) -> None:
    store.write_steps(db, Steps(opened=[episode(1)]))
    with pytest.raises(sqlite3.IntegrityError):
        store.put_episode(db, replace(episode(1), episode_id="e2"))
    ended = replace(episode(1), closed_at=T0, close_reason="another prompt")
    store.write_steps(db, Steps(opened=[replace(episode(1), episode_id="e2")], closed=[ended]))
    assert [one.episode_id for one in store.open_episodes(db)] == ["e2"]


def test_a_delivery_is_decided_once_for_each_channel_and_part(db: sqlite3.Connection) -> None:
    one = episode(1)
    store.put_episode(db, one)
    first, reminder = told(one, 2, state=State.SENDING), told(one, 600, part=Part.REMIND)
    store.put_deliveries(db, [first, reminder])
    store.end_deliveries(db, "m-1", State.DEAD, T0 + s(9), "no route")
    found = store.deliveries_of(db, ["e1"])
    assert {(d.part, d.state, d.reason) for d in found} == {
        (Part.FIRST, State.DEAD, "no route"), (Part.REMIND, State.DEAD, "no route"),
    }  # fmt: skip


def test_when_an_agent_was_last_told_of_leaves_out_what_was_skipped(db: sqlite3.Connection) -> None:
    one, two = episode(1), episode(2)
    for some in (one, two):
        store.put_episode(db, some)
    store.put_deliveries(db, [told(one, 5), told(two, 6, state=State.SKIPPED)])
    assert store.last_sent(db, T0) == {("rt-1", Kind.WAITING_APPROVAL, "desk"): T0 + s(5)}
    assert store.last_sent(db, T0 + s(5)) == {}


def test_a_mute_is_replaced_and_lifted(db: sqlite3.Connection) -> None:
    store.put_mute(db, Mute("", None, 5, 1))
    store.put_mute(db, Mute("", None, 9, 2))
    assert store.mutes(db) == {"": Mute("", None, 9, 2)}
    store.drop_mutes(db, ["", "other"])
    assert store.mutes(db) == {}


def test_what_ended_long_ago_is_deleted_with_its_deliveries(db: sqlite3.Connection) -> None:
    old = replace(episode(1), closed_at=T0, close_reason="x")
    for one in (old, episode(2)):
        store.put_episode(db, one)
    store.put_deliveries(db, [told(old, 1), told(episode(2), 1)])
    assert store.purge(db, T0 + 1, 10) == 1
    assert [one.episode_id for one in store.open_episodes(db)] == ["e2"]
    assert store.deliveries_of(db, ["e1"]) == []
    assert len(store.deliveries_of(db, ["e2"])) == 1


def goes_by_index(db: sqlite3.Connection, ask: Callable[[sqlite3.Connection], object], but: str = "none") -> None:
    """Nothing that ``ask`` runs reads a table of notifications from end to end, ``but`` one that stays small."""
    lines = [line for _, line in plans(db, ask)]
    assert lines
    assert [line for line in lines if line.startswith("SCAN") and "INDEX" not in line and but not in line] == []


@pytest.mark.tc("TC-013")
def test_the_hot_queries_go_by_an_index(db: sqlite3.Connection) -> None:
    for number in range(1, 9):
        store.put_episode(db, episode(number))
    goes_by_index(db, lambda c: store.episodes_of(c, "host/%1", 5))
    goes_by_index(db, store.open_episodes)
    goes_by_index(db, lambda c: store.end_deliveries(c, "m-1", State.SENT, 1))
    goes_by_index(db, lambda c: store.purge(c, T0, 10), but="notify_codes")
