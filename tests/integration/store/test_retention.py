"""Retention and query plans: what is forgotten, and that nothing asked often reads a whole table."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.config import RetentionSettings
from agtmuxd.core.model import NS, Claim, Phase, RawEvent, Source, Strength
from agtmuxd.core.state.ordering import Stamp
from agtmuxd.core.state.registers import Entry, Register
from agtmuxd.repository import Runtime
from agtmuxd.store import actions, current, history
from agtmuxd.store.db import Store, open_database
from agtmuxd.store.retention import RetentionTask, limits_of, purge
from tests.integration.store.test_migrate import put, row

DAY = 86_400 * NS
NOW = 1000 * DAY
HOT = ("events", "event_inbox", "stream_log", "actions")
"""Tables that grow with time; the others hold one row per pane, runtime or source."""


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection, _ = open_database(str(tmp_path / "a.db"))
    put(connection, "targets", **row("targets"))
    put(connection, "runtimes", **row("runtimes"))
    yield connection
    connection.close()


def event(number: int = 1, **more: Any) -> RawEvent:
    made = RawEvent(
        event_id=f"e{number}", event_type="Stop", source=Source.HOOK, agent_type="claude", event_time=NOW,
        ingested_at=NOW, dedupe_key=f"k{number}", payload={"n": number},
    )  # fmt: skip
    return replace(made, **more)


# ------------------------------------------------ query plans


def a_register() -> Register:
    entry = Entry(Claim.RUNNING, Phase.START, Strength.DEFINITIVE, "r", NOW, Stamp(NOW, NOW, "e1"))
    return Register(Source.HOOK, "turn", entry, NOW)


def a_runtime() -> Runtime:
    return Runtime(
        "r1", "t1", "%1", "b", 1, "claude", None, None, None, 1, "1", 1, False, None, None, 1, ended_at=None,
        end_reason=None,
    )  # fmt: skip


ASKED: dict[str, Callable[[sqlite3.Connection], object]] = {
    "add_event": lambda c: history.add_event(c, event(5), "r1", "applied"),
    "mark_late": lambda c: history.mark_late(c, "e1"),
    "add_pending": lambda c: history.add_pending(c, event(6), None),
    "already_bound": lambda c: history.already_bound(c, event()),
    "settle_pending": lambda c: history.settle_pending(c, 1, "bound", None, "r1"),
    "load_pending": history.load_pending,
    "add_batch": lambda c: history.add_batch(c, "s", 9, {"panes": "[]"}, NOW),
    "publish": lambda c: history.publish(c, {"host/%1": "{}", "host/%2": None}),
    "read_batches": lambda c: history.read_batches(c, "s", 1, "panes", 100),
    "history": lambda c: history.history(c, runtime_ids=None, before=None, limit=100),
    "history, next page": lambda c: history.history(c, runtime_ids=None, before="e1", limit=100),
    "history of a runtime": lambda c: history.history(c, runtime_ids=["r1"], before=None, limit=100),
    "history of a pane": lambda c: history.history(c, runtime_ids=["r1", "r2"], before="e1", limit=100),
    "runtimes_of": lambda c: history.runtimes_of(c, "t1", "%1"),
    "save_runtime": lambda c: current.save_runtime(c, a_runtime()),
    "save_register": lambda c: current.save_register(c, "r1", a_register(), None),
    "purge the stream's rows": lambda c: history.purge_stream_rows(c, 1, 500),
    **{
        f"purge {name}": lambda c, s=statement: history.purge_batch(c, s, NOW, 500)  # type: ignore[misc]
        for name, statement, _ in history.PURGES
    },
    "purge payloads": lambda c: history.purge_payloads(c, NOW, 500),
    "purge what removed targets left": lambda c: history.purge_removed(c, 500),
    "answered_version": lambda c: actions.answered_version(c, "t1", "%1", "r1"),
    "abandon": lambda c: actions.abandon(c, NOW),
    "load_repository": current.load_repository,
}


def plans(connection: sqlite3.Connection, ask: Callable[[sqlite3.Connection], object]) -> list[tuple[str, str]]:
    """``(statement, plan line)`` of all that ``ask`` runs."""
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    try:
        ask(connection)
    finally:
        connection.set_trace_callback(None)
    out = []
    for statement in statements:
        if statement.startswith(("--", "BEGIN", "COMMIT")):
            continue
        out += [(statement, str(line[3])) for line in connection.execute("EXPLAIN QUERY PLAN " + statement)]
    return out


@pytest.mark.tc("TC-013")
@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_often_goes_by_an_index(db: sqlite3.Connection, name: str) -> None:
    for number in range(3):
        history.add_event(db, event(number), "r1", "applied")
        history.add_pending(db, event(number), None)
        history.add_batch(db, "s", number + 1, {"panes": "[]", "windows": "[]"}, NOW)
    put(db, "stream", **row("stream"))
    goes_by_index(db, ASKED[name])


def goes_by_index(db: sqlite3.Connection, ask: Callable[[sqlite3.Connection], object]) -> None:
    """Nothing that ``ask`` runs reads a hot table from end to end."""
    for statement, line in plans(db, ask):
        table = re.match(r"SCAN (\w+)", line)
        whole = table is not None and table.group(1) in HOT and not re.search("USING .*INDEX", line)
        first_few = "ORDER BY stream_id, sequence LIMIT 1 OFFSET" in statement  # walks the key, a batch at most
        assert first_few or not whole, f"{line}: {statement}"


@pytest.mark.tc("TC-013")
@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("history", "events_by_time"),
        ("history, next page", "events_by_time"),
        ("already_bound", "event_inbox_once"),
        ("load_pending", "event_inbox_by_status"),
        ("purge stream", "stream_log_by_time"),
        ("purge events", "events_by_time"),
        ("purge payloads", "events_by_time"),
        ("purge what removed targets left", "events_by_runtime"),
        ("purge actions", "actions_by_time"),
        ("answered_version", "actions_by_pane"),
        ("abandon", "actions_open"),
    ],
)
def test_the_required_indexes_serve_the_queries_they_are_for(db: sqlite3.Connection, name: str, index: str) -> None:
    history.add_event(db, event(1), "r1", "applied")
    assert any(index in line for _, line in plans(db, ASKED[name])), plans(db, ASKED[name])


@pytest.mark.tc("TC-013")
def test_the_history_of_a_runtime_reads_no_other_runtimes_events(db: sqlite3.Connection) -> None:
    history.add_event(db, event(1), "r1", "applied")
    for name in ("history of a runtime", "history of a pane"):
        assert any(
            line.startswith("SEARCH events USING") and "(runtime_id=?" in line for _, line in plans(db, ASKED[name])
        )


@pytest.mark.tc("TC-013")
def test_every_required_index_is_there(db: sqlite3.Connection) -> None:
    texts = {
        name: re.sub(r"\s+", " ", sql or "")
        for name, sql in db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
    }
    for wanted in (
        "UNIQUE INDEX runtimes_active ON runtimes (target_id, pane_id) WHERE ended_at IS NULL",
        "UNIQUE INDEX actions_request ON actions (action_type, request_ref)",
        "ON events (runtime_id, source, ingested_at DESC)",
        "ON events (ingested_at DESC)",
        "ON event_inbox (status, ingested_at)",
        "ON states (updated_at DESC)",
        "ON states (state, updated_at DESC)",
    ):
        assert any(wanted in text for text in texts.values()), wanted


# ------------------------------------------------ retention


def history_of(db: sqlite3.Connection) -> list[str]:
    """All rows but the one that says how far the purges came."""
    return [line for line in db.iterdump() if not line.startswith('INSERT INTO "upkeep"')]


async def purged(db: sqlite3.Connection, keep: history.RetentionLimits, now: int = NOW) -> dict[str, int]:
    store = Store(db)
    store.start()
    try:
        return await purge(store, keep, now)
    finally:
        store._queue.put(None)
        store._thread.join()


async def test_a_database_that_takes_nothing_is_purged_the_next_time(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.add_event(db, event(1, ingested_at=NOW - 15 * DAY), "r1", "applied")
    history.add_event(db, event(2, ingested_at=NOW), "r1", "applied")  # the clock did not jump
    monkeypatch.setattr("agtmuxd.store.db.BUSY_WAITS", (0.0,))
    (path,) = column(db, "SELECT file FROM pragma_database_list WHERE name = 'main'")
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA busy_timeout=0")
    other.execute("BEGIN IMMEDIATE")
    store = Store(db)
    store.start()
    times, purged_then = 0, asyncio.Event()

    def clock() -> int:
        nonlocal times
        times += 1
        if times == 3:
            other.execute("ROLLBACK")
        elif times == 4:
            purged_then.set()
        return NOW

    task = asyncio.create_task(RetentionTask(store, history.RetentionLimits, lambda: 10**9, clock).run(every=0.01))
    try:
        async with asyncio.timeout(20):
            await asyncio.wait({task, asyncio.create_task(purged_then.wait())}, return_when=asyncio.FIRST_COMPLETED)
        assert not task.done()
        assert other.execute("SELECT event_id FROM events").fetchall() == [("e2",)]
    finally:
        task.cancel()
        store.close()
        other.close()


def column(db: sqlite3.Connection, statement: str) -> list[Any]:
    return [r[0] for r in db.execute(statement)]


@pytest.mark.tc("TC-012")
def test_each_setting_is_the_limit_of_its_own_kind() -> None:
    """In days, and the stream's rows as a number. The defaults are those of the limits."""
    assert limits_of(RetentionSettings()) == history.RetentionLimits()
    some = RetentionSettings(payloads=1, events=2, actions=3, views=4, stream=5, stream_rows=6000)
    assert limits_of(some) == history.RetentionLimits(
        payloads=DAY, events=2 * DAY, actions=3 * DAY, views=4 * DAY, stream=5 * DAY, stream_rows=6000
    )


