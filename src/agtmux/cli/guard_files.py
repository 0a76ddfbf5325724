"""List the files that a commit or a push changes, by git itself, without a limit on what their names hold.

A file that was renamed counts twice: its old name is gone, its new one is there. In a merge only what differs from
every parent counts: the rest is somebody's finished work.
"""

from __future__ import annotations

import os
from pathlib import Path

from agtmux.cli.git_repo import Repo, git, paths
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_DIFF = ("-z", "--name-only", "--no-renames", "--ignore-submodules=none")


def staged(repo: Repo) -> list[bytes]:
    """Return the files that the next commit changes. ``GIT_INDEX_FILE`` counts, as in hooks."""
    try:
        found = _changed(repo, "HEAD")
    except AgtmuxError:
        if _commit("HEAD", repo) is not None:
            raise
        found = _changed(repo, _empty_tree(repo))  # the first commit
    for parent in _merged(repo) if found else ():
        found &= _changed(repo, parent)
    return sorted(found)


def pushed(repo: Repo, lines: bytes) -> list[bytes]:
    """Return the files of the commits that a push sends. ``lines``: what git gives to ``pre-push``."""
    found: set[bytes] = set()
    for line in lines.splitlines():
        words = line.split()
        if len(words) == 4 and words[1].strip(b"0"):
            old = words[3].decode("ascii", "replace")
            known = [f"^{old}"] if old.strip("0") and _commit(old, repo) else []
            new = words[1].decode("ascii", "replace")
            commits = git("rev-list", new, *known, "--not", "--remotes", cwd=repo.top)
            listed = git("diff-tree", "--stdin", "-r", "--root", "--no-commit-id", *_DIFF, cwd=repo.top, data=commits)
            found |= set(paths(listed))
    return sorted(found)


def names_of(path: bytes) -> Iterable[bytes]:
    """Yield where a path leads: the path with real folders, and the real file behind a link."""
    folder, name = os.path.split(os.path.abspath(path))
    plain = os.path.join(os.path.realpath(folder), name)
    yield plain
    real = os.path.realpath(path)
    if real != plain:
        yield real


def nearest_folder(path: bytes) -> bytes:
    """Return the nearest folder above a path that is there."""
    folder = os.path.dirname(path)
    while not Path(os.fsdecode(folder)).is_dir() and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder


def _changed(repo: Repo, tree: str) -> set[bytes]:
    return set(paths(git("diff-index", "--cached", *_DIFF, tree, "--", cwd=repo.top)))


def _commit(name: str, repo: Repo) -> str | None:
    try:
        return git("rev-parse", "-q", "--verify", f"{name}^{{commit}}", cwd=repo.top).decode().strip()
    except AgtmuxError:
        return None


def _empty_tree(repo: Repo) -> str:
    return git("hash-object", "-t", "tree", "--stdin", cwd=repo.top).decode().strip()


def _merged(repo: Repo) -> list[str]:
    """Return the other parents of a merge that is about to be committed."""
    place = git("rev-parse", "--git-path", "MERGE_HEAD", cwd=repo.top).rstrip(b"\n")
    try:
        with open(os.path.join(repo.top, place), "rb") as file:
            return file.read(1 << 16).decode("ascii", "replace").split()
    except FileNotFoundError:
        return []
