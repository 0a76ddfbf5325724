"""What requests may name, and which code a wrong name has."""

from __future__ import annotations

from typing import Any

import pytest
from yarl import URL

from agtmux.protocol.errors import CODES
from agtmuxd.core.action.request import Kind
from tests.fake_services import Api

LONG = "x" * 5000


ODD = ["", LONG, "%00", "%0A", "%E2%80%AE", "pane%3A", "runtime%3A", "%2F%2F%2F"]


@pytest.mark.tc("TC-204")
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v1/panes/{}/explain", "E_REF_INVALID"),
        ("GET", "/v1/panes/{}/message", "E_REF_INVALID"),
        ("GET", "/v1/events?pane={}", "E_REF_INVALID"),
        ("GET", "/v1/panes?target_session={}", "E_REF_INVALID"),
        ("GET", "/v1/watch?target_session={}", "E_REF_INVALID"),
        ("GET", "/v1/watch?cursor={}", "E_CURSOR_INVALID"),
        ("GET", "/v1/watch?once=true&cursor={}", "E_CURSOR_INVALID"),
        ("POST", "/v1/targets/{}/connect", "E_TARGET_NOT_FOUND"),
        ("DELETE", "/v1/targets/{}", "E_TARGET_NOT_FOUND"),
    ],
)
async def test_what_names_something_has_the_code_of_its_kind_however_odd_it_is(
    api: Api, method: str, path: str, code: str, odd: str
) -> None:
    async with api.client.request(method, URL(f"http://agtmux{path.format(odd)}", encoded=True)) as answer:
        body = await answer.json()
    assert body["error"]["code"] == code
    assert answer.status == CODES[code].http
    assert len(body["error"]["message"]) < 500
    assert "\n" not in body["error"]["message"]


@pytest.mark.tc("TC-204")
@pytest.mark.parametrize("odd", [LONG, "a%2Fb", "%00", "%E2%80%AE"])
@pytest.mark.parametrize("scope", ["panes", "windows", "sessions", "watch"])
async def test_a_filter_by_a_target_that_nothing_can_be_called_says_that_there_is_none(
    api: Api, scope: str, odd: str
) -> None:
    async with api.client.get(URL(f"http://agtmux/v1/{scope}?target={odd}", encoded=True)) as answer:
        body = await answer.json()
    assert body["error"]["code"] == "E_TARGET_NOT_FOUND"
    assert len(body["error"]["message"]) < 500


@pytest.mark.tc("TC-204")
@pytest.mark.parametrize("ref", ["", LONG, "\0", "\n", "nonsense"])
@pytest.mark.parametrize("kind", list(Kind))
async def test_every_action_leaves_the_ref_to_its_grammar(api: Api, kind: Kind, ref: str) -> None:
    needs: dict[Kind, dict[str, Any]] = {Kind.SEND: {"enter": True}, Kind.ANSWER: {"option": 1}}
    body = {"request_ref": "request-1", "ref": ref, "snapshot": LONG, **needs.get(kind, {})}
    answer = await api.call("POST", f"/v1/actions/{kind}", 412, json=body)  # as far as the fake goes: it refuses all
    assert answer["error"]["code"] == "E_PRECONDITION_FAILED"
    assert api.services.acted[-1].ref == ref


@pytest.mark.tc("TC-204")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/actions/send", {"ref": "pane:x", "request_ref": "request-1", "text": "x" * 300_000}),
        ("/v1/actions/answer", {"ref": "pane:x", "request_ref": "request-1", "text": "x" * 4001}),
        ("/v1/rules/replay", {"agent": "claude", "screen": "x" * 300_000}),
    ],
)
async def test_a_text_that_is_too_long_is_told_as_such(api: Api, path: str, body: dict[str, Any]) -> None:
    answer = await api.call("POST", path, 413, json=body)
    assert answer["error"]["code"] == "E_PAYLOAD_TOO_LARGE"


async def test_a_folder_of_settings_is_absolute(api: Api) -> None:
    asked = {"op": "install", "command": "/abs/agtmux hook", "config_homes": {"claude": "~/.claude"}}
    wrong = await api.call("POST", "/v1/hooks", 400, json=asked)
    assert "config_homes.claude: '~/.claude' is not an absolute path" in wrong["error"]["message"]
