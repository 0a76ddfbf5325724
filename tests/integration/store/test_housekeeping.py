"""What the store does for itself: starts, checks, sizes, clocks, removals, and numbers that are never used twice."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import NS, Source, State
from agtmuxd.core.retention_clock import JUMP, PATIENCE, RetentionTime
from agtmuxd.services.health import StorageHealth
from agtmuxd.store import db as database
from agtmuxd.store import history, housekeeping, integrity
from agtmuxd.store.db import Store, open_database
from agtmuxd.store.disk import network_type
from agtmuxd.store.migrate import load, migrate
from agtmuxd.store.retention import RetentionTask, purge, shrink
from agtmuxd.store.startup import load_all
from tests.conftest import until
from tests.integration.store.test_migrate import put, row
from tests.integration.store.test_retention import DAY, NOW, column, event
from tests.rig import BUSY, TARGET, Agent, Clock, Rig
from tests.rig import event as posted
from tests.smalldisk import small_disk


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "a.db")


@pytest.fixture
def db(path: str) -> Iterator[sqlite3.Connection]:
    connection, _ = open_database(path)
    put(connection, "targets", **row("targets"))
    put(connection, "runtimes", **row("runtimes"))
    yield connection
    connection.close()


@asynccontextmanager
async def serving(path: str) -> AsyncIterator[Store]:
    connection, _ = open_database(path)
    store = Store(connection)
    store.start()
    try:
        yield store
    finally:
        store.close()


def look(path: str, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [r[0] for r in connection.execute(statement)]


def fill(connection: sqlite3.Connection, count: int, size: int = 2000, age: int = 0) -> None:
    connection.execute("BEGIN")
    for number in range(count):
        payload = {"text": os.urandom(size // 2).hex()}
        history.add_event(connection, event(number, ingested_at=NOW - age + number, payload=payload), "r1", "applied")
    connection.execute("COMMIT")


def spoil(path: str, table: str) -> None:
    """Write nonsense over the last page of a table, as a bad disk does."""
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with Path(path).open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)


# ------------------------------------------------ starts and checks


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
def test_after_an_end_out_of_order_the_file_is_checked(path: str, db: sqlite3.Connection) -> None:
    fill(db, 50)
    db.close()
    spoil(path, "events")
    fresh, kept = open_database(path)
    assert kept is not None
    assert column(fresh, "SELECT count(*) FROM events") == [0]
    fresh.close()


@pytest.mark.tc("TC-153")
async def test_a_check_that_takes_longer_goes_on_behind_and_what_it_finds_is_told_and_set_aside(
    path: str, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db, 50)
    db.close()
    spoil(path, "events")
    monkeypatch.setattr(database, "check_for", lambda _path: (False, None))  # not done in its time
    async with serving(path) as store:
        storage_health = StorageHealth(store, lambda: 10**9)
        assert store.damage is None
        store.check()
        await asyncio.to_thread(until, lambda: store.damage is not None, what="the check finds it")
        assert any("run agtmux daemon restart to replace it" in line for line in storage_health.wrong())
    monkeypatch.undo()
    fresh, kept = open_database(path)
    assert kept is not None
    assert Path(kept).exists()
    assert not integrity.note_of(path).exists()
    fresh.close()


@pytest.mark.tc("TC-153")
async def test_a_check_in_the_background_that_finds_nothing_is_not_made_again(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "check_for", lambda _path: (False, None))
    async with serving(path) as store:
        store.check()
        await asyncio.to_thread(until, lambda: not store.checks and not store.depth)
        assert await store.read(housekeeping.is_checked)
    async with serving(path) as store:
        assert await store.read(housekeeping.is_checked)


@pytest.mark.tc("TC-153")
def test_current_rows_that_cannot_be_read_after_an_orderly_end_are_set_aside_too(path: str) -> None:
    connection, _ = open_database(path)
    put(connection, "targets", **row("targets"))
    housekeeping.note_closed(connection)
    connection.close()
    spoil(path, "targets")
    found = load_all(path, time.time_ns())
    assert found.set_aside is not None
    assert found.repository.targets == {}
    found.connection.close()


@pytest.mark.tc("TC-153")
async def test_a_damage_that_a_write_or_a_read_meets_is_told(path: str, db: sqlite3.Connection) -> None:
    fill(db, 50)
    housekeeping.note_closed(db)
    db.close()
    spoil(path, "events")
    async with serving(path) as store:
        with pytest.raises(AgtmuxError) as caught:
            await store.read(lambda c: c.execute("SELECT count(raw_payload) FROM events").fetchone())
        assert caught.value.code == "E_STORE_UNAVAILABLE"
        assert store.damage is not None
        assert "malformed" in store.damage
    assert integrity.note_of(path).exists()
    assert look(path, "SELECT closed FROM upkeep") == [0]


@pytest.mark.tc("TC-153")
def test_a_database_of_the_version_before_is_brought_up_and_back(path: str) -> None:
    steps = load()
    connection, _ = open_database(path, steps[:2])
    put(connection, "targets", **row("targets"))
    put(connection, "runtimes", **row("runtimes"))
    log_before = column(connection, "SELECT runtime_id FROM runtimes")
    connection.close()
    newer, kept = open_database(path)
    assert kept is None
    assert column(newer, "SELECT runtime_id FROM runtimes") == log_before
    assert column(newer, "SELECT count(*) FROM upkeep") == [1]
    assert migrate(newer, steps, to=2) == 2
    assert column(newer, "SELECT runtime_id FROM runtimes") == log_before
    newer.close()


# ------------------------------------------------ size


@pytest.mark.tc("TC-154")
async def test_above_its_bound_the_oldest_payloads_go_then_the_oldest_events_and_no_action(path: str) -> None:
    async with serving(path) as store:
        await store.run(lambda c: _with_events(c, 3000, 2000))
        used = await store.read(history.used_bytes)
        assert await shrink(store, used * 2, NOW) == used
        left = await shrink(store, used // 2, NOW + DAY)
        assert left <= used // 2
        assert look(path, "SELECT count(*) FROM events") == [3000]
        with_payload = look(path, "SELECT min(ingested_at) FROM events WHERE raw_payload IS NOT NULL")
        without = look(path, "SELECT max(ingested_at) FROM events WHERE raw_payload IS NULL")
        assert without < with_payload
        await shrink(store, 400_000, NOW + DAY)
        assert look(path, "SELECT count(*) FROM events WHERE raw_payload IS NOT NULL") == [0]
        assert look(path, "SELECT count(*) FROM events")[0] < 3000
        assert look(path, "SELECT count(*) FROM actions") == [1]


def _with_events(connection: sqlite3.Connection, count: int, size: int = 400) -> None:
    put(connection, "targets", **row("targets"))
    put(connection, "runtimes", **row("runtimes"))
    put(connection, "actions", **row("actions", result_code="done", requested_at=NOW))
    for number in range(count):
        payload = {"text": os.urandom(size).hex()}
        history.add_event(connection, event(number, ingested_at=NOW + number, payload=payload), "r1", "applied")


@pytest.mark.tc("TC-154")
async def test_a_new_database_gives_back_what_it_no_longer_uses(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "SPARE_PAGES", 50)
    async with serving(path) as store:
        await store.run(lambda c: _with_events(c, 2000))
        await store.truncate_log()
        before = Path(path).stat().st_size
        retention = RetentionTask(store, history.RetentionLimits, lambda: 400_000, lambda: NOW)
        await retention._once()
        await store.truncate_log()
        assert Path(path).stat().st_size < before / 2
        assert retention.used is not None
        assert retention.used <= 400_000


@pytest.mark.tc("TC-154")
def test_a_text_that_an_earlier_event_has_is_kept_once(db: sqlite3.Connection) -> None:
    content = os.urandom(1500).hex()
    before = {"tool_name": "Write", "tool_input": {"file_path": "/a", "content": content}}
    after = {**before, "tool_response": {"content": content, "parts": [content, "short"]}}
    history.add_event(db, event(1, event_type="PreToolUse", payload=before), "r1", "applied")
    history.add_event(db, event(2, event_type="PostToolUse", ingested_at=NOW + 1, payload=after), "r1", "applied")
    first, second = (
        one["raw_payload"] for one in reversed(history.history(db, runtime_ids=None, before=None, limit=9))
    )
    same = {"same_as": "e1", "chars": len(content)}
    assert first == before
    assert second["tool_input"] == {"file_path": "/a", "content": same}
    assert second["tool_response"] == {"content": same, "parts": [same, "short"]}
    assert sum(column(db, "SELECT length(raw_payload) FROM events")) < 1.2 * len(content)


@pytest.mark.tc("TC-154")
def test_a_text_is_named_within_its_runtime_and_source_only_and_words_of_the_payload_itself_stay(
    db: sqlite3.Connection,
) -> None:
    text = os.urandom(1500).hex()
    put(db, "runtimes", **row("runtimes", runtime_id="r2", pane_id="%9"))
    nested: dict[str, Any] = {"tool_input": {"content": text}}
    message = {"last_assistant_message": text}
    for number, (runtime, source, payload) in enumerate(
        [("r1", Source.HOOK, nested), ("r2", Source.HOOK, nested), ("r1", Source.NOTIFY, nested),
         ("r1", Source.HOOK, message), ("r1", Source.HOOK, message)]
    ):  # fmt: skip
        made = event(number, source=source, ingested_at=NOW + number, payload=payload)
        history.add_event(db, made, runtime, "applied")
    kept = [one["raw_payload"] for one in reversed(history.history(db, runtime_ids=None, before=None, limit=9))]
    assert kept == [nested, nested, nested, message, message]


@pytest.mark.tc("TC-154")
def test_long_texts_inside_a_payload_are_cut_and_the_rest_stays_whole(db: sqlite3.Connection) -> None:
    payload = {"tool_name": "Read", "tool_response": {"file": {"content": "x" * 100_000, "lines": 12}}}
    history.add_event(db, event(1, payload=payload), "r1", "applied")
    (one,) = history.history(db, runtime_ids=None, before=None, limit=9)
    file = one["raw_payload"]["tool_response"]["file"]
    assert file["lines"] == 12
    assert file["content"].endswith("(95904 more characters)")
    assert len(file["content"]) < 4200


@pytest.mark.tc("TC-154")
async def test_an_event_that_waited_for_its_runtime_is_stored_once(tmp_path: Path) -> None:
    agent, text = Agent(), os.urandom(1500).hex()
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        asked = {"tool_name": "Bash", "tool_input": {"command": text}}
        (answer,) = await rig.post(posted("PreToolUse", agent, at=rig.clock(), payload=asked))
        assert answer.status == "pending_bind"
        assert rig.rows("SELECT raw_payload FROM event_inbox") == [(None,)]
        await rig.round(agent)
        assert rig.rows("SELECT status, envelope, raw_payload FROM event_inbox") == [("bound", None, None)]
        (kept,) = (row[0] for row in rig.rows("SELECT raw_payload FROM events WHERE event_type = 'PreToolUse'"))
        assert text in kept


# ------------------------------------------------ time


@pytest.mark.tc("TC-157")
def test_a_clock_that_jumps_is_believed_after_a_day_of_running_and_one_put_right_at_once() -> None:
    year = 365 * DAY
    at = RetentionTime(NOW)
    at = at.step(NOW + 60 * NS, 60 * NS)
    assert at == RetentionTime(NOW + 60 * NS)
    wrong = at.step(NOW + year, 60 * NS)
    assert (wrong.at, wrong.jump(NOW + year) > 0) == (NOW + 120 * NS, True)
    assert wrong.step(NOW + 180 * NS, 60 * NS) == RetentionTime(NOW + 180 * NS)
    for hour in range(1, 24):
        wrong = wrong.step(NOW + year + hour * 3600 * NS, 3600 * NS)
        assert wrong.at < NOW + 2 * DAY
    assert wrong.step(NOW + year + DAY, 3600 * NS) == RetentionTime(NOW + year + DAY)
    assert wrong.step(NOW + year + DAY, 0, away=True).at == wrong.at  # a restart does not help such a clock
    assert RetentionTime(NOW).step(NOW + JUMP, 0).at == NOW + JUMP
    assert RetentionTime(NOW, PATIENCE - 1).step(NOW + JUMP + 1, 0).at == NOW
    assert RetentionTime(NOW).step(NOW - year, 0).at == NOW - year


@pytest.mark.tc("TC-157")
async def test_a_purge_by_a_clock_a_year_ahead_deletes_nothing_and_health_says_why(path: str) -> None:
    async with serving(path) as store:
        await store.run(lambda c: _with_events(c, 20))
        ran = [0]
        retention = RetentionTask(
            store, history.RetentionLimits, lambda: 10**9, lambda: NOW + 365 * DAY, lambda: ran[0]
        )
        await retention._once()
        assert look(path, "SELECT count(*) FROM events WHERE raw_payload IS NOT NULL") == [20]
        assert look(path, "SELECT count(*) FROM actions") == [1]
        storage_health = StorageHealth(store, lambda: 10**9)
        storage_health.retention = retention
        assert any("the clock jumped 365 days ahead" in note for note in storage_health.notes())
        # Restarts do not help such a clock: how long it was seen is kept, and each start begins where the last ended.
        again = RetentionTask(store, history.RetentionLimits, lambda: 10**9, lambda: NOW + 365 * DAY, lambda: ran[0])
        ran[0] += DAY - NS
        await again._once()
        assert look(path, "SELECT count(*) FROM events") == [20]
        ran[0] += NS
        await again._once()
        assert look(path, "SELECT count(*) FROM events") == [0]
        assert again.jumped == 0


@pytest.mark.tc("TC-225")
async def test_the_time_for_which_the_daemon_did_not_run_is_no_jump_of_the_clock(path: str) -> None:
    """After days for which the machine was off, what is due is forgotten at once, and health says nothing of a clock.
    A clock that jumps while the daemon runs is not believed, also not after a restart."""
    async with serving(path) as store:
        await store.run(lambda c: _with_events(c, 20))
        clock = [NOW]

        def begun() -> RetentionTask:
            return RetentionTask(store, history.RetentionLimits, lambda: 10**9, lambda: clock[0], lambda: 0)

        running = begun()
        await running._once()
        clock[0] += 5 * DAY
        await running._once()
        assert running.jumped == 5 * DAY
        again = begun()
        await again._once()
        assert again.jumped == 5 * DAY
        clock[0] = NOW
        await again._once()
        assert again.jumped == 0
        clock[0] += 20 * DAY
        later = begun()
        await later._once()
        assert later.jumped == 0
        assert look(path, "SELECT count(*) FROM events") == [0]


@pytest.mark.tc("TC-157")
async def test_an_emptied_payload_is_not_looked_at_again_and_none_is_left_out(path: str) -> None:
    async with serving(path) as store:
        await store.run(lambda c: _with_events(c, 1200))
        keep = replace(history.RetentionLimits(), events=100 * DAY)
        gone = await purge(store, keep, NOW + 7 * DAY + 600)
        assert gone["payloads"] == 600
        assert look(path, "SELECT emptied_until FROM upkeep") == [NOW + 600]
        assert (await purge(store, keep, NOW + 8 * DAY))["payloads"] == 600
        assert look(path, "SELECT count(*) FROM events WHERE raw_payload IS NOT NULL") == [0]


# ------------------------------------------------ reads, locks, ends


@pytest.mark.tc("TC-156")
async def test_reads_go_on_while_somebody_else_holds_the_database(path: str) -> None:
    async with serving(path) as store:
        await store.run(lambda c: _with_events(c, 3))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        try:
            found = await store.read(lambda c: history.history(c, runtime_ids=["r1"], before=None, limit=10))
            assert [one["event_id"] for one in found] == ["e2", "e1", "e0"]
            assert len(await store.read(lambda c: c.execute("SELECT 1 FROM actions").fetchall())) == 1
        finally:
            other.execute("ROLLBACK")
            other.close()


@pytest.mark.tc("TC-156")
async def test_a_read_writes_nothing_and_leaves_no_state_of_the_database_behind(path: str) -> None:
    async with serving(path) as store:
        await store.run(lambda c: _with_events(c, 500))
        with pytest.raises(AgtmuxError):
            await store.read(lambda c: c.execute("DELETE FROM events"))
        rows = await store.read(lambda c: c.execute("SELECT event_id FROM events").fetchmany(2))
        assert len(rows) == 2
        await store.run(lambda c: c.execute("DELETE FROM events").rowcount)
        await store.truncate_log()
        assert store.wal_bytes == 0


@pytest.mark.tc("TC-156")
def test_the_newest_events_of_a_pane_come_in_order_whoever_told_them(db: sqlite3.Connection) -> None:
    put(db, "runtimes", **row("runtimes", runtime_id="r2", pane_id="%9"))
    for number in range(300):
        source = (Source.HOOK, Source.POLLER, Source.TRANSCRIPT)[number % 3]
        at = NOW + number // 4  # several at one moment
        history.add_event(db, event(number, source=source, ingested_at=at), ("r1", "r2")[number % 2], "applied")
    every = column(db, "SELECT event_id FROM events ORDER BY ingested_at DESC, event_id DESC")
    paged: list[str] = []
    while page := history.history(db, runtime_ids=["r1", "r2"], before=paged[-1] if paged else None, limit=7):
        paged += [one["event_id"] for one in page]
    assert paged == every


@pytest.mark.tc("TC-156")
def test_an_id_to_page_on_from_that_is_not_there_is_an_error_that_names_it(db: sqlite3.Connection) -> None:
    for runtimes in (None, ["r1"]):
        with pytest.raises(AgtmuxError, match=r"before: there is no .* no-such-id") as caught:
            history.history(db, runtime_ids=runtimes, before="no-such-id", limit=5)
        assert caught.value.code == "E_INVALID_REQUEST"


@pytest.mark.tc("TC-052")
async def test_an_end_waits_for_no_lock(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_WAITS", (3600.0,))
    async with serving(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        writes = [asyncio.ensure_future(store.run(lambda c: c.execute("DELETE FROM published"))) for _ in range(3)]
        await asyncio.to_thread(until, lambda: store.trouble is not None, what="the writer meets the lock")
        store.check_now()
        for one_answer in await asyncio.gather(*writes, return_exceptions=True):
            assert isinstance(one_answer, AgtmuxError)
            assert one_answer.code == "E_STORE_UNAVAILABLE"
        store.close()
        assert not store._thread.is_alive()
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.tc("TC-150")
async def test_trouble_ends_by_itself_when_something_was_written_and_by_nothing_less(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_WAITS", (0.001,))
    async with serving(path) as store:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(AgtmuxError, match="locked"):
            await store.run(housekeeping.note_checked)
        await store.read(housekeeping.is_checked)
        assert store.trouble is not None
        other.execute("ROLLBACK")
        await asyncio.to_thread(until, lambda: store.trouble is None, within=60, what="the store asked by itself")
        assert other.execute("SELECT probes FROM upkeep").fetchone()[0] >= 1
        other.close()


@pytest.mark.tc("TC-154")
async def test_a_reader_that_keeps_the_log_from_being_cut_is_told(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agtmuxd.services.health.WAL_MOST", 1 << 20)
    async with serving(path) as store:
        storage_health = StorageHealth(store, lambda: 10**9)
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        await store.run(lambda c: _with_events(c, 3000))
        await store.truncate_log()
        assert store.wal_bytes > 1 << 20
        assert any("another program keeps a read of it open" in note for note in storage_health.notes())
        reader.execute("ROLLBACK")
        await store.truncate_log()
        assert storage_health.notes() == []
        reader.close()


# ------------------------------------------------ what memory was told


@pytest.mark.tc("TC-155")
async def test_what_memory_was_told_is_taken_back_where_the_commit_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_WAITS", (0.001,))
    with small_disk(tmp_path / "d", mib=2) as disk:
        clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
        async with Rig(disk.folder / "a.db", clock) as rig:
            for _ in range(30):
                clock.forward(0.25)
                await rig.round(agent)
            assert rig.the_state().state is State.RUNNING
            disk.fill()
            await _until_full(rig, agent)
            agent.suspended = True
            for _ in range(3):
                clock.forward(0.25)
                with pytest.raises(AgtmuxError, match="full"):
                    await rig.round(agent, panes=[_big("%1"), *_more()])
            disk.clear()
            clock.forward(0.25)
            await rig.round(agent)
            assert (rig.the_state().state, rig.the_state().reason_code) == (State.UNKNOWN, "suspended")


@pytest.mark.tc("TC-159")
def test_a_machine_that_does_not_tell_when_it_was_started_stops_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(argv: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(argv, 2)

    monkeypatch.setattr(housekeeping, "Path", lambda _: tmp_path / "no-such-file")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", late)
    assert housekeeping.machine_start() is None


@pytest.mark.tc("TC-150")
async def test_a_store_opens_on_a_full_disk_and_notes_that_with_its_first_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_WAITS", (0.001,))
    with small_disk(tmp_path / "d", mib=2) as disk:
        path = str(disk.folder / "a.db")
        async with serving(path):
            pass
        with closing(sqlite3.connect(path)) as other:  # it keeps the log and its index there
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            disk.fill()
            async with serving(path) as store:
                at_first = store.trouble
                assert at_first is not None
                with pytest.raises(AgtmuxError, match="full"):
                    await store.run(lambda c: put(c, "targets", **row("targets")))
                disk.clear()
                await store.run(lambda c: put(c, "targets", **row("targets")))
                assert (store.trouble, look(path, "SELECT closed FROM upkeep")) == (None, [0])
        assert look(path, "SELECT closed FROM upkeep") == [1]


def _more() -> list[Any]:
    return [_big(f"%{number}") for number in range(2, 60)]


def _big(pane_id: str) -> Any:
    from tests.rig import pane_row

    return pane_row(pane_id, title="x" * 4000 + str(time.monotonic_ns()))


async def _until_full(rig: Rig, agent: Agent) -> None:
    """Use up what the database's own files have left, so that the next commit cannot be written."""
    for _ in range(200):
        rig.clock.forward(0.25)
        try:
            await rig.round(agent, panes=[_big("%1"), *_more()])
        except AgtmuxError:
            return
    pytest.fail("the disk is not full")


