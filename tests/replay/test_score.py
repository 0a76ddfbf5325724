"""What the figures of an accuracy run mean."""

from __future__ import annotations

from typing import Any

import pytest

from tests.replay.fill import Fill
from tests.replay.installed import matches
from tests.replay.score import Result, Score, longest, observations, percentile, summary

T0 = 1000.0
APPROVAL = {"waiting_kind": "approval"}
pytestmark = pytest.mark.tc("TC-101")


def labels(*intervals: tuple[Any, ...], dont_care: tuple[tuple[int, int], ...] = ()) -> dict[str, Any]:
    out, at = [], 0
    for end, state, *more in intervals:
        out.append({"from": at, "to": end, "state": state, **(more[0] if more else {})})
        at = end
    dont = [{"from": a, "to": b} for a, b in dont_care]
    return {"agent": "a", "scenario": "s", "duration_ms": at, "intervals": out, "dont_care": dont}


def log(speed: float = 1.0, late: tuple[tuple[int, float], ...] = ()) -> list[dict[str, Any]]:
    steps = [{"kind": "screen", "t_ms": t, "late_ms": by} for t, by in late]
    return [{"kind": "begin", "wall_time": T0, "speed": speed}, *steps]


def run(label: dict[str, Any], *shown: tuple[Any, ...], steps: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    rows = [{"wall_time": T0 + t, "state": state, **(more[0] if more else {})} for t, state, *more in shown]
    return summary(Score(label, steps or log(), observations(rows)).run())


def test_all_right() -> None:
    label = labels((1000, "no_agent"), (3000, "running"), (6000, "waiting_approval", APPROVAL), (8000, "completed"))
    r = run(label, (1, "running"), (3, "waiting_approval"), (6, "completed"))
    assert (r["accuracy"], r["wrong_s"], r["waits"], r["missed"], r["false_waits"]) == (1.0, 0, 1, [], [])
    assert r["delay_ms"]["all"] == {"n": 3, "median": 0.0, "p95": 0.0, "max": 0.0}


def test_a_late_change_costs_precision_and_recall() -> None:
    r = run(labels((4000, "running"), (10000, "idle")), (0, "running"), (6, "idle"))
    assert r["states"]["running"]["precision"] == pytest.approx(4 / 6, abs=1e-3)
    assert r["states"]["idle"]["recall"] == pytest.approx(4 / 6, abs=1e-3)
    assert (r["wrong"], r["delay_ms"]["to idle"]["median"]) == ({"idle as running": 2.0}, 2000.0)


def test_each_wrong_stretch_is_listed_once_the_longest_first() -> None:
    """Rows that repeat a state do not split it."""
    label = labels((4000, "running"), (8000, "idle"), (20000, "completed"))
    hook = {"source": "hook"}
    rows: list[Any] = [(0, "running"), (5, "running"), (6, "idle"), (8, "running", hook), (11, "completed")]
    seen = observations({"wall_time": T0 + t, "state": state, **(more[0] if more else {})} for t, state, *more in rows)
    assert longest(Score(label, log(), seen).run(), 9) == [
        "  3.000 s  a/s at 8000 ms: completed as running (hook)",
        "  2.000 s  a/s at 4000 ms: idle as running (-)",
    ]
    assert len(longest(Score(label, log(), seen).run(), 1)) == 1


def test_dont_care_is_left_out() -> None:
    r = run(labels((4000, "running"), (10000, "idle"), dont_care=((3900, 4400),)), (0, "running"), (4.3, "idle"))
    assert (r["wrong_s"], r["accuracy"], r["excluded_s"]) == (0, 1.0, 0.5)


def test_unknown_is_withheld_and_an_unseen_agent_is_neither() -> None:
    r = run(labels((5000, "running"), (10000, "idle")), (2, "unknown"), (6, "idle"))
    assert (r["wrong_s"], r["withheld_s"], r["unseen_s"]) == (0, 4.0, 2.0)


def test_an_agent_listed_after_its_end_is_wrong() -> None:
    r = run(labels((2000, "idle"), (10000, "no_agent")), (0, "idle"), (5, "no_agent"))
    assert r["wrong"] == {"no_agent as idle": 3.0}


def test_the_other_kind_of_waiting_is_missed_and_false() -> None:
    r = run(labels((2000, "running"), (6000, "waiting_approval", APPROVAL)), (0, "running"), (2, "waiting_input"))
    assert (len(r["missed"]), len(r["false_waits"]), r["wrong"]) == (1, 1, {"waiting_approval as waiting_input": 4.0})


def test_a_short_wait_hidden_in_dont_care_is_not_counted() -> None:
    wait = labels((2000, "running"), (2500, "waiting_approval", APPROVAL), (5000, "running"), dont_care=((1900, 2900),))
    assert run(wait, (0, "running"))["waits"] == 0


def test_either_is_right() -> None:
    dialog = {"waiting_kind": "dialog", "either": ["waiting_input", "idle"]}
    r = run(labels((2000, "running"), (9000, "waiting_input", dialog)), (0, "running"), (2, "idle"))
    assert (r["accuracy"], r["waits"]) == (1.0, 0)


def test_completed_becomes_idle_after_120_s_of_wall_time() -> None:
    label = labels((1000, "running"), (200000, "completed"))
    assert run(label, (0, "running"), (1, "completed"), (122, "idle"))["wrong_s"] == 0
    assert run(label, (0, "running"), (1, "completed"))["wrong"] == {"completed (older than 120 s) as completed": 74.0}
    assert run(label, (0, "running"), (1, "completed"), (61, "idle"))["wrong"] == {"completed as idle": 55.0}


def test_speed_and_late_steps() -> None:
    label = labels((4000, "running"), (8000, "idle"))
    assert run(label, (0, "running"), (2.0, "idle"), steps=log(2))["accuracy"] == 1.0
    late = run(label, (0, "running"), (4.5, "idle"), steps=log(late=((4000, 500.0),)))
    assert late["delay_ms"]["all"]["median"] == 0.0


def test_watch_lines() -> None:
    identity = {"target": "local", "session_name": "x", "window_id": "@1", "pane_id": "%5"}
    item = {"identity": identity, "state": "running"}
    other = {"identity": {**identity, "pane_id": "%6"}, "state": "error"}
    waiting = {**item, "state": "waiting_approval", "waiting_for": {"kind": "approval"}}
    rows: list[dict[str, Any]] = [
        {"type": "snapshot", "wall_time": T0, "items": [other, item]},
        {
            "type": "delta",
            "emitted_at": "1970-01-01T00:16:42.000Z",
            "changes": [{"op": "upsert", "identity": identity, "item": waiting}],
        },
        {"type": "heartbeat", "wall_time": T0 + 3},
        {"type": "delta", "wall_time": T0 + 4, "changes": [{"op": "delete", "identity": identity}]},
    ]
    seen = observations(rows, "%5")
    assert [(s.at, s.state) for s in seen] == [(T0, "running"), (T0 + 2, "waiting_approval"), (T0 + 4, "no_agent")]
    assert seen[1].waiting_kind == "approval"


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(ValueError, match="busy"):
        observations([{"wall_time": 1, "state": "busy"}])


def test_sums_and_percentiles() -> None:
    label = labels((4000, "running"))
    total = Result()
    for _ in range(2):
        total.add(Score(label, log(), observations([{"wall_time": T0, "state": "running"}])).run())
    assert (summary(total)["replays"], summary(total)["scored_s"]) == (2, 8.0)
    values = [float(v) for v in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 95), percentile([], 50)) == (50, 95, None)


def test_placeholders_are_filled() -> None:
    fill = Fill({"PID": 77, "PANE": "%3", "CONFIG": "/c"}, 100.0, 2.0)
    result = fill.walk({"a": "$MS(3000)", "b": "$PID", "c": "$CONFIG/x", "d": ["$ISO(0)", "$PANE"]})
    assert result == {"a": 101500, "b": 77, "c": "/c/x", "d": ["1970-01-01T00:01:40.000Z", "%3"]}


def test_matchers_of_hooks() -> None:
    assert matches("Edit|Write", {"tool_name": "Write"})
    assert not matches("Edit", {"tool_name": "EditX"})
    assert matches("*", {})
