"""Read the user's rules folder, and tell when a changed folder is ready to be read.

Owns the reading of the files: an unchanged file is not read again. Owns the wait for files that are still being
saved. Knows no adapter.
"""

from __future__ import annotations

import enum
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agtmuxd.adapters.settings.text_file import read_text
from agtmuxd.core.model import MS
from agtmuxd.core.screen import rule_file
from agtmuxd.core.screen.rules import RuleSet

MAX_FILE: Final = 1 << 20
"""Bytes of one rules file that are read at most."""
MOST_FILES: Final = 100
"""Rules files that the folder may hold."""

STILL: Final = 300 * MS
"""Time (ns) without a change before the folder is read: an editor saves in steps, a checkout writes several files."""
DOUBT: Final = 1000 * MS
"""Time (ns) after which a wrong or missing file counts as such: some editors first empty a file or move it away."""

Mark = tuple[int, int, int, int, int]
"""Modification time and change time (ns), size, inode and file type. If they differ, the file is read again."""
Marks = Mapping[Path, Mark]


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One file as it was read: either ``rules``, or the error in ``wrong``."""

    mark: Mark
    rules: RuleSet | None
    wrong: str | None


class RuleFolder:
    """The files ``<agent>.toml`` of one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: Mapping[Path, RuleFile] = {}

    def marks(self) -> Marks:
        """Return the mark of each rules file, by one ``stat`` each. Empty if there is no folder.

        Hidden files do not count: editors make them. Raises ValueError if the folder cannot be read, or holds more
        than 100 rules files.
        """
        found: dict[Path, Mark] = {}
        try:
            with os.scandir(self.path) as entries:
                names = [e.name for e in entries if e.name.endswith(".toml") and not e.name.startswith(".")]
        except FileNotFoundError:
            return found
        except OSError as error:
            raise ValueError(f"{self.path}: cannot be read as a folder: {error.strerror}") from error
        if len(names) > MOST_FILES:
            raise ValueError(
                f"{self.path}: holds {len(names)} rules files, but at most {MOST_FILES} are read: remove some"
            )
        for name in sorted(names):
            path = self.path / name
            try:
                at = path.stat()
            except FileNotFoundError:
                if path.is_symlink():
                    found[path] = (0, 0, 0, 0, 0)
            except OSError as error:
                found[path] = (0, 0, 0, 0, error.errno or 1)
            else:
                found[path] = (at.st_mtime_ns, at.st_ctime_ns, at.st_size, at.st_ino, stat.S_IFMT(at.st_mode))
        return found

    def read(self, marks: Marks) -> Mapping[Path, RuleFile]:
        """Read these files. A file with an unchanged mark is not read again. May run in any thread."""
        before = self._read
        after: dict[Path, RuleFile] = {}
        for path, mark in marks.items():
            cached = before.get(path)
            after[path] = cached if cached is not None and cached.mark == mark else _read(path, mark)
        self._read = after
        return after


def _read(path: Path, mark: Mark) -> RuleFile:
    try:
        return RuleFile(mark, rule_file.load(read_text(path, MAX_FILE), str(path), path.stem), None)
    except FileNotFoundError:
        what = "leads to no file" if path.is_symlink() else "is gone"
        return RuleFile(mark, None, f"{path}: {what}")
    except (OSError, ValueError) as error:
        return RuleFile(mark, None, str(error) if str(path) in str(error) else f"{path}: {error}")


class FolderState(enum.Enum):
    """Whether a folder changed since its rules were loaded.

    CHANGING: a change goes on. SETTLED: changed, and then unchanged for ``STILL``. SETTLED_LONG: the same for
    ``DOUBT``, so that a wrong file is no unfinished save.
    """

    UNCHANGED = "unchanged"
    CHANGING = "changing"
    SETTLED = "settled"
    SETTLED_LONG = "settled_long"


class FolderChanges:
    """Tell a finished change of the folder from one that is still going on.

    The caller gives the time, in ns of a monotonic clock, and sets ``taken`` to the marks that it loaded.
    """

    def __init__(self) -> None:
        self.taken: object = None
        self._seen: object = None
        self._since = 0

    def look(self, marks: object, now: int) -> FolderState:
        """Compare ``marks``, read at ``now``, with those that were loaded and those seen before."""
        if marks == self.taken:
            self._seen = marks
            return FolderState.UNCHANGED
        if marks != self._seen:
            self._seen, self._since = marks, now
            return FolderState.CHANGING
        lasted = now - self._since
        return (
            FolderState.SETTLED_LONG
            if lasted >= DOUBT
            else FolderState.SETTLED
            if lasted >= STILL
            else FolderState.CHANGING
        )
