"""Make calls that may block for ever, such as reading a network folder whose server is gone.

Each batch of calls has a thread of its own. A call that takes too long is given up with its thread, and the others go
on in a new one. Nothing waits for such a thread: not the event loop, and not the end of the daemon.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")

LIMIT: Final = 2.0
"""Seconds that one call may take."""
HUNG_MOST: Final = 4
"""Threads that hang at once. With so many, no further call is made until one returns."""
_MOUNTS: Final = "/proc/self/mountinfo"


class Patience(Generic[T]):
    """Call ``call`` with paths. Remembers which of them hang."""

    def __init__(self, call: Callable[[str], T], *, limit: float = LIMIT, mounts: str = _MOUNTS) -> None:
        """``call``: runs in a thread, and raises nothing. ``mounts``: the system's list of mounts."""
        self._call = call
        self._limit = limit
        self._mounts = mounts
        self._hung: list[_Worker[T]] = []

    @property
    def hung(self) -> list[str]:
        """The paths whose calls have not returned."""
        return [worker.at for worker in self._hung if worker.is_alive()]

    async def call_all(self, paths: Sequence[str]) -> dict[str, T]:
        """Return the result by path. A path whose call hangs is left out, and so are those on the same mount."""
        self._hung = [worker for worker in self._hung if worker.is_alive()]
        left, out = self._without_hung(paths), {}
        while left and len(self._hung) < HUNG_MOST:
            worker = _Worker(self._call, left, asyncio.get_running_loop())
            worker.start()
            while not await worker.ended(self._limit):
                if worker.stalled():
                    break
            out.update(worker.out)
            if worker.over.is_set():
                break
            worker.given_up = True
            self._hung.append(worker)
            left = self._without_hung([path for path in left if path not in out])
        return out

    def _without_hung(self, paths: Sequence[str]) -> list[str]:
        if not self._hung:
            return list(paths)
        mounts = self._mount_points()
        bad = {_mount_of(worker.at, mounts) for worker in self._hung}
        return [path for path in paths if _mount_of(path, mounts) not in bad]

    def _mount_points(self) -> frozenset[str]:
        try:
            with open(self._mounts, encoding="utf-8", errors="replace") as file:
                words = [line.split(" ") for line in file]
        except OSError:
            return frozenset()
        return frozenset(some[4].replace("\\040", " ") for some in words if len(some) > 4) - {"/"}


def _mount_of(path: str, mounts: frozenset[str]) -> str:
    """Return the mount point of a path, the path itself if it is the root's or not known."""
    place = path
    while place not in mounts and place.strip("/"):
        place = place.rstrip("/").rpartition("/")[0]
    return place if place in mounts else path


class _Worker(threading.Thread, Generic[T]):
    """Makes the calls of one batch, one after another."""

    def __init__(self, call: Callable[[str], T], paths: Sequence[str], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="folders", daemon=True)
        self._work, self._paths, self._loop = call, paths, loop
        self._seen = -1
        self.out: dict[str, T] = {}
        self.over = asyncio.Event()
        self.at = ""
        self.given_up = False

    def run(self) -> None:
        for path in self._paths:
            if self.given_up:
                return
            self.at = path
            self.out[path] = self._work(path)
        try:
            self._loop.call_soon_threadsafe(self.over.set)
        except RuntimeError:
            return  # the daemon has stopped meanwhile

    async def ended(self, seconds: float) -> bool:
        """Wait until all calls were made, at most so long. Return whether they were."""
        try:
            async with asyncio.timeout(seconds):
                await self.over.wait()
        except TimeoutError:
            return False
        return True

    def stalled(self) -> bool:
        """Return whether no call returned since this was asked last."""
        seen, self._seen = self._seen, len(self.out)
        return seen == self._seen
