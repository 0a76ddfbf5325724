"""Name the tmux buffers that texts are pasted from, and remove those that a crash left.

A name carries a mark made with the daemon's key. So the daemon can tell its own buffers from a user's and from those of
another daemon, on any server and after any restart. One daemon runs per key. A buffer is left over if no action of this
daemon holds it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from agtmuxd.targets.executor import ExecutorError, ProgramResult
from agtmuxd.tmux import keys

_NAME: Final = re.compile(r"agtmux-([0-9a-f]{12})-([0-9a-f]{16})")
_AT_ONCE: Final = 64
"""Buffers that one command removes at most."""


class Buffers:
    def __init__(self, key: bytes) -> None:
        self._key = key
        self._held: set[str] = set()
        self.due: set[str] = set()
        """Targets on which a buffer may have been left: not looked at yet, or an action there did not end well."""

    @contextmanager
    def one(self, target_id: str) -> Iterator[str]:
        """Yield a new buffer name. It is held until the end of the block."""
        number = os.urandom(6).hex()
        name = f"agtmux-{number}-{self._mark(number)}"
        self._held.add(name)
        try:
            yield name
        except BaseException:
            self.due.add(target_id)
            raise
        finally:
            self._held.discard(name)

    def is_leftover(self, name: str) -> bool:
        """Return whether a buffer of this name is ours and no action holds it."""
        found = _NAME.fullmatch(name)
        return found is not None and name not in self._held and hmac.compare_digest(found[2], self._mark(found[1]))

    def _mark(self, number: str) -> str:
        return hmac.new(self._key, b"buffer " + number.encode(), hashlib.sha256).hexdigest()[:16]

    async def remove_leftovers(self, tmux: Callable[[Sequence[str]], Awaitable[ProgramResult]]) -> int:
        """Remove the buffers left on a server and return how many there were. ``tmux`` runs a command. Raises
        ExecutorError.
        """
        listed = await tmux(keys.list_buffers("agtmux-*"))
        left = [name for name in listed.stdout.decode("utf-8", "replace").split("\n") if self.is_leftover(name)]
        for at in range(0, len(left), _AT_ONCE):
            drop = keys.join([keys.delete_buffer(name) for name in left[at : at + _AT_ONCE]])
            done = await tmux(drop)
            if done.returncode:
                raise ExecutorError("lost", f"tmux did not remove a buffer: {done.stderr.decode('utf-8', 'replace')}")
        return len(left)
