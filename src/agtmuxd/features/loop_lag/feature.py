"""Measure how late the event loop is. Health shows it as the counter ``loop_lag_ms``."""

from __future__ import annotations

import asyncio

from agtmuxd.clock import coalesced_sleep
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.loop_lag.model import EVERY, LoopLag
from agtmuxd.services.health import HealthPart


def build(_: Context) -> Feature:
    lag = LoopLag()
    return Feature(run=lambda: _measure(lag), health=lambda: HealthPart(counters={"ms": lag.worst_ms}))


async def _measure(lag: LoopLag) -> None:
    """Measure until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        now = loop.time()
        await coalesced_sleep(EVERY)
        lag.add(now + EVERY - now % EVERY, loop.time())
