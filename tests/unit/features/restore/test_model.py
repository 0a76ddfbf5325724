"""What becomes of each agent that was lost with its tmux server."""

from __future__ import annotations

from typing import Any

import pytest

from agtmuxd.features.restore.model import LostAgent, Place, Step, item, last_of_each_pane, plan

pytestmark = pytest.mark.tc("TC-256")


def lost(name: str = "1", *, at: int = 100, **more: Any) -> LostAgent:
    place = Place("work", int(name), "code", 0)
    fields = {
        "runtime_id": f"rt-{name}", "target_id": "t", "target": "host", "pane_id": f"%{name}",
        "agent_type": "claude",
        "session_id": f"s-{name}", "cwd": "/src", "transcript_path": f"/s-{name}.jsonl", "ended_at": at,
        "place": place, "claimed_at": None,
    }  # fmt: skip
    return LostAgent(**{**fields, **more})


def row(window: int, **more: Any) -> dict[str, Any]:
    return {
        "ref": f"pane:host/work/@1/%{window}", "window_index": window, "window_name": "code", "pane_index": 0,
        "identity": {"target": "host", "session_name": "work", "window_id": "@1", "pane_id": f"%{window}"},
        "runtime_id": None, "agent_type": None, "agent_session_id": None, "command": "bash", **more,
    }  # fmt: skip


def planned(*agents: LostAgent, rows: tuple[dict[str, Any], ...] = (), missing: bool = False) -> list[Step]:
    def resume(agent: str, session: str) -> tuple[str, ...] | None:
        return None if agent == "generic" else (agent, "--resume", session)

    return plan(agents, rows, resume, lambda _one: missing)


def test_each_agent_comes_back_with_its_own_session_in_the_order_of_the_places() -> None:
    steps = planned(lost("2"), lost("1"))
    assert [(step.action, step.argv) for step in steps] == [
        ("new", ("claude", "--resume", "s-1")), ("new", ("claude", "--resume", "s-2"))
    ]  # fmt: skip


def test_a_pane_with_an_idle_shell_in_its_place_is_used_and_no_other() -> None:
    (step,) = planned(lost("1"), rows=(row(1), row(2)))
    assert (step.action, step.pane_id) == ("pane", "%1")
    for other in (row(1, command="vim"), row(1, runtime_id="rt-9", agent_type="codex"), row(2)):
        (step,) = planned(lost("1"), rows=(other,))
        assert (step.action, step.pane_id) == ("new", None)


def test_two_agents_never_get_one_pane_nor_one_session() -> None:
    twice = lost("2", at=200, session_id="s-1", place=Place("work", 1, "code", 0))
    steps = planned(lost("1"), twice, rows=(row(1),))
    assert sorted((step.lost.runtime_id, step.action) for step in steps) == [("rt-1", "skip"), ("rt-2", "pane")]
    other = lost("3", place=Place("work", 1, "code", 0))
    assert sorted(step.action for step in planned(lost("1"), other, rows=(row(1),))) == ["new", "pane"]


def test_a_session_that_runs_already_is_left_alone_wherever_it_runs() -> None:
    live = row(7, runtime_id="rt-7", agent_type="claude", agent_session_id="s-1")
    (step,) = planned(lost("1"), rows=(live,))
    assert (step.action, step.reason) == ("skip", "its session already runs in pane:host/work/@1/%7")
    other = row(7, runtime_id="rt-7", agent_type="codex", agent_session_id="s-1")
    assert planned(lost("1"), rows=(other,))[0].action == "new", "a session of another agent"


@pytest.mark.parametrize(
    ("agent", "missing", "why"),
    [
        (lost(session_id=None), False, "its session is unknown"), (lost(claimed_at=5), False, "it was restored at"),
        (lost(agent_type="generic"), False, "does not know how"), (lost(), True, "its session file is gone"),
    ],
)  # fmt: skip
def test_what_cannot_be_restored_says_why(agent: LostAgent, missing: bool, why: str) -> None:
    (step,) = planned(agent, missing=missing)
    assert step.action == "skip"
    assert why in (step.reason or "")
    assert item(step)["argv"] == []


@pytest.mark.parametrize(
    ("agents", "kept"),
    [
        ([{"session_id": None}, {}], 1), ([{}, {"session_id": None}], 0), ([{}, {"session_id": "s-9"}], 1),
        ([{}, {"session_id": None, "agent_type": "codex"}], 1), ([{"session_id": None}, {"session_id": None}], 0),
    ],
)  # fmt: skip
def test_of_agents_that_followed_each_other_in_a_pane_one_is_lost(agents: list[dict[str, Any]], kept: int) -> None:
    """The last, unless it is the same program that was seen once more while it ended."""
    found = [lost(str(number), pane_id="%1", **more) for number, more in enumerate(agents, 1)]
    assert last_of_each_pane(found) == [found[kept]]


def test_agents_of_other_panes_and_targets_are_lost_too() -> None:
    found = [lost("1"), lost("2"), lost("3", pane_id="%1", target_id="t-2")]
    assert last_of_each_pane(found) == found
