"""Serve one reader of the stream: its position, its bounded backlog, and the order of its lines.

A reader gets a snapshot or a replay first, then each publication, and a reset if it was too slow. Does not know HTTP:
it yields lines.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.listing import Filter, Scope
from agtmuxd.stream.changes import NetChanges, recount, visible
from agtmuxd.stream.channel import Channel
from agtmuxd.stream.coordination import changes_in
from agtmuxd.stream.history import History, LogEntry, parse_cursor
from agtmuxd.stream.published import Change

BACKLOG_LINES: Final = 1024
BACKLOG_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much may wait for a slow watcher."""

    lines: int = BACKLOG_LINES
    bytes: int = BACKLOG_BYTES


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """The parameters of a watcher. ``interval`` and ``heartbeat`` in seconds; interval 0: one line per publication."""

    scope: str = str(Scope.PANES)
    wanted: Filter = field(default_factory=Filter)
    cursor: str | None = None
    interval: float = 0.0
    heartbeat: float | None = None
    once: bool = False


class Watcher:
    """One reader of the stream: ``lines()`` yields whole lines, each ending in a newline, as fast as it takes them.

    Lines that it has not taken yet wait in a bounded backlog. Past the bound the backlog is dropped, and the reader
    gets a reset (``slow_consumer``) and a snapshot instead. ``at``: the sequence up to which it has got everything.
    """

    def __init__(
        self,
        channel: Channel,
        request: WatchRequest,
        history: History,
        backlog: Backlog,
        left: Callable[[Watcher], None],
    ) -> None:
        """``left``: called when the watcher leaves."""
        self.request = request
        self.at = 0
        self._channel = channel
        self._history = history
        self._limit = backlog
        self._left = left
        self._closing = False
        self._wake = asyncio.Event()
        self._backlog: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._pending = NetChanges()
        self._reset: str | None = None  # why a reset is due; a snapshot follows it
        self._snapshot = False
        self._replay: _Replay | None = None

    @property
    def merges(self) -> bool:
        """See Listener."""
        return bool(self.request.interval)

    def push(self, sequence: int, line: bytes) -> None:
        """See Listener. Past the bound of its backlog, it starts over with a reset."""
        if self._reset or self._snapshot:
            return  # a snapshot is due, which will hold this
        self._backlog.append((sequence, line))
        self._bytes += len(line)
        over = len(self._backlog) > self._limit.lines or self._bytes > self._limit.bytes
        if over and len(self._backlog) > 1:  # one large line alone does not mean that the reader is slow
            self._start_over("slow_consumer")
        self._wake.set()

    def collect(self, changes: Iterable[Change]) -> None:
        """See Listener. The number of rows bounds what is kept."""
        if not (self._reset or self._snapshot):
            self._pending.add(changes)
            self._wake.set()

    def end(self) -> None:
        """See Listener."""
        self._closing = True
        self._wake.set()

    async def begin(self) -> None:
        """Go to the position of the cursor. Raises E_CURSOR_INVALID; for one-shot requests also E_CURSOR_EXPIRED."""
        cursor, view = self.request.cursor, self._channel.view
        if cursor is None:
            self._snapshot = True
            return
        stream_id, sequence = parse_cursor(cursor)
        if stream_id != view.stream_id:
            self._expired("other_stream", "is of another stream (another database)")
            return
        if sequence > view.sequence:
            raise AgtmuxError(
                "E_CURSOR_INVALID",
                f"cursor {cursor} is ahead of the stream, which is at {view.sequence}: leave the cursor out",
            )
        self.at = sequence
        replay = _Replay(self._history, self._channel, sequence)
        if not await replay.prepare():
            self._expired("cursor_expired", "is older than the kept log")
        elif self.request.interval:
            caught_up = NetChanges()
            async for entry in replay.entries():
                if entry is None:
                    self._expired("cursor_expired", "is older than the kept log")
                    return
                caught_up.add(entry[2])
            caught_up.extend(self._pending)
            self._pending = caught_up
        else:
            self._replay = replay

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Yield the lines. Ends after the answer to a one-shot request, or with a last reset (``shutdown``)."""
        clock = asyncio.get_running_loop().time
        flushed = beat = clock() - self.request.interval
        if self._replay is not None:
            async for line in self._replayed(self._replay):
                yield line
            beat = clock()
        while True:
            self._wake.clear()
            for line in self._restart():
                yield line
                beat = clock()
            if self._backlog:
                self.at, line = self._backlog.popleft()
                self._bytes -= len(line)
                yield line
                beat = clock()
                continue
            ending = self._closing or self.request.once
            if self._pending and (ending or clock() - flushed >= self.request.interval):
                flushed = clock()
                line_or_none = self._merged()
                if line_or_none is not None:
                    yield line_or_none
                    beat = flushed
                continue
            if self._reset or self._snapshot:
                continue  # the backlog overflowed while the reader took a line
            if not self._pending:
                self.at = self._channel.view.sequence
            if self.request.once:
                return
            if self._closing:
                yield self._channel.reset(self.at, "shutdown")
                return
            heartbeat = self.request.heartbeat
            if heartbeat is not None and not self._pending and clock() - beat >= heartbeat:
                yield self._channel.heartbeat()
                beat = clock()
                continue
            await self._sleep(clock(), flushed, beat)

    def close(self) -> None:
        """End this watcher. Idempotent."""
        self._left(self)

    async def _replayed(self, replay: _Replay) -> AsyncIterator[bytes]:
        async for entry in replay.entries():
            if entry is None:  # purged during the replay
                self._start_over("cursor_expired")
                break
            sequence, committed_at, changes = entry
            recount(replay.tally, changes, self._channel.wanted)
            seen = visible(changes, self._channel.wanted)
            self.at = sequence
            if seen:
                yield self._channel.delta(sequence, committed_at, seen, replay.tally)
            if self._reset:
                break  # its backlog overflowed: the snapshot contains the rest of the replay
        self._replay = None

    def _restart(self) -> Iterable[bytes]:
        if self._reset:
            reason, self._reset = self._reset, None
            self._snapshot = True
            yield self._channel.reset(self.at, reason)
        if self._snapshot:
            self._snapshot = False
            self.at = self._channel.view.sequence
            yield self._channel.snapshot()

    def _merged(self) -> bytes | None:
        changes = self._pending.take(self._channel.wanted)
        self.at = self._channel.view.sequence
        return self._channel.delta(self.at, None, changes, self._channel.tally) if changes else None

    async def _sleep(self, now: float, flushed: float, beat: float) -> None:
        due = []
        if self._pending:
            due.append(flushed + self.request.interval)
        elif self.request.heartbeat is not None:
            due.append(beat + self.request.heartbeat)
        try:
            async with asyncio.timeout(max(0.0, min(due) - now) if due else None):
                await self._wake.wait()
        except TimeoutError:
            return

    def _expired(self, reason: str, why: str) -> None:
        if self.request.once:
            raise AgtmuxError("E_CURSOR_EXPIRED", f"cursor {self.request.cursor} {why}: ask again without a cursor")
        self._start_over(reason)

    def _start_over(self, reason: str) -> None:
        self._backlog.clear()
        self._bytes = 0
        self._pending = NetChanges()
        self._reset = reason
        self._wake.set()


class _Replay:
    """The entries between a cursor and the moment a watcher connected, from the ring or else from the log."""

    def __init__(self, history: History, channel: Channel, after: int) -> None:
        self.tally = channel.tally.copy()  # ``prepare`` counts it back to ``after``
        self._channel = channel
        self._after = after
        self._until = history.sequence
        self._history = history
        self._ring = history.recent(after)

    async def prepare(self) -> bool:
        """Count the tally back to the cursor. False: the log no longer reaches back that far."""
        async for entry in self.entries():
            if entry is None:
                return False
            recount(self.tally, entry[2], self._channel.wanted, -1)
        return True

    async def entries(self) -> AsyncIterator[LogEntry | None]:
        """Yield entries in order. Yields None and stops if needed entries were purged."""
        if self._ring is None:
            async for entry in self._history.logged(self._channel.scope, self._after, self._until):
                yield entry
            return
        for batch in self._ring:
            changes = changes_in(batch.changes, self._channel.scope)
            if changes:
                yield batch.sequence, batch.committed_at, changes
