"""The API over services that answer what a test has them answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fake_services import Api, FakeServices, serving
from tests.rows import pane


@pytest.fixture
async def api(short_dir: Path) -> AsyncIterator[Api]:
    services = FakeServices(
        pane("%1", state="running"),
        pane("%2", state="waiting_approval", agent="codex"),
        pane("%3", session="a/b", window="@2", state="completed", attention="review"),
        pane("%4", agent=None, window="@3"),
    )
    async with serving(short_dir, services) as api:
        yield api
