"""Which files two agents changed, and how sure that is."""

from __future__ import annotations

import pytest

from agtmuxd.features.worktrees.radar_model import TURNS, TreeFiles, Turns, find_collisions, update

pytestmark = pytest.mark.tc("TC-830")
S = 1_000_000_000


def tree(
    path: str, changed: dict[str, int], owner: str | None = None, turns: dict[str, Turns] | None = None
) -> TreeFiles:
    made = TreeFiles(path, "/repo/.git")
    update(made, changed, owner, turns or {})
    return made


def pairs(*trees: TreeFiles) -> list[tuple[str, str, str, bool]]:
    return sorted((one.path, one.agent_a, one.agent_b, one.certain) for one in find_collisions(trees, 5))


def test_two_owners_collide_in_the_files_that_both_changed() -> None:
    one, two = tree("/w1", {"a": 1, "b": 1}, "x"), tree("/w2", {"b": 2, "c": 2}, "y")
    assert pairs(one, two) == [("b", "x", "y", True)]
    assert pairs(one, tree("/w3", {"a": 1}, "x")) == [], "an agent does not collide with itself"


def test_in_one_tree_the_turn_in_which_a_file_was_written_tells_whose_it_is() -> None:
    first, second = Turns(past=[(10 * S, 20 * S)]), Turns(past=[(30 * S, 40 * S)])
    shared = tree("/w", {"a": 15 * S, "b": 99 * S}, None, {"x": first, "y": second})
    assert pairs(shared) == []
    update(shared, {"a": 35 * S, "b": 99 * S}, None, {"x": first, "y": second})
    assert pairs(shared) == [("a", "x", "y", True)], "b was written by nobody that had a turn"
    update(shared, {"b": 99 * S}, None, {})
    assert pairs(shared) == []


def test_two_turns_at_once_leave_it_open() -> None:
    both = {"x": Turns(started=10 * S), "y": Turns(started=12 * S)}
    assert pairs(tree("/w", {"a": 20 * S}, None, both)) == [("a", "x", "y", False)]


def test_turns_are_limited() -> None:
    turns = Turns()
    for number in range(TURNS + 10):
        turns.started = number * 10 * S
        turns.end((number * 10 + 1) * S)
    assert len(turns.past) == TURNS
    assert (turns.covers(0), turns.covers((TURNS + 5) * 10 * S)) == (False, True)
