"""The routes of notifications over HTTP: what they take, refuse and answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agtmuxd.api.route import Access, RouteTable, WebScope
from agtmuxd.features.notify.routes import (
    MOST_LOOKS,
    ROUTES,
    LookAnswer,
    MuteAnswer,
    NotifyStatus,
    RetryAnswer,
    TestResults,
    UnmuteAnswer,
    Why,
)
from tests.fake_services import Api, FakeServices, serving
from tests.integration.features.notify.stand import Stand, asks

pytestmark = pytest.mark.tc("TC-410")
REF = "pane:host/work/@1/%1"


@pytest.fixture
async def api(tmp_path: Path, short_dir: Path) -> AsyncIterator[Api]:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(asks())
    await stand.forward(3)
    async with serving(short_dir, FakeServices(), tables=[RouteTable(ROUTES, stand.service)]) as served:
        yield served


async def test_each_answer_has_the_shape_that_the_contract_says(api: Api) -> None:
    mute = await api.call("POST", "/v1/notify/mute", 200, json={"pane": REF, "seconds": 60})
    MuteAnswer.model_validate(mute)
    status = NotifyStatus.model_validate(await api.get("/v1/notify"))
    assert (status.channels[0].state, status.episodes[0].deliveries[0].state) == ("ok", "sent")
    assert status.mutes[0].pane == REF
    why = Why.model_validate(await api.get("/v1/notify/why", params={"pane": REF}))
    assert why.items[0].kind == "waiting_approval"
    UnmuteAnswer.model_validate(await api.call("POST", "/v1/notify/unmute", 200, json={}))
    assert TestResults.model_validate(await api.call("POST", "/v1/notify/test", 200, json={})).results[0].ok
    assert RetryAnswer.model_validate(await api.call("POST", "/v1/notify/retry", 200, json={})).retried == 0


@pytest.mark.parametrize(
    "body", [{}, {"seconds": 60, "until": "2026-01-02T00:00:00Z"}, {"seconds": 0}, {"until": "tomorrow"}, {"pane": 3}]
)
async def test_a_mute_says_when_it_ends_in_one_way(api: Api, body: dict[str, object]) -> None:
    answer = await api.call("POST", "/v1/notify/mute", 400, json=body)
    assert answer["error"]["code"] == "E_INVALID_REQUEST"


async def test_an_unknown_pane_is_not_found(api: Api) -> None:
    answer = await api.call("GET", "/v1/notify/why?pane=pane:host/work/@1/%25%39", 404)
    assert answer["error"]["code"] == "E_REF_NOT_FOUND"


@pytest.mark.tc("TC-420")
async def test_a_look_counts_the_agents_that_are_there(api: Api) -> None:
    panes = [REF, "pane:host/work/@1/%9", "runtime:unknown", "\x1b[31m", *[REF] * (MOST_LOOKS - 4)]
    answer = await api.call("POST", "/v1/notify/look", 200, json={"panes": panes, "surface": "web"})
    assert LookAnswer.model_validate(answer).counted == 1


@pytest.mark.tc("TC-420")
@pytest.mark.parametrize(
    "body",
    [
        {"panes": [], "surface": "top"},
        {"panes": [REF] * (MOST_LOOKS + 1), "surface": "top"},
        {"panes": [REF], "surface": "tmux"},
        {"panes": [REF]},
        {"panes": REF, "surface": "top"},
        {"panes": [REF], "surface": "top", "seconds": 9},
    ],
)
async def test_a_look_is_small_and_says_where(api: Api, body: dict[str, object]) -> None:
    answer = await api.call("POST", "/v1/notify/look", 400, json=body)
    assert answer["error"]["code"] == "E_INVALID_REQUEST"


@pytest.mark.tc("TC-420")
def test_agents_may_not_report_looks_and_every_linked_browser_may() -> None:
    """An agent could silence what is sent about it."""
    (route,) = [one for one in ROUTES if one.path == "/v1/notify/look"]
    assert (route.access, route.web) == (Access.OPERATORS, WebScope.OBSERVE)
