"""Which episodes begin, go on and end as a pane's row changes, and how long its turns took."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest

from agtmuxd.core.model import NS
from agtmuxd.features.notify.episodes import Steps, follow
from agtmuxd.features.notify.model import Episode, Kind, at
from tests.rows import T0, pane
from tests.unit.features.notify.makers import s

pytestmark = pytest.mark.tc("TC-402")
NOW = at(T0) or 0


def time(seconds: float) -> str:
    return f"2026-01-01T00:{int(seconds) // 60:02d}:{seconds % 60:06.3f}Z"


def prompt(fingerprint: str | None, text: str = "make") -> dict[str, Any]:
    return {"kind": "approval", "subject": "Bash", "text": text, "options": [], "fingerprint": fingerprint}


class Life:
    """One pane and what was made of its rows."""

    def __init__(self) -> None:
        self.open: dict[str, Episode] = {}
        self.closed: list[Episode] = []
        self.opened: list[Episode] = []
        self.turns: dict[str, int] = {}
        self.mark: int | None = None
        self._ids = count(1)

    def show(self, state: str | None, at: float, *, gone: bool = False, **more: Any) -> Life:
        row: dict[str, Any] = {"since": time(at), "state_version": 1, **more}
        attention = row.pop("attention", None)
        item = None if gone else pane(state=state, attention=attention, **row)
        if item is not None and attention is None and state == "completed":
            item |= {"attention": "review", "attention_since": more.get("attention_since", item["since"])}
        steps = Steps()
        follow(
            "host/%1", item, list(self.open.values()), self.turns, lambda _: self.mark, NOW + s(at),
            lambda: f"e{next(self._ids)}", steps,
        )  # fmt: skip
        self.apply(steps)
        return self

    def apply(self, steps: Steps) -> None:
        self.opened += steps.opened
        self.closed += steps.closed
        for one in steps.closed:
            del self.open[one.episode_id]
        self.open |= {one.episode_id: one for one in (*steps.changed, *steps.opened)}
        changes: Mapping[str, int | None] = steps.turns
        for runtime, start in changes.items():
            if start is None:
                self.turns.pop(runtime, None)
            else:
                self.turns[runtime] = start

    def why(self) -> list[str | None]:
        return [one.close_reason for one in self.closed]


def test_an_approval_is_one_episode_from_its_hook_to_its_answer() -> None:
    life = Life().show("running", 0)
    life.show("waiting_approval", 1, waiting_for=prompt(None), state_version=2)
    life.show("waiting_approval", 1, waiting_for=prompt("f-1"), state_version=3)
    life.show("waiting_approval", 1, waiting_for=prompt("f-1"), state_version=3, title="x")
    life.show("running", 9, state_version=4)
    assert [one.kind for one in life.opened] == [Kind.WAITING_APPROVAL]
    assert life.closed[0].sign.fingerprint == "f-1"
    assert life.why() == ["the agent is running"]


def test_another_prompt_is_another_episode() -> None:
    life = Life().show("waiting_approval", 1, waiting_for=prompt("f-1"))
    life.show("waiting_approval", 2, waiting_for=prompt("f-2"), state_version=2)
    assert (len(life.opened), life.why()) == (2, ["another prompt"])


def test_a_target_that_goes_down_ends_nothing() -> None:
    life = Life().show("waiting_approval", 1, waiting_for=prompt("f-1"), state_version=4)
    known = {"state": "waiting_approval", "since": time(1), "at": time(5)}
    life.show(
        "unknown", 5, attention="needs_action", reason_code="target_unreachable", last_known=known, state_version=5
    )
    (hidden,) = life.open.values()
    assert hidden.sign.hidden
    assert hidden.subject.asks == "Bash: make", "what was asked is kept"
    life.show("waiting_approval", 1, waiting_for=prompt("f-1"), state_version=6)
    assert (len(life.opened), life.closed) == (1, [])


@pytest.mark.parametrize(
    ("state", "more", "why"),
    [
        (None, {"gone": True}, "the pane is gone"),
        ("running", {"runtime_id": "rt-another-000000"}, "the agent ended"),
        ("waiting_approval", {"attention": "none", "waiting_for": prompt("f-1")}, "you marked it as seen"),
        ("idle", {}, "the agent is idle"),
    ],
)
def test_an_episode_says_why_it_ended(state: str | None, more: dict[str, Any], why: str) -> None:
    life = Life().show("waiting_approval", 1, waiting_for=prompt("f-1"))
    assert life.show(state, 5, **more).why() == [why]


def test_a_completion_lasts_until_somebody_looks() -> None:
    life = Life().show("running", 0).show("completed", 40, state_version=2)
    life.show("idle", 600, attention="review", attention_since=time(40), state_version=3)
    assert len(life.open) == 1
    assert life.show("idle", 600, attention="none", state_version=3).why() == ["you looked at it"]


def test_a_turn_is_as_long_as_from_its_first_running_to_its_end() -> None:
    """Approvals in between belong to it."""
    life = Life().show("running", 10).show("waiting_approval", 20, waiting_for=prompt("f-1"), state_version=2)
    life.show("running", 30, state_version=3).show("completed", 70, state_version=4)
    assert [one.turn for one in life.opened if one.kind is Kind.COMPLETED] == [60 * NS]
    assert life.turns == {}


def test_a_turn_that_began_within_another_counts_from_its_own_hook() -> None:
    life = Life().show("running", 10)
    life.mark = NOW + s(50)
    assert life.show("completed", 70, state_version=2).opened[-1].turn == 20 * NS


def test_a_turn_whose_start_nobody_saw_has_no_length() -> None:
    assert Life().show("completed", 70).opened[-1].turn is None


def test_a_whole_turn_between_two_rows_is_another_completion() -> None:
    life = Life().show("running", 0).show("completed", 40, state_version=2)
    life.mark = NOW + s(50)
    life.show("completed", 90, state_version=2)
    assert [one.turn for one in life.opened] == [40 * NS, 40 * NS]
    assert life.why() == ["another turn ended"]


def test_a_stuck_agent_that_goes_on_is_no_longer_stuck() -> None:
    life = Life()
    steps = Steps()
    item = {**pane(state="running"), "stuck": {"since": T0, "reason": "no progress for 20 min"}}
    follow("host/%1", item, [], {}, lambda _: None, NOW, lambda: "e1", steps)
    life.apply(steps)
    assert [one.kind for one in life.opened] == [Kind.STUCK]
    assert life.show("running", 0).why() == ["the agent goes on"]


@pytest.mark.tc("TC-915")
@pytest.mark.parametrize(
    ("after", "why"),
    [
        (None, "somebody took care of it"),
        ({"seen": True}, "you marked it as seen"),
        ({"since": time(9), "message_id": "m-2"}, "another message"),
        ({"since": time(1), "count": 1}, None),
    ],
)
def test_a_message_to_people_is_one_episode_until_a_newer_one_comes(
    after: dict[str, Any] | None, why: str | None
) -> None:
    asks = {"since": time(5), "attention": "needs_action", "message_id": "m-1", "kind": "blocker", "count": 2}
    life = Life()
    for value in (asks, None if after is None else {**asks, **after}):
        steps = Steps()
        item = pane(state="running") if value is None else {**pane(state="running"), "asks": value}
        follow(
            "host/%1", item, list(life.open.values()), {}, lambda _: None, NOW, lambda: f"e{len(life.opened)}", steps
        )
        life.apply(steps)
    assert life.why() == ([why] if why else [])
    assert len(life.opened) == (2 if why == "another message" else 1)
