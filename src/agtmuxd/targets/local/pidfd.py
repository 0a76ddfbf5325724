"""Report at once when a process of this machine ends.

Owns one pidfd per watched process. Does nothing on systems without pidfd: the process table shows the end later.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from agtmuxd.targets.local import process_table

LIMIT: Final = 512
"""Most processes that are watched. The next process table shows the end of the others."""


class PidWatcher:
    """Call ``on_exit(pid, start)`` once, in the event loop, when a watched process ends."""

    def __init__(self, on_exit: Callable[[int, str], None], *, limit: int = LIMIT) -> None:
        self._on_exit = on_exit
        self._limit = limit
        self._fds: dict[tuple[int, str], int] = {}
        self.available = hasattr(os, "pidfd_open") and process_table.have_proc()

    def __len__(self) -> int:
        return len(self._fds)

    def watch(self, pid: int, start: str) -> bool:
        """Watch one process. Return False if that is not possible. If it has ended, the next loop turn reports it."""
        key = (pid, start)
        if key in self._fds:
            return True
        if not self.available or len(self._fds) >= self._limit:
            return False
        loop = asyncio.get_running_loop()
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            loop.call_soon(self._on_exit, pid, start)
            return True
        except OSError:
            return False
        proc = process_table.read_one(pid)  # read after opening: the descriptor cannot be of a later process
        if proc is None or proc.start != start:
            os.close(fd)
            loop.call_soon(self._on_exit, pid, start)
            return True
        self._fds[key] = fd
        loop.add_reader(fd, self._ended, key)
        return True

    def forget(self, pid: int, start: str) -> None:
        """Stop watching a process. Does nothing if it is not watched."""
        fd = self._fds.pop((pid, start), None)
        if fd is not None:
            asyncio.get_running_loop().remove_reader(fd)
            os.close(fd)

    def close(self) -> None:
        """Stop watching all processes. Call it in the event loop. Idempotent."""
        for pid, start in tuple(self._fds):
            self.forget(pid, start)

    def _ended(self, key: tuple[int, str]) -> None:
        self.forget(*key)
        self._on_exit(*key)
