"""Listings of panes, windows and sessions over the API."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest

from tests.fake_services import Api, target
from tests.rows import STATES, by_key, pane

HOSTILE = ["a/b", "100%", "%2F", "my work", "日本語", "x+y&z=1?#", "é", ";'\"\\"]


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


@pytest.mark.tc("TC-042")
async def test_rollups_over_the_wire_count_what_the_panes_say(api: Api) -> None:
    api.services.publish(dict(by_key(*(pane(f"%{n}", window="@7", state=state) for n, state in enumerate(STATES, 20)))))
    (row,) = [one for one in (await api.get("/v1/windows"))["items"] if one["identity"]["window_id"] == "@7"]
    assert row["counts"] == dict.fromkeys(STATES, 1)
    assert (row["state"], row["panes"], row["waiting"], row["running"]) == ("error", 7, 2, 1)
