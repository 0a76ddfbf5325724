"""Scan a working tree for conflicts, remember what was found, and resolve one of them.

What was found is kept in git's own folder of the tree, so that an id stays the same until its conflict is resolved, and
a file that changed since then is not written to.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from agtmux.git.markers import Conflict, find_conflicts, resolved
from agtmux.git.obstacles import printable
from agtmux.git.repository import git_folder
from agtmux.git.run import Git
from agtmux.protocol.errors import AgtmuxError

MOST: Final = 10 * 1024 * 1024
"""Bytes of one file that are scanned."""
_FILE: Final = "agtmux-conflicts.json"
_STAGES: Final = {"base": "1", "ours": "2", "theirs": "3"}
_START: Final = "^<{7}"


@dataclass(frozen=True)
class WholeFile:
    """A file in conflict without markers: a binary file, or one that a side deleted. ``sides``: those there are."""

    conflict_id: str
    path: str
    sides: tuple[str, ...]


@dataclass
class Scan:
    """What was found. ``truncated``: files that are too large to be scanned whole. ``digests``: of scanned files."""

    top: str
    conflicts: list[Conflict] = field(default_factory=list)
    whole: list[WholeFile] = field(default_factory=list)
    truncated: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> list[str]:
        """Return the files that hold a conflict."""
        return sorted({*(one.path for one in self.conflicts), *(one.path for one in self.whole)})


def scan(git: Git, top: str) -> Scan:
    """Scan the working tree at ``top``, and remember the result."""
    with _locked(top) as store:
        found = _scan(git, top, _read(store))
        _save(store, found)
    return found


def _scan(git: Git, top: str, before: dict[str, Any]) -> Scan:
    out = Scan(top)
    unmerged = _unmerged(git)
    for path in sorted({*_candidates(git), *unmerged}):
        data, cut = _content(os.path.join(top, path))
        known = [_conflict(path, one) for one in before.get("files", {}).get(path, {}).get("conflicts", ())]
        blocks = find_conflicts(path, data, known) if data is not None else []
        if blocks or (cut and path not in unmerged):
            out.digests[path] = _digest(data or b"")
        out.conflicts += [] if cut else blocks
        if cut:
            out.truncated.append(path)
        elif path in unmerged and not blocks and (data is None or b"\0" in data[:8000] or len(unmerged[path]) < 3):
            sides = tuple(name for name, stage in _STAGES.items() if stage in unmerged[path])
            out.digests[path] = _digest(data or b"")
            out.whole.append(WholeFile(f"f{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}", path, sides))
    return out


def _candidates(git: Git) -> list[str]:
    """List the files, tracked or not, that have a first marker."""
    done = git.attempt(
        "grep", "--no-color", "--untracked", "--text", "--files-with-matches", "-z", "-E", "-e", _START, "--"
    )
    if done.returncode not in (0, 1):
        raise AgtmuxError("E_PRECONDITION_FAILED", f"git grep failed in {git.folder}: see git status there")
    return [os.fsdecode(one) for one in done.stdout.split(b"\0") if one]


def _unmerged(git: Git) -> dict[str, dict[str, str]]:
    """Return the id of each stage of the files in conflict."""
    out: dict[str, dict[str, str]] = {}
    for one in git.run("ls-files", "--unmerged", "-z").split(b"\0"):
        head, _, path = one.partition(b"\t")
        if head:
            _, oid, stage = head.decode().split()
            out.setdefault(os.fsdecode(path), {})[stage] = oid
    return out


def _content(path: str) -> tuple[bytes | None, bool]:
    """Return the first bytes of a regular file, and whether there are more. None: no regular file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None, False
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None, False
        data = file.read(MOST + 1)
    return data[:MOST], len(data) > MOST


def resolve(git: Git, top: str, conflict_id: str, choice: str, content: bytes | None) -> tuple[str, int]:
    """Resolve one conflict of the last scan. Return its file, and how many conflicts that file has left.

    ``choice``: ``ours``, ``theirs``, ``base``, ``both``, or ``file`` for ``content``. Raises E_NOT_FOUND, and
    E_PRECONDITION_FAILED if the file changed since the scan, or has no such side.
    """
    with _locked(top) as store:
        before = _read(store)
        path, entry = _entry(before, conflict_id)
        data, cut = _content(os.path.join(top, path))
        if cut or _digest(data or b"") != entry["digest"]:
            raise AgtmuxError(
                "E_PRECONDITION_FAILED", f"{printable(path)} changed since the scan: run agtmux conflict list again"
            )
        if conflict_id.startswith("f"):
            new = content if choice == "file" and content is not None else _stage(git, path, choice)
        else:
            one = next(_conflict(path, c) for c in entry["conflicts"] if c["id"] == conflict_id)
            full = next(c for c in find_conflicts(path, data or b"", [_conflict(path, x) for x in entry["conflicts"]])
                        if c.conflict_id == one.conflict_id)  # fmt: skip
            side = content if choice == "file" else full.side(choice)
            if side is None:
                raise AgtmuxError(
                    "E_PRECONDITION_FAILED",
                    f"{conflict_id} shows no base: choose another side, or run git checkout --conflict=diff3",
                )
            new = resolved(data or b"", full, side)
        _replace(os.path.join(top, path), new)
        known = [_conflict(path, c) for c in entry["conflicts"] if c["id"] != conflict_id]
        left = find_conflicts(path, new, known)
        before["files"][path] = _entry_of(_digest(new), left)
        before["whole"].pop(conflict_id, None)
        _write(store, before)
    return path, len(left)


