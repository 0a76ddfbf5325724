"""Worktrees in every state in which something would be lost with them, each made with the real git."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from agtmux.git.repository import find_repository, make_tree
from agtmux.git.run import Git
from tests.git_repo import git, repository

ODD = b'odd \xff\n"name"\t\\ -x'
"""A file name that is no text, with what quoting has to get right."""


class Tree:
    """One worktree of agtmux's, on the branch ``agtmux/a``, with a few committed files."""

    def __init__(self, root: Path) -> None:
        self.main = repository(root / "main")
        (self.main / "code.py").write_bytes(b"one\ntwo\n")
        (self.main / "folder").mkdir()
        (self.main / "folder" / "deep.txt").write_bytes(b"deep\n")
        (self.main / "run.sh").write_bytes(b"#!/bin/sh\n")
        (self.main / "run.sh").chmod(0o755)
        (self.main / "link").symlink_to("code.py")
        (self.main / ".gitignore").write_bytes(b".env\nbuild/\n")
        git(self.main, "add", "-A")
        git(self.main, "commit", "-q", "-m", "files")
        found = find_repository(str(self.main))
        self.git: Git = found.git
        self.common = found.common
        self.path = root / "state" / "worktrees" / "r" / "a"
        make_tree(self.git, str(self.path), "agtmux/a", git(self.main, "rev-parse", "HEAD"), "agtmux:a")

    def run(self, *words: str, check: bool = True) -> str:
        return git(self.path, *words, check=check)

    def files(self) -> dict[bytes, tuple[object, ...]]:
        """Everything in the tree but git's own link: kind, mode, bytes or target of each entry."""
        return snapshot(self.path)

    def admin(self) -> Path:
        return Path(self.common) / "worktrees" / "a"


