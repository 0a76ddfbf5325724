"""Cursors: what they give, and when they are refused."""

from __future__ import annotations

import sqlite3

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.messages import search
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages.model import Kind, Message, Priority
from agtmuxd.store.migrate import load, migrate

pytestmark = pytest.mark.tc("TC-685")


@pytest.fixture
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    migrate(made, load())
    for number in range(3):
        name = f"m{number}"
        message = Message(name, None, "person", Kind.NOTE, Priority.NORMAL, "", "b", name, f"ref-{name}", "d", 5)
        rows.add_message(made, message)
    return made


def code(connection: sqlite3.Connection, text: str) -> tuple[str, object]:
    with pytest.raises(AgtmuxError) as caught:
        search.cursor(connection).after(text)
    return caught.value.code, caught.value.details.get("reason")


def test_a_cursor_that_is_ahead_of_another_database_or_too_old_is_refused(connection: sqlite3.Connection) -> None:
    at = search.cursor(connection)
    assert (at.newest, at.after(at.at(2))) == (3, 2)
    assert code(connection, at.at(4)) == ("E_CURSOR_INVALID", "CURSOR_AHEAD")
    assert code(connection, "00000000:1")[0] == "E_CURSOR_EXPIRED"
    for odd in ("", "m1", at.epoch, f"{at.epoch}:x", "'; DROP TABLE messages"):
        assert code(connection, odd)[0] == "E_CURSOR_INVALID"
    connection.execute("UPDATE mailbox SET purged_seq = 2")
    assert code(connection, at.at(1))[0] == "E_CURSOR_EXPIRED"
    assert search.cursor(connection).after(at.at(2)) == 2


def test_the_newest_number_stays_when_its_message_is_deleted(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM messages WHERE seq = 3")
    assert search.cursor(connection).newest == 3


def test_pages_go_on_without_a_gap(connection: sqlite3.Connection) -> None:
    found, more = search.find(connection, search.MessageFilter(2, after=0))
    assert ([one.seq for one in found], more) == ([1, 2], True)
    found, more = search.find(connection, search.MessageFilter(2, after=2))
    assert ([one.seq for one in found], more) == ([3], False)
    found, more = search.find(connection, search.MessageFilter(2))
    assert ([one.seq for one in found], more) == ([3, 2], True)
