"""Find what was published after a cursor: in a ring of the last batches, or else in the stream log.

Owns the ring and the form of a cursor. Does not know the database: ``ReadLog`` reads the log.
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
RING_CHANGES: Final = 4096  # changes in the ring, in all scopes: this limits its memory
PAGE: Final = 500  # log entries read at once for a resuming watcher
_CURSOR = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9]{1,18})")

LogEntry = tuple[int, int, list[Change]]
"""(sequence, committed_at ns, changes of one scope)."""

ReadLog = Callable[[int, str, int], Awaitable[list[LogEntry] | None]]
"""``await read_log(after, scope, limit)``: the oldest ``limit`` entries of ``scope`` with a sequence above ``after``,
in order. Sequences without changes in that scope have no entry. None: entries above ``after`` were purged."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One publication, committed as ``sequence`` (one more than the last) at ``committed_at`` (ns)."""

    sequence: int
    committed_at: int
    changes: Mapping[str, Sequence[Change]]

    @property
    def size(self) -> int:
        """How many changes it holds, in all scopes."""
        return sum(len(some) for some in self.changes.values())


def parse_cursor(text: str) -> tuple[str, int]:
    """Parse a cursor to (stream_id, sequence). Raises E_CURSOR_INVALID unless it is ``<stream_id>:<sequence>``."""
    match = _CURSOR.fullmatch(text)
    if match is None:
        shown = text if len(text) <= 100 else text[:97] + "..."
        raise AgtmuxError("E_CURSOR_INVALID", f"{shown!r} is not a cursor: use one from a watch line, or leave it out")
    return match[1], int(match[2])


class History:
    """The published batches up to ``sequence``, which is the newest."""

    def __init__(self, sequence: int, read_log: ReadLog, ring: int = RING) -> None:
        self.sequence = sequence
        self._read_log = read_log
        self._ring: deque[Batch] = deque()
        self._ring_limit = ring
        self._ring_changes = 0  # changes in the ring

    def add(self, batch: Batch) -> None:
        """Add a batch to the ring, and drop the oldest ones past its limits."""
        if self._ring and self._ring[-1].sequence + 1 != batch.sequence:
            self._ring.clear()  # a sequence is missing: use the log for older ones
            self._ring_changes = 0
        self.sequence = batch.sequence
        self._ring.append(batch)
        self._ring_changes += batch.size
        while len(self._ring) > self._ring_limit or self._ring_changes > RING_CHANGES:
            self._ring_changes -= self._ring.popleft().size

    def recent(self, after: int) -> list[Batch] | None:
        """Give all batches after sequence ``after`` from the ring; None if the ring does not reach back that far."""
        if after >= self.sequence:
            return []
        if not self._ring or self._ring[0].sequence > after + 1:
            return None
        return [batch for batch in self._ring if batch.sequence > after]

    async def logged(self, scope: str, after: int, until: int) -> AsyncIterator[LogEntry | None]:
        """Yield entries of the log in order, up to ``until``. Yields None and stops if needed entries were purged."""
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
