"""What a handler raises becomes the same answer on every server of the daemon."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.route import Route, RouteTable, WebScope
from tests.fake_services import FakeServices, serving
from tests.web_page import web_page

TROUBLE: dict[str, tuple[Exception, int, str]] = {
    "refused": (AgtmuxError("E_TARGET_NOT_FOUND", "there is no target x"), 404, "E_TARGET_NOT_FOUND"),
    "broken": (RuntimeError("secret of the daemon"), 500, "E_INTERNAL"),
    "too-large": (web.HTTPRequestEntityTooLarge(1, 2), 413, "E_PAYLOAD_TOO_LARGE"),
    "limited": (AgtmuxError("E_RATE_LIMITED", "too many", {"retry_after_s": 7}), 429, "E_RATE_LIMITED"),
}


async def trouble(request: web.Request, _service: None) -> web.StreamResponse:
    raise TROUBLE[request.match_info["kind"]][0]


ROUTES = tuple(Route(method, "/v1/trouble/{kind}", trouble, "trouble", web=WebScope.OWN) for method in ("GET", "POST"))


@pytest.mark.tc("TC-032")
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", TROUBLE)
async def test_an_error_is_the_same_on_the_socket_and_on_the_web(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch, kind: str, method: str
) -> None:
    services = FakeServices()
    table = RouteTable(ROUTES, None)
    monkeypatch.setattr(FakeServices, "tables", lambda _self: [table])
    async with serving(short_dir, services, tables=[table]) as api, web_page(short_dir) as up:
        _, status, code = TROUBLE[kind]
        mine = await api.call(method, f"/v1/trouble/{kind}", status, json={})
        got, head, body = await up.call(method, f"/v1/trouble/{kind}", body={} if method == "POST" else None)
    for answer in (mine, body):
        assert answer["error"]["code"] == code
        assert "secret" not in str(answer)
        answer["error"]["details"].pop("request_id", None)
        answer["error"]["message"] = answer["error"]["message"].partition(":")[0]
    assert (got, body) == (status, mine)
    assert head.get("Retry-After") == ("7" if kind == "limited" else None)
