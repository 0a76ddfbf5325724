"""The user's rules folder: which rules files are in it, what each says, and when one that is being changed can be read.

Owns the reading, anew only of what changed, and the patience with files that are being saved. Knows no adapter.
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
MOST_FILES: Final = 100

STILL: Final = 300 * MS
"""How long a folder has to stay as it is before it is read: an editor writes in steps, a checkout several files."""
DOUBT: Final = 1000 * MS
"""How long a file has to be wrong, or gone, before that is believed: some editors empty it, or move it away, first."""

Mark = tuple[int, int, int, int, int]
"""When a file was last written and changed (ns), its size, inode and kind: another one is another text."""
Marks = Mapping[Path, Mark]


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One file as it was read: its rules, or else what is wrong with it."""

    mark: Mark
    rules: RuleSet | None
    wrong: str | None


class RuleFolder:
    """The files ``<agent>.toml`` of one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: Mapping[Path, RuleFile] = {}

    def marks(self) -> Marks:
        """The rules files that are there, by a stat of each: none where there is no folder. Hidden files are none (an
        editor's own). Raises ValueError where the folder cannot be read, or holds too many."""
        found: dict[Path, Mark] = {}
        try:
            with os.scandir(self.path) as entries:
                names = [e.name for e in entries if e.name.endswith(".toml") and not e.name.startswith(".")]
        except FileNotFoundError:
            return found
        except OSError as error:
            raise ValueError(f"{self.path}: cannot be read as a folder: {error.strerror}") from error
        if len(names) > MOST_FILES:
            raise ValueError(f"{self.path}: holds {len(names)} rules files, no more than {MOST_FILES} are read")
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
        """What these files say; those of an unchanged mark as they were read before. May run in any thread."""
        before = self._read
        after: dict[Path, RuleFile] = {}
        for path, mark in marks.items():
            held = before.get(path)
            after[path] = held if held is not None and held.mark == mark else _read(path, mark)
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
    """How a folder is. CALM: as it was taken in. MOVING: being changed. STILL: changed, and as it is for a moment now;
    LONG: for so long that what is wrong in it is no unfinished save."""

    CALM = "calm"
    MOVING = "moving"
    STILL = "still"
    LONG = "long"


class FolderChanges:
    """Tells a change that is over from one that is being made. Time is an argument: ns of a clock that only runs on."""

    def __init__(self) -> None:
        self.taken: object = None
        self._seen: object = None
        self._since = 0

    def look(self, marks: object, now: int) -> FolderState:
        """``marks``: as they are now."""
        if marks == self.taken:
            self._seen = marks
            return FolderState.CALM
        if marks != self._seen:
            self._seen, self._since = marks, now
            return FolderState.MOVING
        lasted = now - self._since
        return FolderState.LONG if lasted >= DOUBT else FolderState.STILL if lasted >= STILL else FolderState.MOVING
