"""List every file of a worktree that is only there, with a digest of its bytes. Reads only.

A capture names one exact state of a worktree: two captures are equal only if nothing changed in between.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from agtmux.git.obstacles import covered, printable
from agtmux.git.tree_state import Place, TreeState
from agtmux.protocol.errors import AgtmuxError

_PIECE = 1 << 20


class FileFact(NamedTuple):
    """One entry. ``room``: ``files`` (the working tree) or ``git`` (git's own folder for it). ``kind``: ``file``,
    ``link``, ``folder``, or ``absent`` for a file that git expects. ``digest``: SHA-256 of the bytes or of the target.
    """

    room: str
    path: str
    kind: str
    mode: int
    digest: str

    @property
    def member(self) -> str:
        """Return its name in the archive."""
        return f"{self.room}/{self.path}"


@dataclass(frozen=True)
class Capture:
    """What is only in a worktree. ``ignored``: the ignored files that are in it."""

    head: str | None
    branch: str | None
    index: str
    files: tuple[FileFact, ...]
    ignored: tuple[str, ...]
    stashes: tuple[str, ...]
    operations: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Return a digest of the whole state."""
        text = json.dumps(asdict(self), ensure_ascii=True, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def capture(place: Place, state: TreeState, ignored: Iterable[str] | None) -> Capture:
    """List what is only in this worktree.

    ``ignored``: names of ignored files and folders to include; None: all. Raises E_PRECONDITION_FAILED if a file cannot
    be read.
    """
    names = None if ignored is None else list(ignored)
    chosen = [path for path in state.ignored if names is None or covered(path, names)]
    whole = [*state.nested, *(path for path, _ in state.submodules)]
    facts: dict[tuple[str, str], FileFact] = {}
    single = [change.path for change in state.changes] + list(state.hidden) + chosen
    for path in single:
        if path.rstrip("/") not in whole:
            _add(facts, _fact("files", place.folder, path.rstrip("/")))
    for path in whole:
        for fact in _walk("files", place.folder, path):
            _add(facts, fact)
    if state.submodules:
        for fact in _walk("git", place.admin, "modules"):
            _add(facts, fact)
    return Capture(
        state.head, state.branch, state.index, tuple(sorted(facts.values())), tuple(sorted(chosen)),
        tuple(one.commit for one in state.stashes), state.operations,
    )  # fmt: skip


def _add(facts: dict[tuple[str, str], FileFact], fact: FileFact) -> None:
    facts[fact.room, fact.path] = fact


def _walk(room: str, root: str, start: str) -> Iterator[FileFact]:
    """Yield everything in a folder, and the folder."""

    def stop(error: OSError) -> None:
        raise _unreadable(str(error.filename), error)

    for folder, folders, files in os.walk(os.path.join(root, start), onerror=stop):
        yield _fact(room, root, os.path.relpath(folder, root))
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in (*files, *links):
            yield _fact(room, root, os.path.relpath(os.path.join(folder, name), root))


def _fact(room: str, root: str, path: str) -> FileFact:
    """Read one entry. It follows no link, neither at the end of ``path`` nor on the way."""
    full = os.path.join(root, path)
    try:
        if _behind_link(root, path):
            return FileFact(room, path, "absent", 0, "")
        info = os.lstat(full)
        mode = stat.S_IMODE(info.st_mode)
        if stat.S_ISLNK(info.st_mode):
            target = os.fsencode(os.readlink(full))
            return FileFact(room, path, "link", 0o777, hashlib.sha256(target).hexdigest())
        if stat.S_ISDIR(info.st_mode):
            return FileFact(room, path, "folder", mode, "")
        if not stat.S_ISREG(info.st_mode):
            raise AgtmuxError(
                "E_PRECONDITION_FAILED", f"{printable(full)} is a pipe, a socket or a device: move it away"
            )
        return FileFact(room, path, "file", mode, digest_of(full))
    except (FileNotFoundError, NotADirectoryError):
        return FileFact(room, path, "absent", 0, "")
    except OSError as error:
        raise _unreadable(full, error) from None


def _behind_link(root: str, path: str) -> bool:
    above = os.path.dirname(path)
    while above:
        if os.path.islink(os.path.join(root, above)):
            return True
        above = os.path.dirname(above)
    return False


def _unreadable(path: str, error: OSError) -> AgtmuxError:
    return AgtmuxError(
        "E_PRECONDITION_FAILED", f"{printable(path)} cannot be read ({error.strerror}): correct its permissions"
    )


def digest_of(path: str) -> str:
    """Return the SHA-256 of a file. Raises OSError."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def fact_item(fact: FileFact) -> dict[str, Any]:
    """Convert to JSON. ``path`` is exact: bytes that are no text are lone surrogates."""
    return fact._asdict()
