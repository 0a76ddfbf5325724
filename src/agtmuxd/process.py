"""File locks that name their holder: one daemon per runtime folder, one per database.

Owns taking a lock, and taking it again where its file was deleted. Knows nothing of sockets.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import open_regular


class Lock:
    """A lock on the file ``path``. The lock itself counts, never that the file exists. ``what`` it guards, in words."""

    def __init__(self, path: str, what: str) -> None:
        self.path = path
        self._what = what
        self._fd: int | None = None

    def take(self) -> None:
        """Raises E_PRECONDITION_FAILED with the pid of the daemon that holds it, E_FORBIDDEN for no regular file."""
        holder = self._try()
        if holder is not None:
            raise AgtmuxError(
                "E_PRECONDITION_FAILED", f"agtmuxd runs already for {self._what}, pid {holder}: agtmux daemon status"
            )

    def stands(self) -> bool:
        """Whether the file at the path is still the one that is locked."""
        return self._fd is not None and _is_at(self._fd, self.path)

    def keep(self) -> str | None:
        """Take the lock again if its file was deleted or replaced; the pid of another daemon that has it now, or None.

        The old lock is held until then. Raises OSError, E_FORBIDDEN.
        """
        return None if self.stands() else self._try()

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _try(self) -> str | None:
        while True:
            try:
                fd = open_regular(self.path, os.O_RDWR | os.O_CREAT)
            except OSError as error:
                text = f"{self.path} cannot be locked: {error.strerror}"
                raise AgtmuxError("E_FORBIDDEN", text) from error
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(fd)
                return holder
            if _is_at(fd, self.path):
                break
            os.close(fd)  # it was deleted between the opening and the lock, which then guards nothing
        os.ftruncate(fd, 0)
        with suppress(OSError):  # a full disk: it is held all the same, and names nobody
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self.release()
        self._fd = fd
        return None


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except OSError:
        return False