@pytest.mark.tc("TC-155")
async def test_a_change_by_time_alone_that_met_a_full_disk_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_WAITS", (0.001,))
    clock, agent = Clock(), Agent()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent)
        await rig.post(posted("UserPromptSubmit", agent, at=clock.forward(1)))
        await rig.post(posted("Stop", agent, at=clock.forward(1)))
        assert rig.the_state().state is State.COMPLETED
        other = sqlite3.connect(rig.path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        failed = rig.pipeline.counters["failed_operations"]
        clock.forward(125)
        assert rig.pipeline._alarm is not None
        rig.pipeline._alarm.cancel()  # it is this ring
        rig.pipeline._ring()
        await asyncio.to_thread(until, lambda: rig.pipeline.counters["failed_operations"] > failed, within=60)
        other.execute("ROLLBACK")
        other.close()
        # nobody calls: the alarm rings again
        await asyncio.to_thread(until, lambda: rig.the_state().state is not State.COMPLETED, within=60)


# ------------------------------------------------ removals, numbers


@pytest.mark.tc("TC-158")
async def test_a_removed_target_is_gone_at_once_and_its_history_goes_in_batches_also_after_a_restart(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(Path(path), clock) as rig:
        await rig.round(agent)
        for _ in range(40):
            await rig.post(posted("PreToolUse", agent, at=clock.forward(0.1)))
        runtime_id = rig.the_state().runtime_id
        deleted: list[str] = []
        rig.connection.set_trace_callback(deleted.append)
        await rig.pipeline.remove_target(TARGET)
        rig.connection.set_trace_callback(None)
        assert not any("DELETE FROM events" in one or "DELETE FROM runtimes" in one for one in deleted)
        assert len(rig.rows("SELECT event_id FROM events")) >= 40
        assert rig.rows("SELECT target_name FROM targets WHERE removed_at IS NULL") == []
    found = load_all(path, clock())
    assert (found.repository.targets, found.repository.runtimes, found.repository.states, found.repository.panes) == (
        {},
        {},
        {},
        {},
    )
    found.connection.close()
    async with Rig(Path(path), clock) as rig:  # the same target is added anew while its old history is still there
        await rig.round(agent)
        assert rig.the_state().runtime_id != runtime_id
        monkeypatch.setattr("agtmuxd.store.retention.BATCH", 7)
        monkeypatch.setattr("agtmuxd.store.retention.PAUSE", 0)
        gone = await purge(rig.store, history.RetentionLimits(), clock())
        assert gone["removed targets"] >= 42
        assert rig.rows("SELECT target_id FROM targets") == [(TARGET,)]
        assert rig.rows("SELECT DISTINCT runtime_id FROM events") == [(rig.the_state().runtime_id,)]


@pytest.mark.tc("TC-159")
async def test_a_state_version_counts_on_after_all_runtimes_of_a_pane_were_forgotten(path: str) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(Path(path), clock) as rig:
        await rig.round(agent)
        await rig.post(posted("UserPromptSubmit", agent, at=clock.forward(1)))
        await rig.post(posted("Stop", agent, at=clock.forward(1)))
        last = rig.the_state().state_version
        clock.forward(200)
        await rig.round(panes=("%1",))
        clock.forward(40 * 86_400)
        await rig.round(panes=("%1",))
        await purge(rig.store, history.RetentionLimits(), clock())
        assert rig.rows("SELECT count(*) FROM runtimes") == [(0,)]
    async with Rig(Path(path), clock) as rig:
        await rig.round(replace(agent, pid=4900, start="900", steady={}))
        assert rig.the_state().state_version > last


@pytest.mark.tc("TC-159")
def test_after_a_power_cut_the_stream_is_another_one_and_after_a_kill_it_goes_on(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(machine: str, *, ends_well: bool) -> tuple[str, int]:
        monkeypatch.setattr(housekeeping, "machine_start", lambda: machine)
        found = load_all(path, time.time_ns())
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
@pytest.mark.parametrize(
    ("where", "kind"),
    [("/home/me/.local/state", "nfs4"), ("/home/me/local disk/s", None), ("/home", None), ("/srv/x", "fuse.sshfs"),
     ("/srvx", None)],
)  # fmt: skip
def test_a_network_file_system_below_the_database_is_told(where: str, kind: str | None) -> None:
    mounts = (
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "30 21 0:40 / /home/me rw,nosuid shared:1 - nfs4 server:/me rw\n"
        "31 30 8:2 / /home/me/local\\040disk rw - xfs /dev/sdb rw\n"
        "32 21 0:41 / /srv rw - fuse.sshfs host: rw\n"
        "broken line\n"
    )
    assert network_type(where, mounts) == kind


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
    found = load_all(path, time.time_ns())
    found.connection.close()
    assert any("does not support SQLite's write-ahead log (it uses delete)" in note for note in found.notes)
