"""What the store does for itself: starts, checks, sizes, clocks, removals, and numbers that are never used twice."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import Source, State
from agtmuxd.store import db as database
from agtmuxd.store import history, housekeeping
from agtmuxd.store.db import open_database
from agtmuxd.store.migrate import load, migrate
from agtmuxd.store.retention import RetentionTask, purge, shrink
from tests.conftest import until
from tests.integration.store.databases import fill_events, look, serving
from tests.integration.store.test_migrate import put, row
from tests.integration.store.test_retention import DAY, NOW, column
from tests.rig import BUSY, Agent, Clock, Rig
from tests.rig import event as posted
from tests.smalldisk import small_disk

# ------------------------------------------------ starts and checks


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
        await store.run(lambda c: fill_events(c, 3000, 2000))
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


@pytest.mark.tc("TC-154")
async def test_a_new_database_gives_back_what_it_no_longer_uses(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "SPARE_PAGES", 50)
    async with serving(path) as store:
        await store.run(lambda c: fill_events(c, 4000))
        await store.truncate_log()
        before = Path(path).stat().st_size
        retention = RetentionTask(store, history.RetentionLimits, lambda: 900_000, lambda: NOW)
        await retention._once()
        await store.truncate_log()
        assert Path(path).stat().st_size < before / 2
        assert retention.used is not None
        assert retention.used <= 900_000


# ------------------------------------------------ time


@pytest.mark.tc("TC-225")
async def test_the_time_for_which_the_daemon_did_not_run_is_no_jump_of_the_clock(path: str) -> None:
    """After days for which the machine was off, what is due is forgotten at once, and health says nothing of a clock.
    A clock that jumps while the daemon runs is not believed, also not after a restart."""
    async with serving(path) as store:
        await store.run(lambda c: fill_events(c, 20))
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
        await store.run(lambda c: fill_events(c, 1200))
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
        await store.run(lambda c: fill_events(c, 3))
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
        await store.run(lambda c: fill_events(c, 500))
        with pytest.raises(AgtmuxError):
            await store.read(lambda c: c.execute("DELETE FROM events"))
        rows = await store.read(lambda c: c.execute("SELECT event_id FROM events").fetchmany(2))
        assert len(rows) == 2
        await store.run(lambda c: c.execute("DELETE FROM events").rowcount)
        await store.truncate_log()
        assert store.wal_bytes == 0


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
