"""A capture names one exact state: anything that changes gives another fingerprint."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agtmux.git.capture import Capture, capture
from agtmux.git.tree_state import place_of, read_tree
from agtmux.protocol.errors import AgtmuxError
from tests.worktree_shapes import Tree, nested_repository, unstaged, untracked

pytestmark = pytest.mark.tc("TC-826")


def taken(tree: Tree) -> Capture:
    place = place_of(tree.git, str(tree.path), tree.common)
    return capture(place, read_tree(place), None)


CHANGES: dict[str, Callable[[Tree], object]] = {
    "a byte": lambda tree: (tree.path / "code.py").write_bytes(b"one\r\nunstagee"),
    "a mode": lambda tree: (tree.path / "notes.txt").chmod(0o600),
    "a name": lambda tree: (tree.path / "notes.txt").rename(tree.path / "other.txt"),
    "the index": lambda tree: tree.run("add", "code.py"),
    "a commit": lambda tree: tree.run("commit", "-q", "--allow-empty", "-m", "x"),
    "the branch": lambda tree: tree.run("checkout", "-q", "-b", "elsewhere"),
    "a stash": lambda tree: tree.run("stash", "store", "-m", "On agtmux/a: x", tree.run("stash", "create")),
    "an operation": lambda tree: tree.run("bisect", "start"),
    "a repository inside": nested_repository,
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_is_another_state(tmp_path: Path, what: str) -> None:
    tree = Tree(tmp_path)
    unstaged(tree)
    untracked(tree)
    (tree.path / "notes.txt").chmod(0o644)
    before = taken(tree)
    assert taken(tree).fingerprint == before.fingerprint
    CHANGES[what](tree)
    assert taken(tree).fingerprint != before.fingerprint


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    untracked(tree)
    place = place_of(tree.git, str(tree.path), tree.common)
    state = read_tree(place)
    (tree.path / "notes.txt").unlink()
    os.mkfifo(tree.path / "notes.txt")
    with pytest.raises(AgtmuxError, match="is a pipe, a socket or a device"):
        capture(place, state, None)
