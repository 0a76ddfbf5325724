"""The timer looks when something is due and sleeps otherwise; ``agtmux wait`` waits for names."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.leases.timer import LeaseCondition, LeaseTimer
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync
from tests.integration.features.leases.world import PERSON, until_async, world
from tests.rig import Clock


@pytest.mark.tc("TC-792")
async def test_a_timer_sleeps_without_leases_and_ends_one_that_is_due(tmp_path: Path) -> None:
    clock = Clock()
    async with world(tmp_path, clock) as w:
        timer = LeaseTimer(w.leases, clock)
        looks = []
        sweep = w.leases.sweep

        async def counted() -> int | None:
            looks.append(clock())
            return await sweep()

        w.leases.sweep = counted  # type: ignore[method-assign]
        task = asyncio.create_task(timer.run())
        await timer.on_resync(Resync.STARTED)
        await until_async(lambda: len(looks) >= 1 and not timer._open)
        (one, *_) = await w.agents(1)
        before = len(looks)
        for batch in (Batch(n, 1, changes) for n, changes in w.rig.published if "coord" in changes):
            await timer.on_changes(batch)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(looks) == before, "nobody holds anything: an agent is no reason to look"
        await w.hold(one, "src/**")
        await until_async(lambda: len(looks) > before)
        await w.end(1)
        for batch in (Batch(n, 1, changes) for n, changes in w.rig.published if "coord" in changes):
            await timer.on_changes(batch)
        await until_async(lambda: w.changes()[-1]["state"] == "orphaned")
        clock.forward(61)
        timer.look_again()
        await until_async(lambda: w.changes()[-1]["end_reason"] == "holder_gone")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.tc("TC-792")
async def test_a_database_that_fails_for_a_moment_does_not_end_the_timer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agtmuxd.features.leases.timer.AFTER_ERROR", 0.01)
    async with world(tmp_path) as w:
        looks = 0

        async def failing() -> int | None:
            nonlocal looks
            looks += 1
            if looks < 3:
                raise AgtmuxError("E_STORE_UNAVAILABLE", "the disk is full")
            return None

        w.leases.sweep = failing  # type: ignore[method-assign]
        task = asyncio.create_task(LeaseTimer(w.leases, w.rig.clock).run())
        await until_async(lambda: looks == 3)
        assert not task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.tc("TC-793")
async def test_a_wait_for_a_name_is_met_when_a_place_is_free_or_when_it_is_mine(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        (one,) = await w.agents(1)
        condition = LeaseCondition(w.leases)
        free, mine = await condition.prepare("DB=free", PERSON), await condition.prepare("db=mine", PERSON)
        assert await condition.check(free, None) == {"lease": "DB", "free": 1}
        assert await condition.check(mine, one.agent_id) is None
        (held,) = await w.hold(one, names=("db",))
        assert await condition.check(free, None) is None
        assert await condition.check(mine, None) is None
        assert (await condition.check(mine, one.agent_id) or {})["fence"] == held["fence"]
        assert condition.wakes_on == {"lease"}
        for bad in ("db", "db=taken", "=free", "a b=free"):
            with pytest.raises(AgtmuxError) as caught:
                await condition.prepare(bad, PERSON)
            assert caught.value.code == "E_INVALID_REQUEST"
