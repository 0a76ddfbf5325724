"""A worktree is made whole or not at all; a repository and its trees are found as git lays them out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agtmux.git.repository import (
    ahead_behind,
    branches_below,
    commit_of,
    entry_of,
    find_repository,
    list_trees,
    make_tree,
)
from agtmux.protocol.errors import AgtmuxError
from tests.git_repo import git, repository
from tests.smalldisk import small_disk
from tests.worktree_shapes import Tree

pytestmark = pytest.mark.tc("TC-824")


def left(top: Path, path: Path) -> tuple[bool, str, int]:
    """Whether the folder is there, the branches of agtmux, and how many working trees git knows."""
    trees = git(top, "worktree", "list").splitlines()
    return os.path.lexists(path), git(top, "branch", "--list", "agtmux/*"), len(trees)


def test_a_worktree_is_locked_on_its_branch_and_others_are_listed(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    entry = entry_of(tree.git, str(tree.path))
    assert entry is not None
    assert (entry.branch, entry.locked, entry.head) == ("agtmux/a", "agtmux:a", git(tree.main, "rev-parse", "main"))
    assert [one.path for one in list_trees(tree.git)] == [str(tree.main), str(tree.path)]
    assert branches_below(tree.git, "agtmux") == ["agtmux/a"]
    tree.run("commit", "-q", "--allow-empty", "-m", "x")
    assert ahead_behind(tree.git.at(str(tree.path)), "main") == (1, 0)
    assert ahead_behind(tree.git.at(str(tree.path)), "gone") is None
    again = find_repository(str(tree.path))
    assert (again.common, again.top) == (tree.common, str(tree.path))


def test_what_is_in_the_way_is_named_and_stays(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    git_, path = find_repository(str(top)).git, tmp_path / "w"
    commit = git(top, "rev-parse", "HEAD")
    path.mkdir()
    (path / "mine").touch()
    with pytest.raises(AgtmuxError, match="is already there"):
        make_tree(git_, str(path), "agtmux/a", commit, "agtmux:a")
    assert (path / "mine").exists()
    git(top, "branch", "agtmux/b")
    with pytest.raises(AgtmuxError, match="the branch agtmux/b is already there: choose another with --slug"):
        make_tree(git_, str(tmp_path / "w2"), "agtmux/b", commit, "agtmux:b")
    with pytest.raises(AgtmuxError, match="git update-ref failed"):
        make_tree(git_, str(tmp_path / "w3"), "agtmux/b/deeper", commit, "agtmux:b")
    assert left(top, tmp_path / "w3") == (False, "agtmux/b", 1)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    for number in range(8):
        (top / f"large-{number}").write_bytes(os.urandom(1 << 20))
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "8 MiB")
    with small_disk(tmp_path / "small") as disk:
        path = disk.folder / "w"
        with pytest.raises(AgtmuxError, match=r"unable to write file .* check the free space with df"):
            make_tree(find_repository(str(top)).git, str(path), "agtmux/a", git(top, "rev-parse", "HEAD"), "agtmux:a")
        assert left(top, path) == (False, "", 1)


def test_a_lock_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """The last step fails: what the others made goes again."""
    top = repository(tmp_path / "r")
    found = find_repository(str(top))
    with pytest.raises(AgtmuxError):
        make_tree(found.git, str(tmp_path / "w"), "agtmux/a", git(top, "rev-parse", "HEAD"), "a\0b")
    assert left(top, tmp_path / "w") == (False, "", 1)


def test_a_folder_without_a_repository_a_bare_one_and_one_without_commits_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(AgtmuxError, match="is in no git repository: pass the folder of one with --repo"):
        find_repository(str(tmp_path))
    bare = tmp_path / "bare"
    bare.mkdir()
    git(bare, "init", "-q", "--bare")
    assert find_repository(str(bare)).top is None
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    with pytest.raises(AgtmuxError, match="the repository has no commit yet"):
        commit_of(find_repository(str(empty)).git, "HEAD")
    with pytest.raises(AgtmuxError, match="names no commit here"):
        commit_of(find_repository(str(empty)).git, "--all")
