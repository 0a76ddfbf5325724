"""Rests that end together: who looks at something now and then does so when others do.

Each time that an idle process wakes costs more than what is looked at. Owns the grid of those moments; knows nobody.
"""

from __future__ import annotations

import asyncio


async def pulse(seconds: float) -> None:
    """Rest until the next whole multiple of ``seconds`` by the loop's clock: no longer than ``seconds``."""
    await asyncio.sleep(seconds - asyncio.get_running_loop().time() % seconds)
