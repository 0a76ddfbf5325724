"""An executor of this machine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from agtmuxd.targets.local.executor import LocalExecutor


@pytest.fixture
async def executor() -> AsyncIterator[LocalExecutor]:
    made = LocalExecutor(os.environ)
    yield made
    await made.close()
