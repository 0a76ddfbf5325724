"""A delivery engine over a store of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.features.messages.delivery.stand import Stand
from tests.rig import Clock, Rig


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """An idle agent with an empty input field."""
    async with Rig(tmp_path / "agtmux.db", Clock()) as rig:
        yield await Stand(rig).open()
