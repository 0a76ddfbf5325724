"""Built into a daemon, the page listens nowhere by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from agtmuxd.config import Settings
from agtmuxd.features.contract import Context
from agtmuxd.features.web.feature import build
from agtmuxd.features.web.routes import ROUTES
from tests.fake_services import FakeServices


@pytest.mark.tc("TC-291")
async def test_it_brings_routes_a_task_and_health_and_opens_no_port() -> None:
    services = FakeServices()
    some: Any = SimpleNamespace(
        envelope=services.envelope, store=None, clock=services.now, settings=Settings, routes=list
    )
    feature = build(cast(Context, some))
    assert [table.routes for table in feature.tables] == [ROUTES]
    assert feature.run is not None and feature.health is not None
    told = feature.health()
    assert (told.problems, told.counters["connections"], told.counters["devices"]) == ((), 0, 0)
