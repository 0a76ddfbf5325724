"""Understand the few files by which git names a repository: ``.git``, ``HEAD`` and ``commondir``. Pure.

Owns which name a repository, a branch and a worktree get. ``targets.projects`` and ``targets.local.projects`` read the
files.
"""

from __future__ import annotations

import posixpath
import re
from typing import Final

from agtmux.protocol.text import one_line
from agtmuxd.core.model import Project

MOST: Final = 4096
"""Bytes. No such file is longer; one that is longer is not read."""
DEEPEST: Final = 64
"""Folders above a folder in which a repository is looked for."""
_CHARS: Final = 200
_DELETED: Final = " (deleted)"
_BY_ITSELF: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})")
_REFERS: Final = re.compile(r"ref:\s*(refs/[^\n]+)")
_ELSEWHERE: Final = "refs/heads/.invalid"
"""What HEAD refers to in a repository that keeps its refs in tables (reftable), which agtmux does not read."""


def upwards(folder: str) -> list[str]:
    """Return a folder and those above it, nearest first. ``folder``: an absolute path."""
    out = [posixpath.normpath("/" + folder.lstrip("/"))]
    while out[-1] != "/" and len(out) < DEEPEST:
        out.append(posixpath.dirname(out[-1]))
    return out


def git_folder(link: bytes, folder: str) -> str | None:
    """Return the git folder that the file ``.git`` in ``folder`` names. None if it is no such file."""
    text = _text(link)
    place = text.removeprefix("gitdir:").strip("\n ") if text.startswith("gitdir:") else ""
    return posixpath.join(folder, place) if place and "\0" not in place and "\n" not in place else None


def common_folder(commondir: bytes, git: str) -> str | None:
    """Return the main repository's git folder, as the file ``commondir`` in the git folder of a worktree names it."""
    place = _text(commondir).strip("\n")
    return posixpath.normpath(posixpath.join(git, place)) if place and "\0" not in place and "\n" not in place else None


def is_head(head: bytes) -> bool:
    """Return whether this is the content of a HEAD."""
    text = _text(head).strip()
    return _BY_ITSELF.fullmatch(text) is not None or _REFERS.fullmatch(text) is not None


def branch_of(head: bytes) -> str | None:
    """Return the branch that HEAD names, ``@`` and 7 hex digits if it names a commit, None if neither is known."""
    text = _text(head).strip()
    if _BY_ITSELF.fullmatch(text) is not None:
        return f"@{text[:7]}"
    found = _REFERS.fullmatch(text)
    if found is None or found[1] == _ELSEWHERE:
        return None
    return _line(found[1].removeprefix("refs/heads/").removeprefix("refs/"))


def outside_git(folder: str) -> Project:
    """Name a folder that is in no repository."""
    return Project(_base(folder))


def missing(folder: str) -> Project:
    """Name a folder that no longer exists. Nobody can tell which repository it was in."""
    return Project(_base(folder.removesuffix(_DELETED)))


def in_repository(root: str, git: str, head: bytes, common: str | None) -> Project:
    """Name the repository whose files are in ``root``, and the branch there.

    ``git``: its git folder, equal to ``root`` for a bare repository. ``common``: of the main repository, if this is a
    linked worktree.
    """
    branch = branch_of(head)
    if common is not None:
        return Project(_repository(common), branch, _base(root))
    return Project(_repository(git) if git == root else _base(root), branch)


def _repository(git: str) -> str | None:
    """Return the name of a repository: ``agtmux`` for /src/agtmux/.git, /src/agtmux/.bare and /src/agtmux.git."""
    path = posixpath.normpath(git)
    base, parent = posixpath.basename(path), posixpath.dirname(path)
    if base.startswith(".") and parent != "/":
        return _base(parent)
    return _base(path.removesuffix(".git") if base != ".git" else path)


def _base(folder: str) -> str | None:
    return _line(posixpath.basename(posixpath.normpath(folder)) or "/")


def _line(text: str) -> str | None:
    return one_line(text).strip()[:_CHARS] or None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