def show(top: str, conflict_id: str) -> tuple[str, Conflict | None]:
    """Return the file of a conflict of the last scan, and the block (None for a whole file). Raises E_NOT_FOUND."""
    with _locked(top) as store:
        path, entry = _entry(_read(store), conflict_id)
    data, _ = _content(os.path.join(top, path))
    known = [_conflict(path, one) for one in entry["conflicts"]]
    return path, next((c for c in find_conflicts(path, data or b"", known) if c.conflict_id == conflict_id), None)


def _stage(git: Git, path: str, choice: str) -> bytes:
    oid = _unmerged(git).get(path, {}).get(_STAGES.get(choice, ""))
    if oid is None:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"{printable(path)} has no side {choice} to take whole: choose another, or use git rm if it should go",
        )
    return git.run("cat-file", "blob", oid)


def _replace(path: str, data: bytes) -> None:
    """Write a file anew, with its mode. Raises E_PRECONDITION_FAILED; then it is as it was."""
    folder = os.path.dirname(path)
    scratch = None
    try:
        mode = stat.S_IMODE(os.lstat(path).st_mode) if os.path.lexists(path) else 0o644
        fd, scratch = tempfile.mkstemp(prefix=".agtmux-", dir=folder)
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.chmod(scratch, mode)
        os.replace(scratch, path)
    except OSError as error:
        if scratch is not None:
            with contextlib.suppress(OSError):
                os.unlink(scratch)
        raise AgtmuxError("E_PRECONDITION_FAILED", f"{printable(path)} is unchanged: {error.strerror}") from None


# ---------------------------------------------------------------- what is remembered


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def _locked(top: str) -> Iterator[str]:
    """Lock the memory of a tree, and give the path of its file."""
    path = os.path.join(git_folder(top), _FILE)
    try:
        fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AgtmuxError("E_FORBIDDEN", f"{path} cannot be written to: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield path
    finally:
        os.close(fd)


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            value = json.loads(file.read())
    except (OSError, ValueError):
        value = None
    return value if isinstance(value, dict) and "files" in value else {"files": {}, "whole": {}}


def _save(path: str, found: Scan) -> None:
    files: dict[str, Any] = {}
    for name, digest in found.digests.items():
        files[name] = _entry_of(digest, [one for one in found.conflicts if one.path == name])
    _write(path, {"files": files, "whole": {one.conflict_id: one.path for one in found.whole}})


def _write(path: str, value: dict[str, Any]) -> None:
    with open(f"{path}.new", "w", encoding="ascii") as file:
        json.dump(value, file)
    os.replace(f"{path}.new", path)


def _entry_of(digest: str, conflicts: list[Conflict]) -> dict[str, Any]:
    texts = [
        {
            "id": one.conflict_id,
            "ours": _text(one.ours),
            "base": None if one.base is None else _text(one.base),
            "theirs": _text(one.theirs),
            "labels": [one.ours_label, one.theirs_label],
        }
        for one in conflicts
    ]
    return {"digest": digest, "conflicts": texts}


def _text(data: bytes) -> str:
    return data.decode("latin-1")


def _conflict(path: str, one: dict[str, Any]) -> Conflict:
    base = None if one["base"] is None else one["base"].encode("latin-1")
    ours, theirs = one["ours"].encode("latin-1"), one["theirs"].encode("latin-1")
    return Conflict(one["id"], path, 0, 0, 0, ours, base, theirs, *one["labels"])


def _entry(memory: dict[str, Any], conflict_id: str) -> tuple[str, dict[str, Any]]:
    if re.fullmatch(r"[cf][0-9a-f]{8}", conflict_id):
        for path, entry in memory["files"].items():
            if memory["whole"].get(conflict_id) == path or any(c["id"] == conflict_id for c in entry["conflicts"]):
                return path, entry
    raise AgtmuxError("E_NOT_FOUND", f"there is no conflict {conflict_id[:40]!r} here: run agtmux conflict list")
