"""Say whether two commits merge, without touching the repository or running code that it names.

The merge happens in a scratch repository that borrows the objects. It has no configuration, so no merge driver runs,
and what it writes goes with it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, replace

from agtmux.git.run import Git, failure
from agtmux.protocol.errors import AgtmuxError

OLDEST = (2, 38)
"""The oldest git with ``merge-tree --write-tree``."""


@dataclass(frozen=True)
class Preview:
    """The result of a merge. ``tree``: its tree, also if there are conflicts. ``conflicts``: files in conflict."""

    clean: bool
    tree: str
    conflicts: tuple[str, ...]


def preview_merge(git: Git, common: str, ours: str, theirs: str) -> Preview:
    """Merge two commits in a scratch repository.

    Raises E_PRECONDITION_FAILED if git is older than 2.38, or an object is missing (a partial clone).
    """
    if git.version < OLDEST:
        shown, wanted = ".".join(map(str, git.version)), ".".join(map(str, OLDEST))
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"git {shown} cannot merge without a working tree: install git {wanted} or newer, or try git merge "
            "--no-commit in one of the worktrees",
        )
    form = git.line("rev-parse", "--show-object-format")
    with tempfile.TemporaryDirectory(prefix="agtmux-") as scratch:
        plain = replace(git, folder=scratch, more={}, filters=())
        plain.run("init", "--quiet", "--template=", f"--object-format={form}", "--initial-branch=main", scratch)
        if os.path.exists(os.path.join(common, "shallow")):
            shutil.copyfile(os.path.join(common, "shallow"), os.path.join(scratch, ".git", "shallow"))
        plain = plain.with_env(GIT_ALTERNATE_OBJECT_DIRECTORIES=_quoted(os.path.join(common, "objects")))
        plain.run("read-tree", ours)
        listed = plain.run("ls-files", "-z").split(b"\0")
        attributes = [one for one in listed if os.path.basename(one) == b".gitattributes"]
        if attributes:  # merges read them from the working tree of ours
            plain.run("checkout-index", "-z", "--stdin", stdin=b"\0".join(attributes) + b"\0")
        done = plain.attempt("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
    if done.returncode not in (0, 1):
        raise failure("merge-tree", done)
    tree, *paths = done.stdout.split(b"\0")
    names = tuple(sorted({os.fsdecode(path) for path in paths if path.strip()}))
    return Preview(done.returncode == 0, tree.decode().strip(), names)


def _quoted(path: str) -> str:
    """Quote a path as git reads it in a list of folders, where a colon would end it."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def changed_since(git: Git, base: str, commit: str) -> list[str]:
    """List the files that differ between two commits."""
    words = ("--name-only", "-z", "--no-ext-diff", "--no-textconv", "--no-renames", "--ignore-submodules=all")
    return [os.fsdecode(one) for one in git.run("diff", *words, base, commit, "--").split(b"\0") if one]


def merge_base(git: Git, ours: str, theirs: str) -> str | None:
    """Return the best common ancestor of two commits. None if there is none."""
    done = git.attempt("merge-base", ours, theirs)
    return done.stdout.decode().split("\n")[0] if done.returncode == 0 else None
