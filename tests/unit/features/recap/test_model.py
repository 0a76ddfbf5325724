"""What a recap adds up: waits, turns, failures and running time, from changes of rows."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.core.json_codec import stamp
from agtmuxd.features.recap.model import LISTED, RecapBuilder, agent_item

pytestmark = pytest.mark.tc("TC-252")
S = 1_000_000_000
START = 1_767_225_600 * S


def row(state: str, runtime: str = "rt-1", **more: Any) -> dict[str, Any]:
    return {"runtime_id": runtime, "state": state, "agent_type": "claude", "project": "shop", **more}


def asking(fingerprint: str, title: str = "Proceed?", **more: Any) -> dict[str, Any]:
    wanted = {"fingerprint": fingerprint, "subject": "Bash", "text": title}
    return row("waiting_approval", waiting_for=wanted, **more)


def told(changes: list[tuple[float, dict[str, Any] | None]], now: float, **more: Any) -> list[dict[str, Any]]:
    """Fold changes of one pane, at seconds after the start."""
    builder = RecapBuilder(START, more.get("begins"))
    for at, item in changes:
        builder.change("host/%1", START + int(at * S), item, more.get("was"))
    builder.now(more.get("rows", ()))
    at = START + int(now * S)
    return [agent_item(agent, at) for agent in builder.result(at)]


def test_a_wait_lasts_until_the_state_changes_and_the_turn_counts_once() -> None:
    (agent,) = told([(10, row("running")), (20, asking("a")), (50, row("running")), (60, row("completed"))], 100)
    assert (agent["wait_count"], agent["waited_s"], agent["finished"], agent["running_s"]) == (1, 30.0, 1, 20.0)
    assert agent["waits"][0] | {"since": 0, "until": 0} == {
        "state": "waiting_approval", "subject": "Bash", "text": "Proceed?", "since": 0, "until": 0, "waited_s": 30.0,
    }  # fmt: skip


def test_another_prompt_is_another_wait() -> None:
    (agent,) = told([(10, asking("a")), (20, asking("b", "Again?")), (50, row("running"))], 60)
    assert [(one["text"], one["waited_s"]) for one in agent["waits"]] == [("Again?", 30.0), ("Proceed?", 10.0)]


def test_a_prompt_that_a_hook_reported_and_the_screen_shows_later_is_one_wait() -> None:
    bare = row("waiting_approval", waiting_for={"fingerprint": None, "subject": "Bash", "text": None})
    (agent,) = told([(10, bare), (11, asking("a")), (20, row("running"))], 30)
    assert [(one["text"], one["waited_s"]) for one in agent["waits"]] == [("Proceed?", 10.0)]


def test_a_wait_that_goes_on_counts_until_now() -> None:
    (agent,) = told([(10, asking("a"))], 70)
    assert (agent["waited_s"], agent["waits"][0]["until"]) == (60.0, None)


def test_the_same_prompt_seen_again_after_a_gap_is_one_wait() -> None:
    gap = row("unknown", reason_code="target_unreachable")
    (agent,) = told([(10, asking("a")), (20, gap), (40, asking("a", resumed=True)), (50, row("running"))], 60)
    assert (agent["wait_count"], agent["waited_s"]) == (1, 40.0)


def test_what_began_before_the_time_counts_from_then_on_and_is_no_new_turn() -> None:
    was = ["host", "work", "running", ["claude"], "none"]
    (agent,) = told([(30, row("completed"))], 60, was=was)
    assert (agent["running_s"], agent["finished"]) == (30.0, 1)
    rows = [("host/%1", asking("a")), ("host/%2", row("completed", "rt-2"))]
    (agent,) = told([], 60, rows=rows)
    assert (agent["runtime_id"], agent["waited_s"]) == ("rt-1", 60.0)


def test_an_error_is_a_failure_with_its_detail_and_the_newest_are_listed() -> None:
    changes: list[tuple[float, dict[str, Any] | None]] = []
    for number in range(LISTED + 5):
        changes += [(number * 2, row("running")), (number * 2 + 1, row("error", detail=f"HTTP {number}"))]
    (agent,) = told(changes, 100)
    assert agent["failed"] == LISTED + 5
    assert [one["detail"] for one in agent["failures"]][:2] == [f"HTTP {LISTED + 4}", f"HTTP {LISTED + 3}"]
    assert len(agent["failures"]) == LISTED


def test_an_agent_that_ended_stops_waiting_and_says_when() -> None:
    (agent,) = told([(10, asking("a")), (40, None)], 100)
    assert (agent["waited_s"], agent["state"], agent["ended_at"]) == (30.0, None, "2026-01-01T00:00:40.000Z")
    first, second = told([(10, asking("a")), (40, row("running", "rt-2"))], 100)
    assert (first["runtime_id"], first["waited_s"], second["running_s"]) == ("rt-1", 30.0, 60.0)


def test_those_that_waited_longest_come_first_and_quiet_ones_are_left_out() -> None:
    builder = RecapBuilder(START)
    builder.change("host/%1", START, row("idle", "rt-quiet"), None)
    for pane, seconds in (("%2", 5), ("%3", 50)):
        builder.change(f"host/{pane}", START, asking("a", runtime_id=f"rt-{pane}") | {"runtime_id": f"rt-{pane}"}, None)
        builder.change(f"host/{pane}", START + seconds * S, row("idle", f"rt-{pane}"), None)
    assert [agent.runtime_id for agent in builder.result(START + 100 * S)] == ["rt-%3", "rt-%2"]


def test_what_the_log_does_not_reach_back_to_is_not_counted() -> None:
    """Neither before the log's first change, nor before the moment at which a row itself says its state began."""
    before = [None, None, "waiting_approval"]
    (agent,) = told([(50, row("running"))], 60, was=before, begins=START + 40 * S)
    assert (agent["waited_s"], agent["running_s"]) == (10.0, 10.0)
    (agent,) = told([], 60, rows=[("host/%1", asking("a", since=stamp(START + 55 * S)))])
    assert agent["waited_s"] == 5.0
    (agent,) = told([], 60, rows=[("host/%1", asking("a", since=stamp(START - 55 * S)))])
    assert agent["waited_s"] == 60.0
