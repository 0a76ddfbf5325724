"""When a wait is over, by its conditions and its time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.waits.model import Wait, WaitCondition, needed_of, split_condition, states_of

pytestmark = pytest.mark.tc("TC-743")


def wait(needed: int, *states: str) -> Wait:
    conditions = tuple(WaitCondition(f"x:{n}", "x", str(n), state) for n, state in enumerate(states))
    return Wait("w", None, "person", "at_least", needed, conditions, deadline=100, created_at=0)


@pytest.mark.parametrize(
    ("needed", "states", "end"),
    [
        (1, ("open", "open"), "open"),
        (1, ("met", "open"), "met"),
        (1, ("gone", "open"), "open"),
        (1, ("gone", "gone"), "failed"),
        (2, ("met", "open"), "open"),
        (2, ("met", "met"), "met"),
        (2, ("met", "gone"), "failed"),
        (2, ("met", "gone", "open"), "open"),
    ],
)
def test_a_wait_ends_as_soon_as_its_conditions_decide_it(needed: int, states: tuple[str, ...], end: str) -> None:
    one = wait(needed, *states)
    assert one.with_conditions(one.conditions, 50).state == end
    assert one.with_conditions(one.conditions, 100).state == ("timeout" if end == "open" else end)


def test_the_result_is_kept_when_time_is_over_and_a_condition_survives_the_database() -> None:
    met = WaitCondition("state:a=idle", "state", "runtime:1=idle", "met", 7, {"state": "idle"})
    one = replace(wait(2, "open"), conditions=(met, WaitCondition("x:1", "x", "1")))
    over = one.with_conditions(one.conditions, 100)
    assert (over.state, over.ended_at, over.item()["met"]) == ("timeout", 100, 1)
    assert over.item()["conditions"][0]["watches"] == "state:runtime:1=idle"
    assert WaitCondition.from_json(met.to_json()) == met


def test_a_mode_says_how_many_conditions_are_needed() -> None:
    assert [needed_of("any", None, 3), needed_of("all", None, 3), needed_of("at_least", 2, 3)] == [1, 3, 2]
    for mode, number in (("any", 1), ("at_least", None), ("at_least", 4)):
        with pytest.raises(AgtmuxError):
            needed_of(mode, number, 3)


def test_a_condition_begins_with_a_known_word_and_names_states_or_groups() -> None:
    assert split_condition("state:pane:host/a/@1/%1=idle", ["state"]) == ("state", "pane:host/a/@1/%1=idle")
    for wrong in ("idle", "state:", "lease:x=free"):
        with pytest.raises(AgtmuxError, match="begin with state:"):
            split_condition(wrong, ["state"])
    assert states_of("done,running,idle") == ("completed", "idle", "running")
    with pytest.raises(AgtmuxError, match="'sleeping' is not a state"):
        states_of("idle,sleeping")
