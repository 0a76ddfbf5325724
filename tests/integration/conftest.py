"""A pane that writes down every byte, with and without bracketed paste."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Tmux
from tests.integration.actions.receiver import Receiver


@pytest.fixture(params=[True, False], ids=["bracketed", "plain"])
async def receiver(request: pytest.FixtureRequest, tmux: Tmux, short_dir: Path) -> AsyncIterator[Receiver]:
    made = Receiver(tmux, short_dir, request.param)
    yield made
    await made.executor.close()
