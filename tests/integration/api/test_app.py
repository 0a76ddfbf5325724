"""The API on a real socket: listings, errors, events, the rest of the routes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from pydantic import TypeAdapter, ValidationError
from yarl import URL

from agtmux.protocol.errors import CODES, AgtmuxError
from agtmuxd.api.envelopes import invalid
from agtmuxd.api.requests import Short
from agtmuxd.api.responses.base import ErrorEnvelope
from agtmuxd.api.responses.daemon import Config, Health
from agtmuxd.api.responses.events import Events, IngestAnswer
from agtmuxd.api.responses.hooks import Hooks
from agtmuxd.api.responses.panes import Explanation, LastMessage, Panes, Sessions, Windows
from agtmuxd.api.responses.targets import ConnectAnswer, TargetAnswer, Targets
from agtmuxd.core.action.request import Kind
from tests.fake_services import EVENT, Api, FakeServices, eventually, serving, target
from tests.route_tables import resources
from tests.rows import STATES, by_key, pane

HOSTILE = ["a/b", "100%", "%2F", "my work", "日本語", "x+y&z=1?#", "é", ";'\"\\"]


@pytest.fixture
async def api(short_dir: Path) -> AsyncIterator[Api]:
    services = FakeServices(
        pane("%1", state="running"),
        pane("%2", state="waiting_approval", agent="codex"),
        pane("%3", session="a/b", window="@2", state="completed", attention="review"),
        pane("%4", agent=None, window="@3"),
    )
    async with serving(short_dir, services) as api:
        yield api


@pytest.mark.tc("TC-017")
@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/panes?all=true", Panes),
        ("/v1/windows", Windows),
        ("/v1/sessions", Sessions),
        ("/v1/sessions?group_by=session-name", Sessions),
        ("/v1/targets", Targets),
        ("/v1/events", Events),
        ("/v1/health", Health),
        ("/v1/daemon/config", Config),
        (f"/v1/panes/{quote(pane()['ref'], safe='')}/explain", Explanation),
        (f"/v1/panes/{quote(pane()['ref'], safe='')}/message", LastMessage),
    ],
)
async def test_an_answer_has_the_fields_of_the_contract_and_no_others(api: Api, path: str, model: Any) -> None:
    body = await api.get(path)
    assert model.model_validate(body).model_dump(mode="json", exclude_unset=True) == body


@pytest.mark.tc("TC-017")
async def test_a_listing_carries_the_envelope_and_identities(api: Api) -> None:
    body = await api.get("/v1/panes")
    assert body["filters"] == {}
    assert (body["partial"], body["requested_targets"], body["responded_targets"]) == (False, ["host"], ["host"])
    assert body["target_errors"] == []
    assert body["generated_at"] == "2026-01-01T00:00:00.000Z"
    assert body["summary"]["total"] == 3
    assert [item["identity"]["pane_id"] for item in body["items"]] == ["%2", "%1", "%3"]
    windows = (await api.get("/v1/windows?sort=name"))["items"]
    assert [list(item["identity"]) for item in windows] == [["target", "session_name", "window_id"]] * 2
    sessions = (await api.get("/v1/sessions?sort=name"))["items"]
    assert [item["identity"] for item in sessions] == [
        {"target": "host", "session_name": "a/b"},
        {"target": "host", "session_name": "work"},
    ]


@pytest.mark.tc("TC-017")
async def test_sessions_merge_by_name_only_on_request(api: Api) -> None:
    api.services.target_items.append(target("far"))
    api.services.show(pane("%1", target="far", state="error"))
    apart = await api.get("/v1/sessions?session=work")
    assert [item["identity"]["target"] for item in apart["items"]] == ["far", "host"]
    merged = await api.get("/v1/sessions?session=work&group_by=session-name")
    (row,) = merged["items"]
    assert (row["identity"], row["state"], row["panes"]) == ({"session_name": "work"}, "error", 3)
    assert [part["target"] for part in row["targets"]] == ["far", "host"]
    assert merged["summary"]["total"] == 1
    assert merged["summary"]["by_target"] == {"far": 1, "host": 1}
    assert merged["filters"] == {"session": ["work"], "group_by": "session-name"}


@pytest.mark.tc("TC-048")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=running,completed", ["%1", "%3"]),
        ("state=running&state=completed", ["%1", "%3"]),
        ("agent=codex", ["%2"]),
        ("needs_action=true", ["%2"]),
        ("needs_action=false", ["%1", "%2", "%3"]),
        ("all=true", ["%1", "%2", "%3", "%4"]),
        ("target_session=host/a%252Fb", ["%3"]),
        ("session=a/b", ["%3"]),
        ("target=host&session=work&agent=claude", ["%1"]),
    ],
)
async def test_filters_work_over_the_wire(api: Api, query: str, expected: list[str]) -> None:
    body = await api.get(f"/v1/panes?sort=name&{query}")
    assert sorted(item["identity"]["pane_id"] for item in body["items"]) == expected
    assert body["summary"]["total"] == len(expected)


@pytest.mark.tc("TC-024")
@pytest.mark.parametrize("session", HOSTILE)
async def test_hostile_session_names_round_trip_through_paths_and_filters(api: Api, session: str) -> None:
    item = pane("%9", session=session)
    api.services.show(item)
    found = await api.get(f"/v1/panes/{quote(item['ref'], safe='')}/explain")
    assert found["item"]["identity"]["session_name"] == session
    by_filter = await api.get("/v1/panes?" + urlencode({"target_session": item["ref"].split(":")[1].rsplit("/", 2)[0]}))
    assert [row["identity"]["session_name"] for row in by_filter["items"]] == [session] * len(by_filter["items"])
    assert by_filter["items"]
    by_name = await api.get("/v1/sessions?" + urlencode({"session": session}))
    assert [row["identity"]["session_name"] for row in by_name["items"]] == [session]


@pytest.mark.tc("TC-043")
async def test_a_target_that_is_down_makes_the_answer_partial_and_keeps_its_rows(api: Api) -> None:
    api.services.target_items = [target(), target("far", "down", "refused"), target("slow", "degraded")]
    api.services.show(pane("%1", target="far", state="unknown", reason_code="target_unreachable"))
    for path in ("/v1/panes", "/v1/windows", "/v1/sessions", "/v1/targets"):
        body = await api.get(path)
        assert body["partial"] is True
        assert body["requested_targets"] == ["host", "far", "slow"]
        assert body["responded_targets"] == ["host", "slow"]
        (error,) = body["target_errors"]
        assert (error["target"], error["code"], error["reason"]) == ("far", "E_TARGET_UNREACHABLE", "refused")
        assert "far" in json.dumps(body["items"])
    asked = await api.get("/v1/panes?target=host")
    assert (asked["partial"], asked["requested_targets"], asked["target_errors"]) == (False, ["host"], [])
    asked = await api.get("/v1/panes?target_session=far/work")
    assert (asked["partial"], asked["requested_targets"], asked["responded_targets"]) == (True, ["far"], [])


@pytest.mark.tc("TC-043")
async def test_a_tmux_that_is_too_old_is_told_as_such(api: Api) -> None:
    api.services.target_items = [target("host", "down", "tmux_too_old")]
    body = await api.get("/v1/panes")
    assert body["target_errors"][0]["code"] == "E_TMUX_UNSUPPORTED"


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


async def test_events_come_single_or_in_batches(api: Api) -> None:
    body = await api.call("POST", "/v1/events", json=EVENT)
    assert IngestAnswer.model_validate(body).model_dump() == body
    second = {**EVENT, "event_id": "01890000-0000-7000-8000-000000000002", "chain": [{"pid": 7, "start": "99"}]}
    body = await api.call("POST", "/v1/events", json={"events": [EVENT, second]})
    assert [one["event_id"] for one in body["results"]] == [EVENT["event_id"], second["event_id"]]
    assert len(api.services.ingested) == 3
    assert api.services.ingested[2].chain[0].start == "99"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source": "poller"}, "source"),
        ({"source": "action"}, "source"),
        ({"event_id": ""}, "event_id"),
        ({"event_time": "1"}, "event_time"),
        ({"event_time": -1}, "event_time"),
        ({"event_time": 2**63}, "event_time"),
        ({"pane_id": "12"}, "pane_id"),
        ({"target": "a/b"}, "target"),
        ({"tmux": {"socket": ""}}, "tmux.socket"),
        ({"chain": [{"pid": 0, "start": ""}]}, "chain.0.pid"),
        ({"payload": []}, "payload"),
    ],
)
async def test_an_event_that_is_not_of_the_contract_is_refused_and_the_field_named(
    api: Api, change: dict[str, Any], field: str
) -> None:
    body = await api.call("POST", "/v1/events", 400, json={**EVENT, **change})
    assert body["error"]["code"] == "E_INVALID_REQUEST"
    assert field in [one["field"] for one in body["error"]["details"]["fields"]]
    assert api.services.ingested == []


@pytest.mark.tc("TC-224")
async def test_what_a_newer_hook_sends_is_taken_in_and_what_nobody_knows_of_it_is_left_out(api: Api) -> None:
    """A hook of a version to come may send fields that this daemon does not know, at every place. People's requests
    stay strict."""
    newer = {
        **EVENT,
        "hook_version": "9.0",
        "tmux": {"socket": "/x", "server_pid": 5, "client": "c"},
        "chain": [{"pid": 7, "start": "99", "argv": ["claude"], "comm": "node", "pgid": 7, "cgroup": "x", "uid": 5}],
    }
    batch = {"events": [newer, {**newer, "event_id": "01890000-0000-7000-8000-000000000002"}], "sent_by": {"new": 1}}
    await api.call("POST", "/v1/events", json=newer)
    await api.call("POST", "/v1/events", json=batch)
    assert [one.chain[0].comm for one in api.services.ingested] == ["node"] * 3
    assert "cgroup" not in str(api.services.ingested[0]) and "hook_version" not in str(api.services.ingested[0])
    body = await api.call("POST", "/v1/targets", 400, json={"name": "two", "kind": "local", "surprise": 1})
    assert body["error"]["details"]["fields"][0]["field"] == "surprise"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'{"events": []}', b"[" * 100_000])
async def test_a_body_that_is_no_event_is_refused(api: Api, body: bytes) -> None:
    answer = await api.call("POST", "/v1/events", 400, data=body)
    assert answer["error"]["code"] == "E_INVALID_REQUEST"


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
async def test_a_number_that_is_not_json_is_refused(api: Api, constant: str) -> None:
    event = json.dumps({**EVENT, "payload": {"n": 0}}).replace('{"n": 0}', f'{{"n": {constant}}}')
    answer = await api.call("POST", "/v1/events", 400, data=event.encode())
    assert constant in answer["error"]["message"]


async def test_a_body_without_a_length_is_bounded_too(api: Api) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 65536

    answer = await api.call("POST", "/v1/events", 413, data=chunks())
    assert answer["error"]["code"] == "E_PAYLOAD_TOO_LARGE"


async def test_a_character_cut_in_half_does_not_lose_the_event(api: Api) -> None:
    event = json.dumps({**EVENT, "payload": {"message": "cut \ud83d", "ok": "😀"}})
    await api.call("POST", "/v1/events", data=event.encode("ascii"))
    assert api.services.ingested[0].payload == {"message": "cut \ufffd", "ok": "😀"}


async def test_a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_not(api: Api) -> None:
    def event(size: int) -> bytes:
        empty = json.dumps({**EVENT, "payload": {"x": ""}})
        return json.dumps({**EVENT, "payload": {"x": "y" * (size - len(empty))}}).encode("ascii")

    assert len(event(1024 * 1024)) == 1024 * 1024
    await api.call("POST", "/v1/events", data=BytesIO(event(1024 * 1024)))
    answer = await api.call("POST", "/v1/events", 413, data=BytesIO(event(1024 * 1024 + 1)))
    assert answer["error"]["code"] == "E_PAYLOAD_TOO_LARGE"


async def test_a_caller_that_hangs_up_does_not_undo_half_a_change(api: Api) -> None:
    api.services.gate.clear()
    head = json.dumps(EVENT).encode("ascii")
    _reader, writer = await asyncio.open_unix_connection(str(api.path))
    writer.write(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))
    await writer.drain()
    await eventually(lambda: api.server.writing)
    writer.close()
    await writer.wait_closed()
    await api.get("/v1/health")  # the server has seen the end of the first connection by now
    api.services.gate.set()
    await eventually(lambda: api.services.ingested)


async def test_targets_are_added_reached_and_removed(api: Api) -> None:
    added = await api.call("POST", "/v1/targets", json={"name": "two", "kind": "local", "tmux_socket": "two"})
    assert TargetAnswer.model_validate(added).model_dump() == added
    again = await api.call("POST", "/v1/targets", 409, json={"name": "two", "kind": "local"})
    assert again["error"]["code"] == "E_TARGET_EXISTS"
    reached = await api.call("POST", "/v1/targets/two/connect")
    assert ConnectAnswer.model_validate(reached).model_dump() == reached
    assert await api.call("DELETE", "/v1/targets/two") == {"schema_version": "1.0", "removed": "two"}
    wrong = await api.call("POST", "/v1/targets", 400, json={"name": "far", "kind": "ssh"})
    assert "ssh_target" in wrong["error"]["message"]


async def test_a_folder_of_settings_is_absolute(api: Api) -> None:
    asked = {"op": "install", "command": "/abs/agtmux hook", "config_homes": {"claude": "~/.claude"}}
    wrong = await api.call("POST", "/v1/hooks", 400, json=asked)
    assert "config_homes.claude: '~/.claude' is not an absolute path" in wrong["error"]["message"]


async def test_hooks_config_and_stop_answer(api: Api) -> None:
    asked = {"op": "status", "command": "/abs/agtmux hook"}
    answer = await api.call("POST", "/v1/hooks", json=asked)
    assert Hooks.model_validate(answer).model_dump() == answer
    assert (await api.get("/v1/daemon/config"))["config"] == {"log": "json"}
    assert await api.call("POST", "/v1/daemon/stop") == {"schema_version": "1.0", "ok": True}
    assert api.services.stopped


async def test_history_is_asked_by_pane_or_runtime(api: Api) -> None:
    body = await api.get("/v1/events", params={"pane": pane()["ref"], "limit": "5"})
    assert body["items"][0]["dedupe_key"] == "host/%1"
    assert body["filters"] == {"pane": pane()["ref"], "limit": 5}
    body = await api.get("/v1/events", params={"runtime": "r" * 20})
    assert body["items"][0]["runtime_id"] == "r" * 20


async def test_the_contract_is_served_and_names_every_route(api: Api) -> None:
    document = await api.get("/v1/openapi.json")
    listed = {(method.upper(), path) for path, some in document["paths"].items() for method in some}
    served = {(route.method, route.path) for routes in resources().values() for route in routes}
    assert listed == served | {("GET", "/v1/openapi.json")}
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert name in document["components"]["schemas"]
    parameters = {one["name"] for one in document["paths"]["/v1/panes"]["get"]["parameters"]}
    assert parameters == {"target", "target_session", "session", "state", "agent", "needs_action", "all", "sort"}


@pytest.mark.tc("TC-042")
async def test_rollups_over_the_wire_count_what_the_panes_say(api: Api) -> None:
    api.services.publish(dict(by_key(*(pane(f"%{n}", window="@7", state=state) for n, state in enumerate(STATES, 20)))))
    (row,) = [one for one in (await api.get("/v1/windows"))["items"] if one["identity"]["window_id"] == "@7"]
    assert row["counts"] == dict.fromkeys(STATES, 1)
    assert (row["state"], row["panes"], row["waiting"], row["running"]) == ("error", 7, 2, 1)
