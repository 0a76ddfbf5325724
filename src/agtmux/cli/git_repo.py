"""Find the git repository around a folder, and write its paths as the daemon reads them.

Owns the calls of git for leases and the guard: each has a time limit. Knows no lease.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import NamedTuple

    class Repo(NamedTuple):
        """A repository. ``common``: its common git folder. ``top``: of the worktree. ``prefix``: the folder below it.

        ``prefix`` is empty at the top, and ends with a slash elsewhere.
        """

        common: bytes
        top: bytes
        prefix: bytes

else:
    from collections import namedtuple

    Repo = namedtuple("Repo", "common top prefix")

SECONDS = 5.0
"""For one call of git."""
_SPECIAL = frozenset("*?[]{}\\")


def git(*arguments: str | bytes, cwd: bytes | str = ".", data: bytes | None = None) -> bytes:
    """Run git and return what it prints. Raises E_PRECONDITION_FAILED if it fails, is missing or takes too long."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=cwd, capture_output=True, check=False, timeout=SECONDS, input=data or b""
        )
    except subprocess.TimeoutExpired:
        text = f"git {_text(arguments[0])} took more than {SECONDS:g} s: try again"
        raise AgtmuxError("E_PRECONDITION_FAILED", text) from None
    except OSError as error:
        if not Path(os.fsdecode(cwd)).is_dir():
            raise AgtmuxError(
                "E_PRECONDITION_FAILED", f"there is no folder {os.fsdecode(cwd)}: check its path"
            ) from None
        raise AgtmuxError("E_PRECONDITION_FAILED", f"git cannot be run ({error.strerror}): install it") from None
    if done.returncode:
        why = " ".join(_text(done.stderr).split())[:300] or f"exit status {done.returncode}"
        raise AgtmuxError("E_PRECONDITION_FAILED", f"git {_text(arguments[0])} failed: {why}")
    return done.stdout


def find(folder: bytes | str = ".") -> Repo | None:
    """Return the repository around a folder. None if there is none, or it has no worktree."""
    try:
        lines = git("rev-parse", "--git-common-dir", "--show-toplevel", "--show-prefix", cwd=folder).split(b"\n")
    except AgtmuxError as error:
        if "not a git repository" in error.message or "must be run in a work tree" in error.message:
            return None
        raise
    if len(lines) != 4:
        raise AgtmuxError("E_UNSUPPORTED", "the path of this repository holds a newline: move it elsewhere")
    common = os.path.realpath(os.path.join(os.fsencode(folder), lines[0]))
    return Repo(common, lines[1], lines[2])


def required() -> Repo:
    """Return the repository around the current folder. Raises E_PRECONDITION_FAILED if there is none."""
    found = find()
    if found is None:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", "this folder is in no git repository with files: go to one, or give --name"
        )
    return found


def body(repo: Repo) -> dict[str, str]:
    """Return the repository as requests name it."""
    return {"git_dir": repo.common.decode("utf-8", "backslashreplace")}


def escape(path: bytes) -> str:
    r"""Write a path so that none of its characters is special, and bytes that are not UTF-8 become ``\xNN``."""
    text = path.decode("utf-8", "surrogateescape")
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in _plain(text))


def pattern(text: str, repo: Repo) -> str:
    """Return a pattern that the user gave in the current folder as one from the top of the repository."""
    names = [name for name in repo.prefix.split(b"/") if name]
    while names and (text == ".." or text.startswith("../")):
        names.pop()
        text = text[3:] or "."
    top = os.fsdecode(repo.top).rstrip("/") + "/"
    if text.startswith(top):
        return _bytes_of(text[len(top) :]) or "."
    if text.startswith("/") or not names:
        return _bytes_of(text)
    return f"{escape(b'/'.join(names))}/{_bytes_of(text)}"


def paths(output: bytes) -> list[bytes]:
    """Return the paths that git printed with ``-z``."""
    return [path for path in output.split(b"\0") if path]


def chunks(items: Sequence[str], most: int, chars: int) -> Iterable[list[str]]:
    """Yield the items in lists of at most ``most`` items and about ``chars`` characters."""
    out: list[str] = []
    size = 0
    for item in items:
        if out and (len(out) >= most or size + len(item) > chars):
            yield out
            out, size = [], 0
        out.append(item)
        size += len(item) + 8
    if out:
        yield out


def _plain(text: str) -> Iterable[str]:
    """Yield characters; control characters and odd bytes as marks that ``escape`` leaves alone."""
    for char in text:
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            yield f"\\x{code - 0xDC00:02x}"
        elif code < 0x20 or code == 0x7F:
            yield f"\\x{code:02x}"
        else:
            yield char


def _bytes_of(text: str) -> str:
    return "".join(_plain(text))


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
