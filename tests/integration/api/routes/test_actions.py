"""The routes that act: what a prompt may say, who is named as its caller, and which scope a device needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from agtmuxd.api.callers import ACTOR, caller
from agtmuxd.api.route import WebScope
from agtmuxd.api.routes.actions import ROUTES, WEB
from agtmuxd.core.action.request import Caller, Kind, SendParams
from tests.fake_services import FakeServices, serving
from tests.rows import pane

PROMPT = {"request_ref": "request-1", "ref": "pane:host/work/%251", "text": "go on", "if_runtime": "r" * 16}


@pytest.mark.tc("TC-290")
async def test_a_prompt_is_a_submitted_text_for_one_agent_and_nothing_else(short_dir: Path) -> None:
    """It needs the runtime that was seen, and no option makes it type into a dialog, a shell or a draft."""
    services = FakeServices(pane("%1"))
    async with serving(short_dir, services) as api:
        await api.call("POST", "/v1/actions/prompt", 412, json=PROMPT)
        (asked,) = services.acted
        assert (asked.kind, asked.params) == (Kind.SEND, SendParams("go on", enter=True))
        refused = [
            {**PROMPT, "if_state": ["waiting_approval"]},
            {name: value for name, value in PROMPT.items() if name != "if_runtime"},
            *({**PROMPT, name: True} for name in ("shell", "over_draft", "leave_mode", "paste", "enter")),
            {**PROMPT, "keys": ["Enter"]},
        ]
        for body in refused:
            await api.call("POST", "/v1/actions/prompt", 400, json=body)
        assert services.acted == [asked]


@pytest.mark.tc("TC-290")
def test_free_text_keys_and_signals_need_the_widest_scope_and_attach_needs_a_terminal() -> None:
    """The scopes are written here once more, so that nobody widens one by the way."""
    assert {kind for kind, scope in WEB.items() if scope is WebScope.ALL} == {Kind.SEND, Kind.KILL}
    assert {kind for kind, scope in WEB.items() if scope is WebScope.OBSERVE} == {Kind.VIEW}
    assert {kind for kind, scope in WEB.items() if scope is None} == {Kind.ATTACH}
    wanted = {str(kind): scope for kind, scope in WEB.items()}
    assert {route.path.rpartition("/")[2]: route.web for route in ROUTES} == {**wanted, "prompt": WebScope.ACT}


@pytest.mark.tc("TC-290")
@pytest.mark.parametrize("device", list(WebScope))
def test_each_scope_includes_those_before_it(device: WebScope) -> None:
    order = ["own", "observe", "act", "all"]
    assert [str(wanted) for wanted in WebScope if device.allows(wanted)] == order[: order.index(device) + 1]


@pytest.mark.tc("TC-290")
def test_an_actor_that_the_server_checked_is_the_caller_and_a_header_is_not() -> None:
    request = make_mocked_request("POST", "/v1/actions/ack", headers={"actor": "device:phone"})
    assert caller(request) == Caller()
    request[ACTOR] = "device:phone"
    assert caller(request) == Caller(actor="device:phone")
