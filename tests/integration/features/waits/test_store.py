"""The SQL of waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest

from agtmuxd.features.waits import store as rows
from agtmuxd.features.waits.model import Wait, WaitCondition
from agtmuxd.store.migrate import load, migrate

pytestmark = pytest.mark.tc("TC-752")
CONDITION = WaitCondition("state:a=idle", "state", "runtime:1=idle", "met", 7, {"state": "idle"})


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    migrate(made, load())
    yield made
    made.close()


def wait(number: int, owner: str | None = None) -> Wait:
    return Wait(f"w{number}", owner, "person", "all", 1, (CONDITION,), 100, number)


def test_a_wait_comes_back_equal_with_its_results(connection: sqlite3.Connection) -> None:
    rows.add_wait(connection, wait(1), "request-1", "digest")
    assert rows.open_waits(connection) == [wait(1)]
    assert rows.find_request(connection, None, "request-1") == (wait(1), "digest")
    assert rows.find_request(connection, "a", "request-1") is None
    over = replace(wait(1), state="met", ended_at=9)
    rows.save_wait(connection, over)
    assert rows.find_wait(connection, "w1") == over
    assert rows.open_waits(connection) == []
    with pytest.raises(sqlite3.IntegrityError):
        rows.add_wait(connection, wait(2), "request-1", "digest")


def test_waits_are_listed_by_owner_and_state_newest_first(connection: sqlite3.Connection) -> None:
    rows.add_wait(connection, wait(1, "a"), "r", "d")
    rows.add_wait(connection, wait(2), "r", "d")
    rows.add_wait(connection, replace(wait(3, "a"), state="met", ended_at=5), "r3", "d")

    def listed(owner: str | None, state: str | None) -> list[str]:
        return [one.wait_id for one in rows.list_waits(connection, owner_agent_id=owner, state=state, limit=9)]

    assert (listed(None, None), listed("a", None)) == (["w3", "w2", "w1"], ["w3", "w1"])
    assert (listed(None, "open"), listed(None, "ended"), listed("a", "met")) == (["w2", "w1"], ["w3"], ["w3"])


def test_only_old_results_are_deleted(connection: sqlite3.Connection) -> None:
    rows.add_wait(connection, wait(1), "r1", "d")
    rows.add_wait(connection, replace(wait(2), state="met", ended_at=5), "r2", "d")
    rows.add_wait(connection, replace(wait(3), state="met", ended_at=9), "r3", "d")
    assert rows.purge(connection, 9, 10) == 1
    assert rows.purge(connection, 9, 10) == 0
    assert [one.wait_id for one in rows.list_waits(connection, owner_agent_id=None, state=None, limit=9)] == [
        "w3", "w1"
    ]  # fmt: skip
