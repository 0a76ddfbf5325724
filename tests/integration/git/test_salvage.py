"""A salvage gives everything back, byte for byte, and is refused if one byte of it would be wrong."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from agtmux.git import salvage as module
from agtmux.git.salvage import read_manifest, salvage
from agtmux.git.tree_state import place_of, read_tree
from agtmux.protocol.errors import AgtmuxError
from tests.git_repo import git
from tests.worktree_shapes import (
    SHAPES,
    Tree,
    ignored,
    merge,
    odd_names,
    snapshot,
    staged_then_undone,
    stash,
    unstaged,
    untracked,
)

pytestmark = pytest.mark.tc("TC-826")
EVERYTHING = sorted(set(SHAPES) - {"index_lock"})


def saved(tree: Tree, folder: Path, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    place = place_of(tree.git, str(tree.path), tree.common)
    salvage(place, read_tree(place), names, str(folder), "s-1")
    known = read_manifest(str(folder))
    assert known is not None
    return known


def restored(known: dict[str, Any], tree: Tree, where: Path) -> dict[bytes, tuple[object, ...]]:
    """Do what the reference says: check out the ref, and unpack the archive over it."""
    git(tree.main, "worktree", "add", "-q", "--detach", str(where), known["ref"])
    if any(one["room"] == "files" and one["kind"] != "absent" for one in known["files"]):
        archive = str(Path(known["folder"]) / "files.tar")
        subprocess.run(["tar", "-xpf", archive, "-C", str(where), "--strip-components=1", "files"], check=True)
    return snapshot(where)


@pytest.mark.parametrize("shape", EVERYTHING)
def test_the_archive_gives_back_every_file_with_its_mode(tmp_path: Path, shape: str) -> None:
    tree = Tree(tmp_path)
    SHAPES[shape][0](tree)
    before = tree.files()
    known = saved(tree, tmp_path / "salvage")
    assert tree.files() == before, "the worktree is unchanged"
    if tree.path.joinpath(".git").exists() and shape != "bisect":
        assert restored(known, tree, tmp_path / "back") == before


def test_the_ref_gives_back_the_files_and_keeps_index_stash_and_merged_commit(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    stash(tree)
    untracked(tree)
    odd_names(tree)
    ignored(tree)
    staged_then_undone(tree)
    before, kept = tree.files(), tree.run("rev-parse", "refs/stash")
    known = saved(tree, tmp_path / "salvage")
    back = tmp_path / "back"
    git(tree.main, "worktree", "add", "-q", "--detach", str(back), known["ref"])
    plain = {name: (kind, *(rest[-1:])) for name, (kind, *rest) in before.items()}
    assert {name: (kind, *(rest[-1:])) for name, (kind, *rest) in snapshot(back).items()} == plain
    parents = git(tree.main, "rev-list", "--parents", "-n1", known["ref"]).split()[1:]
    assert kept in parents
    assert any(git(tree.main, "show", f"{one}:code.py") == "staged" for one in parents), "what the index held"


def test_a_merge_in_progress_is_kept_whole(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    merge(tree)
    other = git(tree.main, "rev-parse", "other")
    known = saved(tree, tmp_path / "salvage")
    assert other in git(tree.main, "rev-list", "--parents", "-n1", known["ref"]).split()
    with tarfile.open(tmp_path / "salvage" / "files.tar") as archive:
        names = archive.getnames()
    assert {"git/MERGE_HEAD", "git/index", "git/HEAD"} <= set(names)


def test_ignored_files_are_copied_only_if_they_are_named(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    ignored(tree)
    (tree.path / "build").mkdir()
    (tree.path / "build" / "out").write_bytes(b"x")
    assert saved(tree, tmp_path / "a", ())["ignored"] == []
    git(tree.main, "update-ref", "-d", "refs/agtmux/salvage/s-1")
    assert saved(tree, tmp_path / "b", ("build/",))["ignored"] == ["build/out"]


def test_the_patch_leads_from_head_to_the_copy(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    unstaged(tree)
    odd_names(tree)
    known = saved(tree, tmp_path / "salvage")
    fresh = tmp_path / "fresh"
    git(tree.main, "worktree", "add", "-q", "--detach", str(fresh), known["head"])
    git(fresh, "apply", "--binary", str(tmp_path / "salvage" / "work.patch"))
    assert (fresh / "code.py").read_bytes() == b"one\r\nunstaged"
    git(fresh, "add", "-A", "-f")
    assert git(fresh, "write-tree") == git(tree.main, "rev-parse", f"{known['ref']}^{{tree}}")


@pytest.mark.parametrize("part", ["files.tar", "work.patch"])
def test_a_copy_with_a_wrong_byte_is_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """The proof reads the files back: what the disk made of them, not what was written."""
    tree = Tree(tmp_path)
    unstaged(tree)
    verify = module._verify

    def after_a_fault(place: Any, found: Any, commit: str, ref: str, base: str, folder: str) -> None:
        path = Path(folder) / part
        path.write_bytes(path.read_bytes().replace(b"unstaged", b"unstagex"))
        verify(place, found, commit, ref, base, folder)

    monkeypatch.setattr(module, "_verify", after_a_fault)
    with pytest.raises(AgtmuxError, match=r"differs|does not lead|failed"):
        saved(tree, tmp_path / "salvage")
    assert not (tmp_path / "salvage").exists()
    assert not (tmp_path / "salvage.part").exists()
    assert git(tree.main, "for-each-ref", "refs/agtmux") == ""


def test_a_salvage_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    unstaged(tree)
    before = tree.files()
    (tmp_path / "file").touch()
    with pytest.raises(AgtmuxError, match=r"nothing was salvaged.*The worktree is unchanged"):
        saved(tree, tmp_path / "file" / "salvage")
    assert git(tree.main, "for-each-ref", "refs/agtmux") == ""
    assert tree.files() == before


def test_line_ends_are_copied_as_they_are_whatever_git_would_make_of_them(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    git(tree.main, "config", "core.autocrlf", "true")
    (tree.path / ".gitattributes").write_bytes(b"*.txt text\n*.py ident\n")
    (tree.path / "ends.txt").write_bytes(b"a\r\nb\nc\r\n")
    (tree.path / "code.py").write_bytes(b"$Id: x$\r\n")
    before = tree.files()
    known = saved(tree, tmp_path / "salvage")
    back = restored(known, tree, tmp_path / "back")
    for name in (b".gitattributes", b"ends.txt", b"code.py"):
        assert back[name] == before[name]
