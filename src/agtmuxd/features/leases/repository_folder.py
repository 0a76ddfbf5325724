"""Find the repository that a client names by its git folder, and check that it is one.

The client runs git, the daemon does not: it reads two small files. A folder on a file system that hangs is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import read_regular
from agtmux.protocol.text import one_line
from agtmuxd.core.git_files import MOST, is_head
from agtmuxd.features.leases.model import Scope

_LIMIT: Final = 3.0
"""Seconds that a file system may take."""
_AT_ONCE: Final = 4
"""Threads that read at once: those that hang keep no more from other work."""
_CONFIG_MOST: Final = 1 << 20
_IGNORE_CASE: Final = re.compile(rb"^\s*ignorecase\s*(?:=\s*(true|yes|on|1)\s*)?$", re.I | re.M)


def repo_id(folder: str) -> str:
    """Return the name of a repository of this machine: a digest of the real path of its git folder."""
    return hashlib.sha256(b"local\x1f" + os.fsencode(folder)).hexdigest()[:16]


class RepositoryFolders:
    """Asks the file system."""

    def __init__(self, read: Callable[[str], Scope] | None = None) -> None:
        self._read = read or read_scope
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def find(self, git_dir: str) -> Scope:
        """Return the scope of the repository whose common git folder this is.

        Raises E_INVALID_REQUEST if there is none, and E_UNSUPPORTED if the file system does not answer.
        """
        try:
            async with asyncio.timeout(_LIMIT):
                await self._slots.acquire()
                asking = asyncio.ensure_future(asyncio.to_thread(self._read, git_dir))
                asking.add_done_callback(self._free)
                return await asyncio.shield(asking)
        except TimeoutError:
            text = f"the file system of {one_line(git_dir)[:200]} does not answer: try again"
            raise AgtmuxError("E_UNSUPPORTED", text) from None

    def _free(self, asking: asyncio.Future[Scope]) -> None:
        asking.exception()  # somebody may have stopped waiting for it
        self._slots.release()


def read_scope(git_dir: str) -> Scope:
    """Read the folder at once. ``\\xNN`` in its path is a byte that is not UTF-8. Raises E_INVALID_REQUEST."""
    path = os.fsencode(re.sub(r"\\x([89a-fA-F][0-9a-fA-F])", lambda m: chr(0xDC00 + int(m[1], 16)), git_dir))
    shown = one_line(git_dir)[:200]
    if not path.startswith(b"/") or b"\0" in path:
        raise AgtmuxError("E_INVALID_REQUEST", f"repo.git_dir: {shown!r} is not an absolute path")
    real = os.path.realpath(path)
    try:
        head = read_regular(os.fsdecode(os.path.join(real, b"HEAD")), MOST)
        found = is_head(head) and Path(os.fsdecode(real), "objects").is_dir()
    except OSError:
        found = False
    if not found or os.path.lexists(os.path.join(real, b"commondir")):
        text = f"repo.git_dir: {shown} is not the main git folder of a repository: see git rev-parse --git-common-dir"
        raise AgtmuxError("E_INVALID_REQUEST", text)
    folder = os.fsdecode(real)
    shown_folder = real.decode("utf-8", "backslashreplace")
    return Scope(repo_id(folder), "path", shown_folder, ignore_case=_ignores_case(folder))


def _ignores_case(folder: str) -> bool:
    """Return whether names of files differ in more than case there, as git wrote it into its configuration."""
    try:
        found = _IGNORE_CASE.findall(read_regular(os.path.join(folder, "config"), _CONFIG_MOST))
    except OSError:
        return False
    return bool(found)
