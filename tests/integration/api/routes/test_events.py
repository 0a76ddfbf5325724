"""POST and GET /v1/events: one event or many, what is refused, and what a newer hook sends."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.api.responses.events import IngestAnswer
from tests.fake_services import EVENT, Api
from tests.rows import pane


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


async def test_history_is_asked_by_pane_or_runtime(api: Api) -> None:
    body = await api.get("/v1/events", params={"pane": pane()["ref"], "limit": "5"})
    assert body["items"][0]["dedupe_key"] == "host/%1"
    assert body["filters"] == {"pane": pane()["ref"], "limit": 5}
    body = await api.get("/v1/events", params={"runtime": "r" * 20})
    assert body["items"][0]["runtime_id"] == "r" * 20
