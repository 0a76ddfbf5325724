"""What health says about storage."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from agtmuxd.core.model import NS
from agtmuxd.services.health import StorageHealth
from agtmuxd.store import history
from agtmuxd.store.retention import RetentionTask
from tests.integration.store.databases import fill_events, look, serving
from tests.integration.store.test_retention import DAY, NOW


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "a.db")


@pytest.mark.tc("TC-157")
async def test_a_purge_by_a_clock_a_year_ahead_deletes_nothing_and_health_says_why(path: str) -> None:
    async with serving(path) as store:
        await store.run(lambda c: fill_events(c, 20))
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


@pytest.mark.tc("TC-154")
async def test_a_reader_that_keeps_the_log_from_being_cut_is_told(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agtmuxd.services.health.WAL_MOST", 1 << 20)
    async with serving(path) as store:
        storage_health = StorageHealth(store, lambda: 10**9)
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        await store.run(lambda c: fill_events(c, 3000))
        await store.truncate_log()
        assert store.wal_bytes > 1 << 20
        assert any("another program keeps a read of it open" in note for note in storage_health.notes())
        reader.execute("ROLLBACK")
        await store.truncate_log()
        assert storage_health.notes() == []
        reader.close()
