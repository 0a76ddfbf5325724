"""The database itself keeps fences growing, and gives leases back as they were stored."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from agtmuxd.features.leases import store as rows
from tests.integration.features.leases.world import PERSON, world

pytestmark = pytest.mark.tc("TC-789")


async def test_no_write_takes_a_fence_back_and_a_new_database_begins_above_an_old_one(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        first = await w.rig.store.run(rows.next_fence)
        assert await w.rig.store.run(rows.next_fence) == first + 1
        assert first >= time.time() - 3600, "fences of a lost database were lower: it gave less than one a second"
        with pytest.raises(sqlite3.IntegrityError, match="never goes back"):
            await w.rig.store.run(lambda connection: connection.execute("UPDATE fence_seq SET last = 5"))
        with pytest.raises(sqlite3.IntegrityError, match="never goes back"):
            await w.rig.store.run(lambda connection: connection.execute("DELETE FROM fence_seq"))


async def test_a_lease_comes_back_equal(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        (item,) = await w.hold(PERSON, r"a\xff/*", reason="because")
        one = await w.rig.store.read(lambda connection: rows.lease(connection, item["lease_id"]))
        assert one is not None
        assert one.item("person") == item
        assert await w.rig.store.read(rows.open_leases) == [one]
        assert await w.rig.store.read(lambda c: rows.open_leases(c, ["elsewhere"])) == []
