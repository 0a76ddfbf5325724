"""Read everything that would be lost with a worktree: changes, also hidden ones, repositories inside, stashes.

Reads only. Whatever git cannot answer is an error, so that the caller keeps the worktree.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from typing import NamedTuple

from agtmux.git.repository import admin_folder, git_folder
from agtmux.git.run import Git, without_own_filters
from agtmux.protocol.errors import AgtmuxError

_OPERATIONS = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase or am",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
    "sequencer": "sequence of picks",
}
_STASH = re.compile(r"(?:WIP on|On) (.*?): ")
_NO_BRANCH = "(no branch)"
_GITLINK = b"160000"


class Change(NamedTuple):
    """One line of git's status: the two letters and the path."""

    code: str
    path: str


class Stash(NamedTuple):
    commit: str
    message: str


@dataclass(frozen=True)
class TreeState:
    """What is in one worktree, or in one submodule of it, and nowhere else.

    ``hidden``: changed files that git was made to overlook (assume-unchanged, skip-worktree). ``nested``: folders that
    are repositories of their own. ``submodules``: by path, those with changes or with commits that no remote has, and
    what is in them. ``lone_head``: HEAD is a commit that no branch and no tag reaches.
    """

    folder: str
    admin: str
    head: str | None
    branch: str | None
    index: str
    changes: tuple[Change, ...] = ()
    ignored: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    submodules: tuple[tuple[str, str], ...] = ()
    has_submodules: bool = False
    operations: tuple[str, ...] = ()
    stashes: tuple[Stash, ...] = ()
    lone_head: bool = False
    own_refs: tuple[str, ...] = ()
    busy: bool = False


@dataclass(frozen=True)
class Place:
    """A working tree to read, wherever its files are now. ``git`` has GIT_DIR and GIT_WORK_TREE set."""

    git: Git
    folder: str
    admin: str
    common: str


def place_of(git: Git, path: str, common: str) -> Place:
    """Return how to read the worktree at ``path``. Raises E_PRECONDITION_FAILED if git does not know it as one."""
    admin = admin_folder(path, common)
    found = without_own_filters(git.at(path)).with_env(GIT_DIR=admin, GIT_WORK_TREE=path)
    return Place(found, path, admin, common)


def moved(place: Place, folder: str) -> Place:
    """Return the same place after its files were moved to ``folder``."""
    git = place.git.at(folder).with_env(GIT_DIR=place.admin, GIT_WORK_TREE=folder)
    return Place(git, folder, place.admin, place.common)


def read_tree(place: Place) -> TreeState:
    """Read a worktree. Raises AgtmuxError for whatever cannot be read."""
    git = place.git
    head = _head(git)
    branch = _branch(git)
    listed = git.run("ls-files", "--stage", "-z")
    changes, ignored = _status(git)
    links = [os.fsdecode(e.partition(b"\t")[2]) for e in listed.split(b"\0") if e.startswith(_GITLINK)]
    populated = [path for path in links if os.path.lexists(os.path.join(place.folder, path, ".git"))]
    dirty = [(path, what) for path in populated if (what := _submodule(git, os.path.join(place.folder, path)))]
    return TreeState(
        place.folder, place.admin, head, branch, hashlib.sha256(listed).hexdigest(), tuple(changes), tuple(ignored),
        tuple(_hidden(place)), tuple(_nested(place.folder, populated)), tuple(dirty),
        bool(populated) or os.path.isdir(os.path.join(place.admin, "modules")),
        tuple(dict.fromkeys(v for k, v in _OPERATIONS.items() if os.path.lexists(os.path.join(place.admin, k)))),
        tuple(_stashes(git, branch)), head is not None and not _is_reachable(git, place.common, head),
        tuple(git.run("for-each-ref", "--format=%(refname)", "refs/worktree").decode().split()),
        os.path.lexists(os.path.join(place.admin, "index.lock")),
    )  # fmt: skip


def _head(git: Git) -> str | None:
    done = git.attempt("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if done.returncode == 0:
        return done.stdout.decode().strip()
    if _branch(git) is None:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"HEAD of {git.folder} cannot be read: see git status there")
    return None


def _branch(git: Git) -> str | None:
    """Return the branch that HEAD names, None for a detached HEAD."""
    done = git.attempt("symbolic-ref", "--quiet", "HEAD")
    if done.returncode > 1:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"HEAD of {git.folder} cannot be read: see git status there")
    return os.fsdecode(done.stdout).strip().removeprefix("refs/heads/") if done.returncode == 0 else None


