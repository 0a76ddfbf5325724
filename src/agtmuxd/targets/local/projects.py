"""Find the projects of folders of this machine. Runs no git: it reads ``.git``, ``HEAD`` and ``commondir``.

Every call may block, as on a network folder whose server is gone: call it by ``patience``. Reads regular files only, of
at most 4 KiB.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agtmux.protocol.regular import read_regular
from agtmuxd.core import git_files
from agtmuxd.core.model import NS, Project

ANEW: Final = 10.0
"""Seconds for which only the times of HEAD are looked at. Then everything is looked at anew."""
_KEPT: Final = 4096
"""Folders that are remembered, at most."""
_COARSE: Final = NS
"""File times have coarse steps: a file that was written within this time (ns) is read again."""
_MISSING: Final = (errno.ENOENT, errno.ENOTDIR)

_Mark = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _FolderProject:
    """A folder's project. ``head``: the file that it was read from, None outside git.

    ``mark``: changes with each write to that file; None if it cannot be relied on.
    """

    project: Project
    head: str | None = None
    mark: _Mark | None = None
    until: float = 0.0

    @property
    def lasts(self) -> bool:
        """Whether ``mark`` tells that nothing changed."""
        return self.mark is not None or self.head is None


class LocalProjects:
    """Remembers what it found for each folder, so that a further look costs one system call."""

    def __init__(self, elapsed: Callable[[], float] = time.monotonic) -> None:
        """``elapsed``: seconds since any moment."""
        self._elapsed = elapsed
        self._known: dict[str, _FolderProject] = {}

    def look(self, folder: str) -> Project:
        """Return the project of a folder. An empty one if something on the way cannot be read. May block."""
        now = self._elapsed()
        try:
            known = self._known.get(folder)
            if known is not None and now < known.until and _is_unchanged(known):
                return known.project
            found = _look(folder)
        except (OSError, ValueError):
            found = _FolderProject(Project(), head="", mark=None)
        if not found.lasts:
            self._known.pop(folder, None)
        else:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[folder] = _FolderProject(found.project, found.head, found.mark, now + ANEW)
        return found.project


def _is_unchanged(known: _FolderProject) -> bool:
    if known.head is None:
        return True
    there = _stat(known.head)
    return there is not None and _mark(there) == known.mark


def _look(folder: str) -> _FolderProject:
    """Find the repository of a folder. Raises OSError if something on the way cannot be read."""
    here = _stat(folder)
    if here is None:
        return _FolderProject(git_files.missing(folder))
    for parent in git_files.upwards(folder):
        there = _stat(parent)
        if there is None or there.st_dev != here.st_dev:
            break  # like git, look no further than the file system
        found = _repository(parent)
        if found is not None:
            return found
    return _FolderProject(git_files.outside_git(folder))


def _repository(root: str) -> _FolderProject | None:
    """Return what a repository that begins in this folder is called. Raises OSError if that cannot be told."""
    dot = os.path.join(root, ".git")
    entry = _stat(dot)
    if entry is None:
        return _bare(root)
    folder = stat.S_ISDIR(entry.st_mode)
    git = dot if folder else git_files.git_folder(_read(dot) or b"", root)
    head = None if git is None else _head(git)
    if head is None and folder:
        return None  # an empty .git: git looks further up, too
    if git is None or head is None:
        raise OSError(errno.ENOENT, "it names no git folder", dot)
    named = _read(os.path.join(git, "commondir"))
    common = None if named is None else git_files.common_folder(named, git)
    return _FolderProject(git_files.in_repository(root, git, head[0], common), os.path.join(git, "HEAD"), head[1])


def _bare(root: str) -> _FolderProject | None:
    head = _head(root)
    if head is None or not git_files.is_head(head[0]):
        return None
    if _stat(os.path.join(root, "objects")) is None or _stat(os.path.join(root, "refs")) is None:
        return None
    return _FolderProject(git_files.in_repository(root, root, head[0], None), os.path.join(root, "HEAD"), head[1])


def _head(git: str) -> tuple[bytes, _Mark | None] | None:
    """Return the content of HEAD and its mark, None if there is none. In very old repositories it is a link."""
    path = os.path.join(git, "HEAD")
    there = _stat(path)
    try:
        aim = os.readlink(path)  # noqa: PTH115 seldom, but for each agent
    except OSError:
        aim = ""
    if aim.startswith("refs/"):
        return f"ref: {aim}\n".encode("utf-8", "replace"), None
    if there is None:
        return None
    settled = time.time_ns() - there.st_mtime_ns > _COARSE
    return read_regular(path, git_files.MOST), _mark(there) if settled and not aim else None


def _read(path: str) -> bytes | None:
    """Return the content of a small regular file, None if there is none. Raises OSError."""
    try:
        return read_regular(path, git_files.MOST)
    except OSError as error:
        if error.errno in _MISSING:
            return None
        raise


def _mark(found: os.stat_result) -> _Mark:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 every two seconds for each agent
    except OSError as error:
        if error.errno in _MISSING:
            return None
        raise
