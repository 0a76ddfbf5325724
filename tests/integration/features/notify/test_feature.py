"""The feature: its routes, its subscriber, its task and its health, and that a reload wakes it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agtmuxd.api.envelopes import Envelope
from agtmuxd.config import Settings
from agtmuxd.features.contract import Context
from agtmuxd.features.notify.feature import build
from agtmuxd.features.notify.routes import ROUTES
from agtmuxd.stream.subscription import Resync
from tests.fake_services import eventually, target
from tests.rig import Clock, Rig

pytestmark = pytest.mark.tc("TC-411")


async def test_it_runs_until_it_is_cancelled_and_a_reload_wakes_it(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        settings = Settings()
        asked = 0

        def now() -> Settings:
            nonlocal asked
            asked += 1
            return settings

        some: Any = SimpleNamespace(
            store=rig.store, view=rig.view, repository=rig.pipeline.repository, clock=rig.clock, settings=now,
            act=None, envelope=Envelope(rig.clock, lambda: [target()]), annotate=rig.pipeline.annotate, environ={},
            tmux=None, failpoint=lambda _name: None,
        )  # fmt: skip
        feature = build(cast(Context, some))
        assert [table.routes for table in feature.tables] == [ROUTES]
        assert feature.subscriber is not None and feature.run is not None
        assert feature.health is not None and feature.reloaded is not None
        await feature.subscriber.on_resync(Resync.STARTED)
        running = feature.run

        async def run() -> None:
            await running()

        task = asyncio.create_task(run())
        await eventually(lambda: asked > 0)
        await asyncio.sleep(0)
        before = asked
        feature.reloaded()
        await eventually(lambda: asked > before)
        assert feature.health().problems == ()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
