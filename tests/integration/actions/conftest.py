"""The ground and the desk of ``desk.py``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Tmux
from tests.integration.actions.desk import Desk, Ground
from tests.rig import Clock, Rig


@pytest.fixture
async def ground(tmux: Tmux, short_dir: Path) -> AsyncIterator[Ground]:
    made = Ground(tmux, short_dir)
    yield made
    await made.executor.close()


@pytest.fixture
async def desk(tmux: Tmux, short_dir: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmux, short_dir)
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await made.open(rig)
        yield made
    await made.executor.close()
