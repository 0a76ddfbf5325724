"""The feature on a real event loop that is held up."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from agtmuxd.features.loop_lag import feature


@pytest.mark.tc("TC-540")
async def test_a_loop_that_was_held_up_shows_in_health(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature, "EVERY", 0.02)
    context: Any = None  # it uses nothing of the daemon
    made = feature.build(context)
    assert made.run is not None
    assert made.health is not None
    assert dict(made.health().counters) == {"ms": 0}
    task = asyncio.ensure_future(made.run())
    while made.health().counters["ms"] < 100:
        await asyncio.sleep(0)
        time.sleep(0.15)  # noqa: ASYNC251 this is the hold-up
        await asyncio.sleep(0)
    task.cancel()
