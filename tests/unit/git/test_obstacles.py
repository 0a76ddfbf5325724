"""What keeps a worktree, in words and in JSON."""

from __future__ import annotations

import json

import pytest

from agtmux.git.obstacles import covered, obstacles, sentence
from agtmux.git.tree_state import Change, TreeState

pytestmark = pytest.mark.tc("TC-825")


def state(**more: object) -> TreeState:
    return TreeState("/w", "/a", "c" * 40, "b", "i", **more)  # type: ignore[arg-type]


def test_a_name_covers_itself_and_what_is_below_it() -> None:
    names = ("./build/", ".env", "")
    assert [covered(path, names) for path in ("build/a/b", "build/", ".env", "builder", ".envrc", "a/.env")] == [
        True, True, True, False, False, False
    ]  # fmt: skip


def test_an_odd_name_is_one_printable_line_and_valid_json() -> None:
    found = obstacles(state(changes=(Change("??", "a\n\udcff"), Change("UU", "b"), Change("MM", "c"))))
    assert [one.kind for one in found] == ["untracked", "unmerged", "staged", "unstaged"]
    assert "\n" not in sentence(found)
    assert "\\xff" in json.dumps(found[0].item())
    assert json.dumps(found[0].item()).isascii()


def test_an_ignored_repository_is_not_named_twice_and_cannot_be_given_up() -> None:
    found = obstacles(state(ignored=("build/inner/", "build/x"), nested=("build/inner",)), discard=("build",))
    assert [one.kind for one in found] == ["nested_repository"]


def test_only_what_a_copy_can_hold_is_salvageable() -> None:
    found = obstacles(state(ignored=("x",), busy=True, own_refs=("refs/worktree/a",), stashes=((),)))
    assert {one.kind: one.salvageable for one in found} == {
        "ignored": False, "busy": False, "own_refs": False, "stash": True
    }  # fmt: skip
