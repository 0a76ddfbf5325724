"""A worktree goes only if nothing is lost with it: each shape of unsaved work survives, with the real git."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agtmux.git import removal
from agtmux.git.removal import aside, condemned, finish_interrupted, remove_tree, what_keeps
from agtmux.git.salvage import read_manifest, salvage
from agtmux.protocol.errors import AgtmuxError
from tests.git_repo import git
from tests.worktree_shapes import SHAPES, Tree, ignored, submodule, unstaged, untracked

pytestmark = pytest.mark.tc("TC-825")
UNSALVAGEABLE = {"locked_by_user", "index_lock"}


def remove(tree: Tree, **more: object) -> None:
    remove_tree(tree.git, str(tree.path), tree.common, **more)  # type: ignore[arg-type]


def test_a_worktree_that_holds_nothing_goes_and_its_branch_stays(tmp_path: Path) -> None:
    """Also one whose commits were never pushed: they are on the branch, whatever its upstream is."""
    tree = Tree(tmp_path)
    tree.run("branch", "--set-upstream-to=main")
    tree.run("commit", "-q", "--allow-empty", "-m", "not pushed")
    commit = tree.run("rev-parse", "HEAD")
    remove(tree)
    assert not os.path.lexists(tree.path)
    assert str(tree.path) not in git(tree.main, "worktree", "list")
    assert git(tree.main, "rev-parse", "agtmux/a") == commit


@pytest.mark.parametrize("shape", SHAPES)
def test_a_worktree_with_unsaved_work_stays_as_it_is(tmp_path: Path, shape: str) -> None:
    make, kind = SHAPES[shape]
    tree = Tree(tmp_path)
    make(tree)
    before, index = tree.files(), (tree.admin() / "index").read_bytes()
    with pytest.raises(AgtmuxError) as caught:
        remove(tree, discard=("nothing",))
    assert caught.value.code == "E_WORKTREE_DIRTY"
    what = caught.value.details["what"]
    assert isinstance(what, list)
    assert kind in {one["kind"] for one in what}
    assert tree.files() == before
    assert (tree.admin() / "index").read_bytes() == index, "not even the index was written"
    assert sorted(path.name for path in tree.path.parent.iterdir()) == ["a"]


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - UNSALVAGEABLE))
def test_after_a_verified_salvage_it_may_go(tmp_path: Path, shape: str) -> None:
    tree = Tree(tmp_path)
    SHAPES[shape][0](tree)
    _, place, state = what_keeps(tree.git, str(tree.path), tree.common)
    folder = str(tmp_path / "salvage")
    salvage(place, state, None, folder, "s-1")
    remove(tree, manifest=read_manifest(folder))
    assert not os.path.lexists(tree.path)
    assert git(tree.main, "rev-parse", "--verify", "refs/agtmux/salvage/s-1")


def test_a_salvage_of_another_state_frees_nothing(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    unstaged(tree)
    _, place, state = what_keeps(tree.git, str(tree.path), tree.common)
    folder = tmp_path / "salvage"
    salvage(place, state, (), str(folder), "s-1")
    known = read_manifest(str(folder))
    untracked(tree)
    with pytest.raises(AgtmuxError, match="its salvage is not of this state"):
        remove(tree, manifest=known)
    (tree.path / "notes.txt").unlink()
    archive = folder / "files.tar"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-1] + b"x")
    with pytest.raises(AgtmuxError, match="is not whole"):
        remove(tree, manifest=known)
    archive.write_bytes(whole)
    remove(tree, manifest=known)
    assert not os.path.lexists(tree.path)


def test_ignored_files_go_only_by_their_names(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    ignored(tree)
    (tree.path / "build").mkdir()
    (tree.path / "build" / "out.o").write_bytes(b"x")
    for names in ((".env",), ("build/",), ("bui",)):
        with pytest.raises(AgtmuxError, match="ignored files"):
            remove(tree, discard=names)
    remove(tree, discard=(".env", "build"))
    assert not os.path.lexists(tree.path)


def test_a_worktree_in_which_a_process_works_stays(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    (tree.path / "folder").mkdir(exist_ok=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=tree.path / "folder", stdin=subprocess.PIPE) as one:
        with pytest.raises(AgtmuxError, match=rf"processes that work there \(\S+ {one.pid}\)"):
            remove(tree)
        one.communicate(b"\n")
    remove(tree)


def test_a_clean_submodule_keeps_nothing(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    submodule(tree)
    git(tree.path / "lib", "checkout", "-q", "--", "lib.c")
    remove(tree)
    assert not os.path.lexists(tree.path)


def test_what_appears_while_it_is_removed_brings_it_back(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    with pytest.raises(AgtmuxError, match="changed while it was being removed"):
        remove(tree, before=lambda: untracked(tree))
    assert (tree.path / "notes.txt").read_bytes() == b"only here\n"
    assert tree.run("status", "--porcelain") == "?? notes.txt"


def test_a_removal_that_was_interrupted_is_undone_or_finished(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.path.rename(aside(str(tree.path)))
    finish_interrupted(str(tree.path))
    assert tree.run("status", "--porcelain") == ""
    tree.path.rename(condemned(str(tree.path)))
    finish_interrupted(str(tree.path))
    assert not any(tree.path.parent.iterdir())
    removal.forget(tree.git, str(tree.path))
    assert str(tree.path) not in git(tree.main, "worktree", "list")


def test_what_cannot_be_read_stays(tmp_path: Path) -> None:
    """Whatever git cannot answer is a reason to keep it."""
    tree = Tree(tmp_path)
    index = (tree.admin() / "index").read_bytes()
    (tree.admin() / "index").write_bytes(b"broken")
    with pytest.raises(AgtmuxError, match=r"git .* failed"):
        remove(tree)
    (tree.admin() / "index").write_bytes(index)
    (tree.path / ".git").write_text("gitdir: /nowhere\n")
    with pytest.raises(AgtmuxError, match="is no worktree of"):
        remove(tree)
    assert (tree.path / "code.py").exists()


def test_a_tree_with_folders_that_may_not_be_written_goes_whole(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    (tree.path / "folder").chmod(0o555)
    remove(tree)
    assert not any(tree.path.parent.iterdir())


def test_one_command_at_a_time_removes_in_a_repository(tmp_path: Path) -> None:
    """Another one waits: it would move back what the first has read, or delete what it has not read."""
    tree = Tree(tmp_path)
    entered = threading.Event()

    def other() -> None:
        with removal.alone(tree.common):
            entered.set()

    waiting = threading.Thread(target=other)
    with removal.alone(tree.common):
        waiting.start()
        assert not entered.wait(0.2)
    waiting.join(20)
    assert entered.is_set()
