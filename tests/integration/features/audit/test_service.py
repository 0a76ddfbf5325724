"""The audit: which actions it lists, in which order, and what it says of a query that cannot be."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from agtmux.protocol.errors import CODES
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.route import RouteTable
from agtmuxd.features.audit.routes import ROUTES
from agtmuxd.features.audit.service import Audit
from tests.fake_services import Api, FakeServices, serving, target
from tests.integration.api.test_requests import LONG, ODD
from tests.integration.store.test_migrate import put, row
from tests.rig import TARGET, Agent, Clock, Rig


@pytest.fixture
async def api(tmp_path: Path, short_dir: Path) -> AsyncIterator[Api]:
    """The audit alone, over a real store in which two actions stand."""
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await rig.round(Agent())

        def fill(connection: sqlite3.Connection) -> None:
            for number in (1, 2):
                put(connection, "actions", **an_action(number, rig.clock.now + number))

        await rig.store.run(fill)
        audit = Audit(
            envelope=Envelope(rig.clock, lambda: [target()]), resolve=rig.view.resolve, store=rig.store,
            repository=rig.pipeline.repository,
        )  # fmt: skip
        async with serving(short_dir, FakeServices(), tables=[RouteTable(ROUTES, audit)]) as served:
            yield served


def an_action(number: int, at: int) -> dict[str, object]:
    return row(
        "actions", action_id=f"action-{number:04d}", request_ref=f"request-{number:04d}", target_id=TARGET,
        pane_id="%1", requested_at=at,
    )  # fmt: skip


@pytest.mark.tc("TC-232")
async def test_actions_are_listed_newest_first_page_by_page(api: Api) -> None:
    first = await api.get("/v1/actions", params={"limit": "1"})
    assert [one["action_id"] for one in first["items"]] == ["action-0002"]
    assert first["filters"] == {"limit": 1}
    then = await api.get("/v1/actions", params={"before": "action-0002"})
    assert [(one["action_id"], one["target"]) for one in then["items"]] == [("action-0001", "host")]


@pytest.mark.tc("TC-232")
async def test_actions_of_a_pane_are_asked_for_by_its_ref(api: Api) -> None:
    body = await api.get("/v1/actions", params={"pane": "pane:host/work/@1/%1"})
    assert [one["action_id"] for one in body["items"]] == ["action-0002", "action-0001"]


@pytest.mark.tc("TC-018")
async def test_a_time_that_is_none_is_told_in_words(api: Api) -> None:
    answer = await api.call("GET", "/v1/actions?since=yesterday", 400)
    assert "since: expected a time with its zone, like 2026" in answer["error"]["message"]


@pytest.mark.tc("TC-204")
@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_ref_of_a_pane_is_no_ref(api: Api, odd: str) -> None:
    async with api.client.get(URL(f"http://agtmux/v1/actions?pane={odd}", encoded=True)) as answer:
        body = await answer.json()
    assert (answer.status, body["error"]["code"]) == (CODES["E_REF_INVALID"].http, "E_REF_INVALID")
    assert len(body["error"]["message"]) < 500


@pytest.mark.tc("TC-204")
@pytest.mark.parametrize("odd", [LONG, "x", "%00"])
async def test_an_action_that_cannot_be_is_not_found(api: Api, odd: str) -> None:
    async with api.client.get(URL(f"http://agtmux/v1/actions?action={odd}", encoded=True)) as answer:
        assert (await answer.json())["error"]["code"] == "E_ACTION_NOT_FOUND"
