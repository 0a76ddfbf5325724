"""Refusals: one envelope, with the status of its code."""

from __future__ import annotations

import json

import pytest
from pydantic import TypeAdapter, ValidationError
from yarl import URL

from agtmux.protocol.errors import CODES, AgtmuxError
from agtmuxd.api.envelopes import invalid
from agtmuxd.api.requests import Short
from agtmuxd.api.responses.base import ErrorEnvelope
from tests.fake_services import EVENT, Api


@pytest.mark.tc("TC-018")
def test_a_text_that_is_empty_is_told_in_words() -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Short).validate_python("")
    assert invalid(refused.value).message == "request: is empty"


@pytest.mark.tc("TC-018")
@pytest.mark.parametrize(
    ("method", "path", "code", "expected"),
    [
        ("GET", "/v1/panes?colour=red", "E_INVALID_REQUEST", "colour: is unknown"),
        ("GET", "/v1/panes?state=busy", "E_INVALID_REQUEST", "state: 'busy' is not one of error, waiting_approval, "),
        ("GET", "/v1/panes?state=runing", "E_INVALID_REQUEST", "idle, unknown (did you mean running?)"),
        ("GET", "/v1/panes?sort=size", "E_INVALID_REQUEST", "sort: 'size' is not one of attention, "),
        ("GET", "/v1/panes?sort=name&sort=state", "E_INVALID_REQUEST", "sort: given 2 times"),
        ("GET", "/v1/panes?needs_action=maybe", "E_INVALID_REQUEST", "needs_action"),
        ("GET", "/v1/panes?group_by=session-name", "E_INVALID_REQUEST", "group_by"),
        ("GET", "/v1/panes?target=nowhere", "E_TARGET_NOT_FOUND", "nowhere"),
        ("GET", "/v1/panes?target_session=work", "E_REF_INVALID", "work"),
        ("GET", "/v1/panes?target_session=host/100%2525%25", "E_REF_INVALID_ENCODING", "%25"),
        ("GET", "/v1/panes/pane%3Ahost%2Fwork%2F%401%2F%2599/explain", "E_REF_NOT_FOUND", "%99"),
        ("GET", "/v1/panes/nonsense/explain", "E_REF_INVALID", "nonsense"),
        ("GET", "/v1/panes/pane%3Ahost%2F%25zz%2F%401%2F%251/explain", "E_REF_INVALID_ENCODING", "%zz"),
        ("GET", "/v1/watch?cursor=nonsense", "E_CURSOR_INVALID", "nonsense"),
        ("GET", "/v1/watch?cursor=stream-1:99", "E_CURSOR_INVALID", "ahead"),
        ("GET", "/v1/watch?cursor=other:0&once=true", "E_CURSOR_EXPIRED", "other"),
        ("GET", "/v1/watch?interval=soon", "E_INVALID_REQUEST", "interval"),
        ("GET", "/v1/watch?scope=cells", "E_INVALID_REQUEST", "scope"),
        ("GET", "/v1/watch?target=nowhere", "E_TARGET_NOT_FOUND", "nowhere"),
        ("GET", "/v1/events?limit=0", "E_INVALID_REQUEST", "limit"),
        ("GET", "/nothing/here", "E_INVALID_REQUEST", "/nothing/here"),
        ("PUT", "/v1/panes", "E_INVALID_REQUEST", "accepts GET"),
        ("POST", "/v1/daemon/reload", "E_INVALID_REQUEST", "line 3"),
        ("POST", "/v1/targets/nowhere/connect", "E_TARGET_NOT_FOUND", "nowhere"),
        ("DELETE", "/v1/targets/nowhere", "E_TARGET_NOT_FOUND", "nowhere"),
    ],
)
async def test_every_refusal_is_the_one_envelope_with_the_status_of_its_code(
    api: Api, method: str, path: str, code: str, expected: str
) -> None:
    async with api.client.request(method, URL(f"http://agtmux{path}", encoded=True)) as answer:
        body = await answer.json()
    assert answer.status == CODES[code].http
    assert ErrorEnvelope.model_validate(body).model_dump() == body
    assert body["error"]["code"] == code
    assert expected in body["error"]["message"]
    assert "\n" not in body["error"]["message"]


@pytest.mark.tc("TC-018")
@pytest.mark.parametrize("code", [code for code, row in CODES.items() if row.http])
async def test_any_code_of_the_table_goes_out_with_its_status(api: Api, code: str) -> None:
    api.services.trouble = AgtmuxError(code, "as told", {"more": 1})
    body = await api.call("POST", "/v1/events", CODES[code].http or 0, json=EVENT)
    assert body["error"] == {
        "code": code,
        "message": "as told",
        "details": {"more": 1},
        "retryable": CODES[code].retryable,
    }


@pytest.mark.tc("TC-018")
async def test_an_error_that_nobody_foresaw_names_a_request_id_and_tells_nothing_else(api: Api) -> None:
    api.services.trouble = RuntimeError("secret inside")
    body = await api.call("POST", "/v1/events", 500, json=EVENT)
    assert body["error"]["code"] == "E_INTERNAL"
    assert body["error"]["details"]["request_id"] in body["error"]["message"]
    assert "secret" not in json.dumps(body)
