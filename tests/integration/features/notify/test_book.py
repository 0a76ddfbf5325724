"""Memory and database say the same, also after the clock was set back between two daemons."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.features.notify.book import Book
from agtmuxd.features.notify.episodes import Steps
from agtmuxd.features.notify.message import trial_message
from agtmuxd.features.notify.message_store import ChannelHealth, Sending
from agtmuxd.features.notify.model import Kind, Part, State
from agtmuxd.features.notify.store import Mute
from agtmuxd.store.db import open_database
from tests.integration.features.notify.stand import DirectStore
from tests.unit.features.notify.makers import T0, episode, s, told

pytestmark = pytest.mark.tc("TC-407")


@pytest.fixture
def database(tmp_path: Path) -> Any:
    return DirectStore(open_database(str(tmp_path / "n.db"))[0])


async def filled(database: Any) -> Book:
    book = Book(database)
    await book.load(T0)
    await book.follow(Steps(opened=[episode(1), episode(2, Kind.ERROR)], turns={"rt-1": T0}), [])
    await book.intend(
        [(Sending(trial_message("m-1", "desk", T0), "sending", 1), [told(episode(1), 2, state=State.SENDING)])]
    )
    await book.mute(Mute("", None, T0 + s(60), T0))
    await book.keep_health(ChannelHealth("desk", failures=1))
    return book


async def test_a_new_book_says_what_the_last_one_said(database: Any) -> None:
    book = await filled(database)
    other = Book(database)
    await other.load(T0 + s(5))
    for name in ("open", "deliveries", "last_sent", "turns", "mutes", "health", "sendings", "retracts"):
        assert getattr(other, name) == getattr(book, name), name


async def test_times_in_the_future_become_now(database: Any) -> None:
    """The clock was set back by an hour: nothing waits an hour longer for it."""
    await filled(database)
    other = Book(database)
    await other.load(T0 - s(3600))
    assert {one.opened_at for one in other.open.values()} == {T0 - s(3600)}
    assert other.last_sent == {("rt-1", Kind.WAITING_APPROVAL, "desk"): T0 - s(3600)}


async def test_memory_does_not_change_if_the_write_fails(database: Any) -> None:
    book = await filled(database)
    database.connection.execute("PRAGMA query_only=ON")
    with pytest.raises(sqlite3.OperationalError):
        await book.follow(Steps(opened=[episode(3)]), [])
    with pytest.raises(sqlite3.OperationalError):
        await book.unmute([""])
    assert set(book.open) == {"e1", "e2"}
    assert set(book.mutes) == {""}


async def test_the_end_of_a_message_is_written_for_all_its_episodes(database: Any) -> None:
    book = await filled(database)
    (sending,) = book.sendings.values()
    dead = replace(sending, state="dead", ended_at=T0 + s(9), last_error="no route")
    await book.conclude(dead, ChannelHealth("desk", failures=7), T0 + s(9))
    assert book.sendings == {}
    other = Book(database)
    await other.load(T0 + s(9))
    delivery = other.deliveries["e1"][("desk", Part.FIRST)]
    assert (delivery.state, delivery.reason) == (State.DEAD, "no route")
