"""Find the projects of folders of this machine. Runs no git: it reads ``.git``, ``HEAD`` and ``commondir``.

Every call may block, as on a network folder whose server is gone: call it by ``patience``. Reads regular files only, of
at most 4 KiB, and reads a file again only if it changed.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import Final

from agtmux.protocol.regular import read_regular
from agtmuxd.core import git_files
from agtmuxd.core.model import NS, Project

_KEPT: Final = 4096
"""Files whose content is remembered, at most."""
_COARSE: Final = NS
"""File times have coarse steps: a file that was written within this time (ns) is read again."""
_MISSING: Final = (errno.ENOENT, errno.ENOTDIR)

_Mark = tuple[int, ...]


class LocalProjects:
    """Remembers the files of all folders that it was asked about."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[_Mark, bytes]] = {}

    def look(self, folder: str) -> Project:
        """Return the project of a folder. An empty one if something on the way cannot be read. May block."""
        try:
            return self._look(folder)
        except (OSError, ValueError):
            return Project()

    def _look(self, folder: str) -> Project:
        here = self._stat(folder)
        if here is None:
            return git_files.missing(folder)
        for parent in git_files.upwards(folder):
            there = self._stat(parent)
            if there is None or there.st_dev != here.st_dev:
                break  # like git, look no further than the file system
            found = self._repository(parent)
            if found is not None:
                return found
        return git_files.outside_git(folder)

    def _repository(self, root: str) -> Project | None:
        """Return the project if a repository begins in this folder. Raises OSError if that cannot be told."""
        dot = os.path.join(root, ".git")
        entry = self._stat(dot)
        if entry is None:
            return self._bare(root)
        folder = stat.S_ISDIR(entry.st_mode)
        git = dot if folder else git_files.git_folder(self._read(dot) or b"", root)
        head = None if git is None else self._head(git)
        if head is None and folder:
            return None  # an empty .git: git looks further up, too
        if git is None or head is None:
            raise OSError(errno.ENOENT, "it names no git folder", dot)
        common = self._read(os.path.join(git, "commondir"))
        return git_files.in_repository(
            root, git, head, None if common is None else git_files.common_folder(common, git)
        )

    def _bare(self, root: str) -> Project | None:
        head = self._head(root)
        if head is None or not git_files.is_head(head):
            return None
        if self._stat(os.path.join(root, "objects")) is None or self._stat(os.path.join(root, "refs")) is None:
            return None
        return git_files.in_repository(root, root, head, None)

    def _head(self, git: str) -> bytes | None:
        """Return the content of HEAD, None if there is none. Very old repositories have a link in its place."""
        path = os.path.join(git, "HEAD")
        try:
            aim = os.readlink(path)  # noqa: PTH115 every two seconds for each agent
        except OSError:
            return self._read(path)
        return f"ref: {aim}\n".encode("utf-8", "replace") if aim.startswith("refs/") else self._read(path)

    def _read(self, path: str) -> bytes | None:
        """Return the content of a small regular file, None if there is none. Raises OSError."""
        found = self._stat(path)
        if found is None:
            return None
        mark = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        known = self._files.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        data = read_regular(path, git_files.MOST)
        if time.time_ns() - found.st_mtime_ns > _COARSE:
            if len(self._files) >= _KEPT:
                self._files.clear()
            self._files[path] = mark, data
        else:
            self._files.pop(path, None)
        return data

    @staticmethod
    def _stat(path: str) -> os.stat_result | None:
        try:
            return os.stat(path)  # noqa: PTH116 every two seconds for each agent
        except OSError as error:
            if error.errno in _MISSING:
                return None
            raise
