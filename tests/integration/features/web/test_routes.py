"""The routes of the page on the daemon's socket: their answers are those of the contract, and agents are kept out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agtmuxd.api.route import RouteTable
from agtmuxd.features.web.routes import ROUTES, LinkAnswer, RevocationAnswer, WebDevices, WebLink, WebStatus
from tests.fake_services import serving
from tests.web_page import web_page

pytestmark = pytest.mark.tc("TC-291")


async def test_answers_have_the_fields_of_the_contract_and_no_others(short_dir: Path) -> None:
    async with (
        web_page(short_dir, on=False) as up,
        serving(short_dir, up.services, tables=[RouteTable(ROUTES, up.page)]) as api,
    ):
        link = await api.call("POST", "/v1/web/links", 412, json={})
        assert link["error"]["details"] == {"reason": "off"}
        told: list[tuple[type[BaseModel], Any]] = [
            (WebStatus, await api.call("POST", "/v1/web/on", json={})),
            (WebStatus, await api.get("/v1/web")),
            (WebLink, made := await api.call("POST", "/v1/web/links", json={"name": "phone"})),
            (LinkAnswer, await api.call("POST", "/v1/web/devices", json={"code": made["urls"][0].split("#k=")[1]})),
            (WebDevices, await api.get("/v1/web/devices")),
            (RevocationAnswer, await api.call("DELETE", "/v1/web/devices/phone")),
            (WebStatus, await api.call("POST", "/v1/web/off", json={})),
        ]
        for model, body in told:
            assert model.model_validate(body).model_dump(mode="json", exclude_unset=True) == body
        assert made["scope"] == "act"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/web/links", {"scope": "own"}),
        ("/v1/web/links", {"scope": "root"}),
        ("/v1/web/links", {"name": "a b"}),
        ("/v1/web/links", {"name": "../x"}),
        ("/v1/web/links", {"name": ""}),
        ("/v1/web/links", {"more": 1}),
        ("/v1/web/devices", {}),
        ("/v1/web/devices", {"code": ""}),
        ("/v1/web/devices", {"code": "x" * 129}),
        ("/v1/web/on", {"port": 1}),
    ],
)
async def test_a_wrong_body_is_refused(short_dir: Path, path: str, body: dict[str, object]) -> None:
    async with (
        web_page(short_dir) as up,
        serving(short_dir, up.services, tables=[RouteTable(ROUTES, up.page)]) as api,
    ):
        await api.call("POST", path, 400, json=body)