def _status(git: Git) -> tuple[list[Change], list[str]]:
    raw = git.run(
        "status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignored=traditional", "--no-renames",
        "--ignore-submodules=dirty",
    )  # fmt: skip
    changes, ignored = [], []
    for one in raw.split(b"\0"):
        code, path = os.fsdecode(one[:2]), os.fsdecode(one[3:])
        if code == "!!":
            ignored.append(path)
        elif code:
            changes.append(Change(code, path))
    return changes, ignored


def _hidden(place: Place) -> list[str]:
    """List the files with changes among those that git was made to overlook."""
    listed = place.git.run("ls-files", "-v", "-z").split(b"\0")
    flagged = [one[2:] for one in listed if one[:1].islower() or one[:1] == b"S"]
    there = [one for one in flagged if os.path.lexists(os.path.join(os.fsencode(place.folder), one))]
    if not there:
        return []
    with tempfile.TemporaryDirectory(prefix="agtmux-") as scratch:
        copy = os.path.join(scratch, "index")
        shutil.copyfile(os.path.join(place.admin, "index"), copy)
        git = place.git.with_env(GIT_INDEX_FILE=copy)
        names = b"\0".join(there) + b"\0"
        for option in ("--no-assume-unchanged", "--no-skip-worktree"):
            git.run("update-index", option, "-z", "--stdin", stdin=names)
        git.attempt("update-index", "-q", "--refresh")  # exit status 1 says that files differ
        differ = set(git.run("diff-files", "--name-only", "--ignore-submodules=all", "-z").split(b"\0"))
    return [os.fsdecode(one) for one in there if one in differ]


def _nested(top: str, submodules: list[str]) -> list[str]:
    """List the folders below ``top``, other than submodules, that have a ``.git``. Git hides what is in there."""
    found = []
    known = {os.path.join(top, path) for path in submodules}

    def stop(error: OSError) -> None:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", f"{error.filename} cannot be read ({error.strerror}): correct its permissions"
        )

    for folder, folders, files in os.walk(top, onerror=stop):
        if folder in known:
            folders.clear()
        elif any(name.lower() == ".git" for name in (*folders, *files)):
            if folder != top:
                found.append(os.path.relpath(folder, top))
                folders.clear()
            else:
                folders[:] = [name for name in folders if name.lower() != ".git"]
    return found


def _submodule(git: Git, folder: str) -> str:
    """Say what is only in this submodule. Empty: nothing. Its repository would go with the worktree."""
    admin = git_folder(folder)
    inner = without_own_filters(git.at(folder, GIT_DIR=admin, GIT_WORK_TREE=folder))
    changes, ignored = _status(inner)
    if changes or ignored:
        return f"{len(changes) + len(ignored)} changed, untracked or ignored files"
    if _nested(folder, []):
        return "repositories inside"
    heads = ["HEAD"] if _head(inner) else []
    if inner.run("rev-list", "--max-count=1", "--all", *heads, "--not", "--remotes").strip():
        return "commits that no remote has"
    doing = [what for name, what in _OPERATIONS.items() if os.path.lexists(os.path.join(admin, name))]
    return f"a {doing[0]} in progress" if doing else ""


def _stashes(git: Git, branch: str | None) -> list[Stash]:
    if git.attempt("rev-parse", "--verify", "--quiet", "refs/stash").returncode:
        return []
    raw = git.run("log", "-g", "--no-show-signature", "--format=%H %gs", "refs/stash", "--")
    out = []
    for line in raw.decode("utf-8", "surrogateescape").splitlines():
        commit, _, message = line.partition(" ")
        found = _STASH.match(message)
        if found is not None and found[1] == (branch or _NO_BRANCH):
            out.append(Stash(commit, message))
    return out


def _is_reachable(git: Git, common: str, commit: str) -> bool:
    """Return whether a ref that stays reaches this commit."""
    listed = git.at(common, GIT_DIR=common).run(
        "for-each-ref", "--count=1", "--format=%(refname)", f"--contains={commit}", "refs/heads", "refs/tags",
        "refs/remotes", "refs/agtmux",
    )  # fmt: skip
    return bool(listed.strip())
