"""What was published, to be told again: cursors, and the stream's short memory with the log behind it.

Owns the ring of the last batches. Does not know the database: what left the ring is asked from the log by ``ReadLog``.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.stream.published import Change

RING: Final = 2048  # batches
RING_CHANGES: Final = 4096  # changes in them, in all scopes: what bounds the memory
PAGE: Final = 500  # log entries read at once for a resuming watcher
_CURSOR = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9]{1,18})")

LogEntry = tuple[int, int, list[Change]]
"""(sequence, committed_at ns, changes of one scope)."""

ReadLog = Callable[[int, str, int], Awaitable[list[LogEntry] | None]]
"""``await read_log(after, scope, limit)``: the oldest ``limit`` entries of ``scope`` with a sequence above ``after``,
in order; sequences without changes in that scope have none. None: something above ``after`` was already purged."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One publication: committed as ``sequence`` (one more than the last) at ``committed_at`` (ns)."""

    sequence: int
    committed_at: int
    changes: Mapping[str, Sequence[Change]]

    @property
    def size(self) -> int:
        return sum(len(some) for some in self.changes.values())


def parse_cursor(text: str) -> tuple[str, int]:
    """(stream_id, sequence). Raises E_CURSOR_INVALID for what is not ``<stream_id>:<sequence>``."""
    match = _CURSOR.fullmatch(text)
    if match is None:
        shown = text if len(text) <= 100 else text[:97] + "..."
        raise AgtmuxError("E_CURSOR_INVALID", f"{shown!r} is not a cursor: use one from a watch line, or leave it out")
    return match[1], int(match[2])


class History:
    """The batches up to ``sequence``, the last one taken in."""

    def __init__(self, sequence: int, read_log: ReadLog, ring: int = RING) -> None:
        self.sequence = sequence
        self._read_log = read_log
        self._ring: deque[Batch] = deque()
        self._ring_limit = ring
        self._held = 0  # changes in the ring

    def add(self, batch: Batch) -> None:
        if self._ring and self._ring[-1].sequence + 1 != batch.sequence:
            self._ring.clear()  # a hole: let the log answer
            self._held = 0
        self.sequence = batch.sequence
        self._ring.append(batch)
        self._held += batch.size
        while len(self._ring) > self._ring_limit or self._held > RING_CHANGES:
            self._held -= self._ring.popleft().size

    def recent(self, after: int) -> list[Batch] | None:
        """All batches after ``after`` out of the ring; None if it does not reach back that far."""
        if after >= self.sequence:
            return []
        if not self._ring or self._ring[0].sequence > after + 1:
            return None
        return [batch for batch in self._ring if batch.sequence > after]

    async def logged(self, scope: str, after: int, until: int) -> AsyncIterator[LogEntry | None]:
        """Entries of the log in order, up to ``until``; None, then the end, where the log was purged."""
        while after < until:
            page = await self._read_log(after, scope, PAGE)
            if page is None:
                yield None
                return
            for entry in page:
                if entry[0] <= until:
                    yield entry
            if len(page) < PAGE:
                return
            after = page[-1][0]