@pytest.mark.tc("TC-012")
async def test_payloads_go_after_seven_days_and_event_rows_after_fourteen(db: sqlite3.Connection) -> None:
    for number, age in enumerate([0, 7 * DAY - 1, 7 * DAY, 7 * DAY + 1, 14 * DAY, 14 * DAY + 1]):
        history.add_event(db, event(number, ingested_at=NOW - age), "r1", "applied")
    await purged(db, history.RetentionLimits())
    assert column(db, "SELECT event_id FROM events ORDER BY 1") == ["e0", "e1", "e2", "e3", "e4"]
    assert column(db, "SELECT event_id FROM events WHERE raw_payload IS NOT NULL ORDER BY 1") == ["e0", "e1", "e2"]


@pytest.mark.tc("TC-012")
async def test_of_the_inbox_only_what_is_settled_goes(db: sqlite3.Connection) -> None:
    for number, (age, status) in enumerate(
        [(8 * DAY, "pending_bind"), (8 * DAY, "bound"), (8 * DAY, "dropped_unbound"), (6 * DAY, "bound")]
    ):
        old = history.add_pending(db, event(number, ingested_at=NOW - age), None)
        assert old is not None
        history.settle_pending(db, old, status, None, None)
    await purged(db, history.RetentionLimits())
    assert column(db, "SELECT event_id FROM event_inbox ORDER BY 1") == ["e0", "e3"]


