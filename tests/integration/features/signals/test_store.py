"""The SQL of signals: order, ranges of topics, gaps, cursors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from agtmuxd.features.signals import store as rows
from agtmuxd.features.signals.model import Signal
from agtmuxd.store.migrate import load, migrate

pytestmark = pytest.mark.tc("TC-747")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    migrate(made, load())
    yield made
    made.close()


def add(connection: sqlite3.Connection, topic: str, at: int = 1) -> int:
    number = rows.last_seq(connection) + 1
    signal = Signal(0, f"s{number}", topic, None, "person", "1", 1, at)
    return rows.add_signal(connection, signal, f"ref-{number}", "digest")


def test_a_range_has_the_topics_below_it_and_no_others(connection: sqlite3.Connection) -> None:
    for topic in ("team/web", "team/web/a", "team/web/b/c", "team/web0", "team/web-2/a", "team/we/b"):
        add(connection, topic)
    found = rows.page(connection, "team/web/", 0, 10).signals
    assert [signal.topic for signal in found] == ["team/web/a", "team/web/b/c"]
    assert [row.topic for row in rows.list_topics(connection, "team/web/")] == ["team/web/a", "team/web/b/c"]
    assert len(rows.page(connection, None, 0, 10).signals) == 6


def test_a_page_says_whether_there_are_more(connection: sqlite3.Connection) -> None:
    for _ in range(3):
        add(connection, "a")
    page = rows.page(connection, "a", 1, 1)
    assert ([s.seq for s in page.signals], page.more, page.last_seq) == ([2], True, 3)
    assert not rows.page(connection, "a", 1, 2).more


def test_a_deleted_signal_leaves_a_gap_of_its_topic_only_and_its_number_is_never_used_again(
    connection: sqlite3.Connection,
) -> None:
    add(connection, "old", at=1)
    add(connection, "slow", at=9)
    add(connection, "old", at=2)
    assert rows.purge(connection, 5, 1) == 1
    assert rows.page(connection, "old", 0, 9).gap == 1
    assert rows.purge(connection, 5, 9) == 1
    assert rows.purge(connection, 5, 9) == 0
    assert [rows.page(connection, topic, 0, 9).gap for topic in ("old", "slow", None)] == [3, 0, 3]
    assert add(connection, "old") == 4


def test_a_consumer_has_one_cursor_for_each_stream(connection: sqlite3.Connection) -> None:
    assert rows.read_cursor(connection, "me", "signals:a") is None
    rows.save_cursor(connection, "me", "signals:a", 3, 1)
    rows.save_cursor(connection, "me", "signals:a", 5, 2)
    assert rows.read_cursor(connection, "me", "signals:a") == 5
    assert rows.read_cursor(connection, "me", "signals:b") is None