def snapshot(top: Path) -> dict[bytes, tuple[object, ...]]:
    out: dict[bytes, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(top):
        paths = [Path(folder, name) for name in (*files, *folders)]
        for path in paths:
            if path == top / ".git" or not (path.is_symlink() or path.is_file()):
                continue
            name = os.fsencode(path.relative_to(top))
            if path.is_symlink():
                out[name] = ("link", os.fsencode(path.readlink()))
            else:
                out[name] = ("file", stat.S_IMODE(path.lstat().st_mode), path.read_bytes())
    return out


def untracked(tree: Tree) -> None:
    (tree.path / "notes.txt").write_bytes(b"only here\n")


def ignored(tree: Tree) -> None:
    (tree.path / ".env").write_bytes(b"SECRET=1\n")


def staged(tree: Tree) -> None:
    (tree.path / "code.py").write_bytes(b"staged\n")
    tree.run("add", "code.py")


def unstaged(tree: Tree) -> None:
    (tree.path / "code.py").write_bytes(b"one\r\nunstaged")


def staged_then_undone(tree: Tree) -> None:
    """The index holds what neither HEAD nor the file has."""
    staged(tree)
    (tree.path / "code.py").write_bytes(b"one\ntwo\n")


def deleted(tree: Tree) -> None:
    (tree.path / "folder" / "deep.txt").unlink()


def mode_only(tree: Tree) -> None:
    (tree.path / "run.sh").chmod(0o644)


def stash(tree: Tree) -> None:
    (tree.path / "code.py").write_bytes(b"stashed\n")
    tree.run("stash")


def detached(tree: Tree) -> None:
    tree.run("checkout", "-q", "--detach")
    tree.run("commit", "-q", "--allow-empty", "-m", "on no branch")


def _fork(tree: Tree) -> None:
    """Give the branch ``other`` a change that conflicts with one on the worktree's branch."""
    git(tree.main, "checkout", "-q", "-b", "other")
    (tree.main / "code.py").write_bytes(b"theirs\n")
    git(tree.main, "commit", "-q", "-a", "-m", "theirs")
    git(tree.main, "checkout", "-q", "main")
    (tree.path / "code.py").write_bytes(b"ours\n")
    tree.run("commit", "-q", "-a", "-m", "ours")


def rebase(tree: Tree) -> None:
    _fork(tree)
    tree.run("rebase", "other", check=False)


def merge(tree: Tree) -> None:
    _fork(tree)
    tree.run("merge", "other", check=False)


def merge_without_changes(tree: Tree) -> None:
    """A merge that only waits for its commit, and whose result is HEAD's."""
    _fork(tree)
    tree.run("merge", "-s", "ours", "--no-commit", "other")


def cherry_pick(tree: Tree) -> None:
    _fork(tree)
    tree.run("cherry-pick", "other", check=False)


def bisect(tree: Tree) -> None:
    tree.run("bisect", "start")


def submodule(tree: Tree) -> None:
    source = repository(tree.main.parent / "library")
    (source / "lib.c").write_bytes(b"int x;\n")
    git(source, "add", "-A")
    git(source, "commit", "-q", "-m", "lib")
    tree.run("submodule", "--quiet", "add", str(source), "lib")
    tree.run("commit", "-q", "-m", "a submodule")
    (tree.path / "lib" / "lib.c").write_bytes(b"int y;\n")


def submodule_commit(tree: Tree) -> None:
    """The submodule is clean, and has a commit that no remote has."""
    submodule(tree)
    git(tree.path / "lib", "commit", "-q", "-a", "-m", "only here")
    tree.run("commit", "-q", "-a", "-m", "move the submodule")


def locked_by_user(tree: Tree) -> None:
    git(tree.main, "worktree", "unlock", str(tree.path))
    git(tree.main, "worktree", "lock", "--reason", "mine", str(tree.path))


def assume_unchanged(tree: Tree) -> None:
    tree.run("update-index", "--assume-unchanged", "code.py")
    (tree.path / "code.py").write_bytes(b"hidden\n")


def skip_worktree(tree: Tree) -> None:
    tree.run("update-index", "--skip-worktree", "folder/deep.txt")
    (tree.path / "folder" / "deep.txt").write_bytes(b"hidden\n")


def intent_to_add(tree: Tree) -> None:
    (tree.path / "new.txt").write_bytes(b"planned\n")
    tree.run("add", "-N", "new.txt")


def nested_repository(tree: Tree) -> None:
    inside = repository(tree.path / "vendor" / "inner")
    (inside / "x").write_bytes(b"x")


def ignored_nested_repository(tree: Tree) -> None:
    repository(tree.path / "build" / "inner")


def odd_git_folder(tree: Tree) -> None:
    """Git never lists what is in a folder of this name, though it is no repository."""
    (tree.path / "folder" / ".git").mkdir()
    (tree.path / "folder" / ".git" / "notes").write_bytes(b"only here")


def odd_names(tree: Tree) -> None:
    with open(os.path.join(os.fsencode(tree.path), ODD), "wb") as file:
        file.write(b"\0\1\2")
    (tree.path / "folder" / "li\nnk").symlink_to(os.fsdecode(b"to \xfe nowhere"))
    (tree.path / os.fsdecode(ODD)).chmod(0o700)


def folder_for_file(tree: Tree) -> None:
    (tree.path / "code.py").unlink()
    (tree.path / "code.py").mkdir()
    (tree.path / "code.py" / "inner").write_bytes(b"x\n")


def link_for_folder(tree: Tree) -> None:
    shutil.rmtree(tree.path / "folder")
    (tree.path / "folder").symlink_to("/etc")


def index_lock(tree: Tree) -> None:
    (tree.admin() / "index.lock").touch()


SHAPES: dict[str, tuple[Callable[[Tree], None], str]] = {
    one.__name__: (one, kind)
    for one, kind in (
        (untracked, "untracked"), (ignored, "ignored"), (staged, "staged"), (unstaged, "unstaged"),
        (staged_then_undone, "staged"), (deleted, "unstaged"), (mode_only, "unstaged"), (stash, "stash"),
        (detached, "lone_commit"), (rebase, "operation"), (merge, "operation"), (merge_without_changes, "operation"),
        (cherry_pick, "operation"), (bisect, "operation"), (submodule, "submodule"), (submodule_commit, "submodule"),
        (locked_by_user, "locked"), (assume_unchanged, "hidden"), (skip_worktree, "hidden"),
        (intent_to_add, "unstaged"), (nested_repository, "nested_repository"),
        (ignored_nested_repository, "nested_repository"), (odd_git_folder, "nested_repository"),
        (odd_names, "untracked"), (folder_for_file, "untracked"), (link_for_folder, "unstaged"),
        (index_lock, "busy"),
    )
}  # fmt: skip
"""How to make each shape, and the kind of what keeps it."""