@pytest.mark.tc("TC-012")
async def test_a_runtime_is_forgotten_when_it_ended_long_ago_and_nothing_speaks_of_it(db: sqlite3.Connection) -> None:
    old = NOW - 15 * DAY
    for name, more in {
        "living": {},
        "recent": {"ended_at": NOW - 13 * DAY},
        "shown": {"ended_at": old},
        "told": {"ended_at": old},
        "gone": {"ended_at": old},
    }.items():
        put(db, "runtimes", **row("runtimes", runtime_id=name, pane_id=f"%{name}", **more))
    put(db, "states", **row("states", runtime_id="shown"))
    put(db, "events", **row("events", runtime_id="told", ingested_at=NOW))
    current.save_register(db, "gone", a_register(), None)
    await purged(db, history.RetentionLimits())
    assert column(db, "SELECT runtime_id FROM runtimes ORDER BY 1") == ["living", "r1", "recent", "shown", "told"]
    assert column(db, "SELECT count(*) FROM candidates") == [0]


@pytest.mark.tc("TC-012")
async def test_finished_actions_go_after_ninety_days_and_those_in_flight_never(db: sqlite3.Connection) -> None:
    for name, age, result in (
        ("new", 89, "done"),
        ("old", 91, "done"),
        ("open", 91, None),
        ("odd", 91, "indeterminate"),
    ):
        put(db, "actions", **row("actions", action_id=name, request_ref=name, requested_at=NOW - age * DAY,
                                 result_code=result))  # fmt: skip
        put(db, "action_snapshots", **row("action_snapshots", snapshot_id=name, action_id=name))
    await purged(db, history.RetentionLimits())
    assert column(db, "SELECT action_id FROM actions ORDER BY 1") == ["new", "open"]
    assert column(db, "SELECT action_id FROM action_snapshots ORDER BY 1") == ["new", "open"]


@pytest.mark.tc("TC-012")
async def test_the_stream_log_goes_after_a_day(db: sqlite3.Connection) -> None:
    for sequence, age in ((1, DAY + 1), (2, DAY), (3, 0)):
        history.add_batch(db, "s", sequence, {"panes": "[]", "windows": "[]", "sessions": "[]"}, NOW - age)
    await purged(db, history.RetentionLimits())
    assert column(db, "SELECT DISTINCT sequence FROM stream_log ORDER BY 1") == [2, 3]


@pytest.mark.tc("TC-012")
@pytest.mark.parametrize("scopes", [("panes",), ("panes", "windows", "sessions")])
async def test_past_its_bound_the_stream_log_loses_its_oldest_batches_whole_and_no_more(
    db: sqlite3.Connection, scopes: tuple[str, ...]
) -> None:
    put(db, "stream", **row("stream"))
    for sequence in range(1, 41):
        history.add_batch(db, "s", sequence, dict.fromkeys(scopes, "[]"), NOW)
    await purged(db, history.RetentionLimits(stream_rows=30))
    left = column(db, "SELECT DISTINCT sequence FROM stream_log ORDER BY 1")
    count = column(db, "SELECT count(*) FROM stream_log")[0]
    assert left == list(range(41 - len(left), 41)), "the newest stay, without a gap"
    assert count == len(left) * len(scopes), "a batch goes whole"
    assert 30 <= count < 30 + len(scopes)


@pytest.mark.tc("TC-012")
async def test_nothing_is_forgotten_before_its_time(db: sqlite3.Connection) -> None:
    put(db, "stream", **row("stream"))
    history.add_event(db, event(), "r1", "applied")
    history.add_pending(db, event(2), None)
    history.add_batch(db, "s", 1, {"panes": "[]"}, NOW)
    put(db, "actions", **row("actions", requested_at=NOW, result_code="done"))
    before = history_of(db)
    assert set((await purged(db, history.RetentionLimits())).values()) == {0}
    assert history_of(db) == before
