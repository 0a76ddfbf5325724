"""The routes about the daemon itself, and its hooks."""

from __future__ import annotations

from agtmuxd.api.responses.hooks import Hooks
from tests.fake_services import Api


async def test_hooks_config_and_stop_answer(api: Api) -> None:
    asked = {"op": "status", "command": "/abs/agtmux hook"}
    answer = await api.call("POST", "/v1/hooks", json=asked)
    assert Hooks.model_validate(answer).model_dump() == answer
    assert (await api.get("/v1/daemon/config"))["config"] == {"log": "json"}
    assert await api.call("POST", "/v1/daemon/stop") == {"schema_version": "1.0", "ok": True}
    assert api.services.stopped
