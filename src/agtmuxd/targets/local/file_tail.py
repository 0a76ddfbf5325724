"""Read the end of a file that grows line by line, within limits, and only below its folder.

Owns how a transcript file is opened and how much of it is read. Blocks, so call it in a thread; only ``has_changed`` is
for the event loop. Knows no agent. Reads only files of this machine: behind ssh each read would be a round trip for
what hooks and screen show as well.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FIRST: Final = 256 * 1024
"""Bytes read from the end of a file at the first read. Older lines are skipped as history."""
PIECE: Final = 1024 * 1024
"""Bytes read at a time. A longer line is skipped."""
LEAP: Final = 8 * 1024 * 1024
"""Bytes. A file that grew by more since the last read is read like a new file, from near its end."""
MOST: Final = 500
"""Files that ``files_since`` returns at most."""
FOLDERS: Final = 20
"""Folders whose files are listed: those that changed last."""
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # do not block on a FIFO


class NotAllowedError(Exception):
    """The file may not be read: it is outside its folder, behind a link, another user's, or no regular file."""


def open_inside(root: str, path: str) -> int:
    """Open a regular file of this user below ``root``, without following links below it. Return its descriptor.

    Raises NotAllowedError, OSError.
    """
    below = _below(root, path)
    at = os.open(root, _FOLDER)
    try:
        for name in below[:-1]:
            deeper = _open_at(name, _FOLDER | os.O_NOFOLLOW, at)
            os.close(at)
            at = deeper
        fd = _open_at(below[-1], _FILE, at)
    finally:
        os.close(at)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid():
        os.close(fd)
        raise NotAllowedError(f"{path} is not a regular file of this user")
    return fd


def _open_at(name: str, flags: int, at: int) -> int:
    try:
        return os.open(name, flags, dir_fd=at)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise NotAllowedError(f"{name} is a link") from error
        if error.errno == errno.ENOTDIR and stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            raise NotAllowedError(f"{name} is a link") from error
        raise


def _below(root: str, path: str) -> tuple[str, ...]:
    """Return the names from ``root`` down to ``path``. Agents write the folder's given path or its real path."""
    wanted = Path(path)
    for top in dict.fromkeys((Path(root), Path(os.path.realpath(root)))):
        if wanted.is_relative_to(top):
            names = wanted.relative_to(top).parts
            if names and ".." not in names:
                return names
    raise NotAllowedError(f"{path} is not in {root}")


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines, oldest first, each with the byte offset at which it begins.

    ``met``: the file was not read before, or was replaced, cut or skipped. ``more``: more can be read at once.
    """

    lines: tuple[tuple[int, bytes], ...]
    met: bool
    more: bool


class Tail:
    """Read one file, each time from where the last read ended."""

    def __init__(self, root: str, path: str) -> None:
        self.path = path
        self._root = root
        self._mark: tuple[int, int, int] | None = None
        self._inode: int | None = None
        self._offset = 0
        self._skipping = False  # inside a line that is skipped

    def has_changed(self) -> bool:
        """Return, by one ``stat``, whether ``read`` may return something. That is cheaper than a call in a thread."""
        try:
            found = os.stat(self.path, follow_symlinks=False)  # noqa: PTH116 several times a second per agent
        except OSError as error:
            return error.errno not in _GONE or self._inode is not None
        return (found.st_ino, found.st_size, found.st_mtime_ns) != self._mark

    def read(self) -> Piece | None:
        """Return what was added since the last call; None if nothing was, or there is no file.

        A file that was replaced or cut is read like a new file. Raises NotAllowedError, OSError.
        """
        mark = self._look()
        if mark is None or mark == self._mark:
            return None
        try:
            fd = open_inside(self._root, self.path)
        except OSError as error:
            self._mark = None
            if error.errno in _GONE:
                return None
            raise
        try:
            found = os.fstat(fd)
            piece = self._read_on(fd, found.st_ino, found.st_size)
            self._mark = None if piece.more else (found.st_ino, found.st_size, found.st_mtime_ns)
            return piece
        finally:
            os.close(fd)

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self.path, follow_symlinks=False)  # noqa: PTH116 several times a second per agent
        except OSError as error:
            if error.errno not in _GONE:
                raise
            self._mark = self._inode = None  # the next file may get the same inode number
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _read_on(self, fd: int, inode: int, size: int) -> Piece:
        met = inode != self._inode or size < self._offset or size - self._offset > LEAP
        if met:
            self._inode, self._offset = inode, max(0, size - FIRST)
            self._skipping = self._offset > 0  # most likely inside a line
            if self._skipping:
                self._offset -= 1  # unless the byte before ended a line
        data = os.pread(fd, PIECE, self._offset)
        start = self._offset
        if self._skipping:
            end = data.find(b"\n") + 1
            if not end:
                self._offset += len(data)
                return Piece((), met, self._offset < size)
            self._skipping = False
            start, data = start + end, data[end:]
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) >= PIECE:
            self._skipping, self._offset = True, start + len(data)
            return Piece((), met, self._offset < size)
        lines = []
        at = start
        for line in data[:whole].split(b"\n")[:-1]:
            if line.strip():
                lines.append((at, line))
            at += len(line) + 1
        self._offset = start + whole
        return Piece(tuple(lines), met, whole > 0 and self._offset < size and len(data) + start < size)


def first_line(root: str, path: str) -> bytes | None:
    """Return the first line of a file, None while it is not complete. Raises NotAllowedError, OSError."""
    fd = open_inside(root, path)
    try:
        data = os.pread(fd, PIECE, 0)
    finally:
        os.close(fd)
    line, sep, _ = data.partition(b"\n")
    return line if sep else None


def files_since(folder: str, depth: int, since: int) -> list[str]:
    """Return ``*.jsonl`` files below a folder written at or after ``since`` (ns), newest first, at most 500.

    Descends ``depth`` levels of folders. If all folders of a level have numbers as names (years, months, days), uses
    only the two that sort last. Of the folders found, uses the 20 that changed last. Follows no links.
    """
    latest = sorted(_folders(folder, depth), reverse=True)[:FOLDERS]
    found = [(_changed(e), e.path) for _, path in latest for e in _entries(path) if e.name.endswith(".jsonl")]
    return [path for at, path in sorted(found, reverse=True) if at >= since][:MOST]


def _folders(folder: str, depth: int, changed: int = 0) -> Iterator[tuple[int, str]]:
    """Yield ``(changed, path)`` of the folders that hold the files."""
    if not depth:
        yield changed, folder
        return
    below = [e for e in _entries(folder) if e.is_dir(follow_symlinks=False)]
    if all(e.name.isdigit() for e in below):
        below = sorted(below, key=lambda e: e.name)[-2:]
    for entry in below:
        yield from _folders(entry.path, depth - 1, _changed(entry))


def _changed(entry: os.DirEntry[str]) -> int:
    """Return when an entry was changed (ns), 0 if it has gone since it was listed."""
    try:
        return entry.stat(follow_symlinks=False).st_mtime_ns
    except FileNotFoundError:
        return 0


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        if error.errno in _GONE or error.errno == errno.EACCES:
            return []
        raise
