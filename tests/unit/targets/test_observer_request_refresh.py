"""A look that is due soon is not put off by one that is due later."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agtmuxd.core.model import MS, NS
from agtmuxd.targets.observer import Observer
from tests.rig import T0


def observer() -> Observer:
    nothing: Any = None
    return Observer("t", nothing, list, nothing, nothing, lambda: T0, local=False)


@pytest.mark.tc("TC-114")
@pytest.mark.parametrize("moments", [(20 * MS, 3600 * NS), (3600 * NS, 20 * MS)], ids=["sooner first", "later first"])
async def test_of_two_moments_to_look_the_first_counts(moments: tuple[int, int]) -> None:
    one = observer()
    for moment in moments:
        one.request_refresh(T0 + moment)
    async with asyncio.timeout(20):
        await one._refresh_requested.wait()
    one._refresh_requested.clear()
    one.request_refresh(T0 + 30 * MS)  # the last one has rung: it stands in nobody's way
    async with asyncio.timeout(20):
        await one._refresh_requested.wait()
