"""Fan-out: tells every watcher what was published, in order, without ever waiting for one.

Owns the stream's short memory (a ring of the last batches), cursors, and the watchers with their bounded backlogs.
Does not know the database: what left the ring is asked from the log by ``ReadLog``. Does not know HTTP: a watcher gives
lines.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from agtmux.protocol.errors import SCHEMA_VERSION, AgtmuxError
from agtmuxd.core.json_codec import encode, stamp
from agtmuxd.core.listing import Filter, Scope, Tally
from agtmuxd.stream.published import Change, Identity, View, name_of, same

RING: Final = 2048  # batches
RING_CHANGES: Final = 4096  # changes in them, in all scopes: what bounds the memory
BACKLOG_LINES: Final = 1024
BACKLOG_BYTES: Final = 2 * 1024 * 1024
WATCHERS: Final = 256
"""At once, where nobody says how many."""
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


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """What a watcher asked for. ``interval`` and ``heartbeat`` in seconds; interval 0: a line per publication."""

    scope: str = str(Scope.PANES)
    wanted: Filter = field(default_factory=Filter)
    cursor: str | None = None
    interval: float = 0.0
    heartbeat: float | None = None
    once: bool = False


def parse_cursor(text: str) -> tuple[str, int]:
    """(stream_id, sequence). Raises E_CURSOR_INVALID for what is not ``<stream_id>:<sequence>``."""
    match = _CURSOR.fullmatch(text)
    if match is None:
        shown = text if len(text) <= 100 else text[:97] + "..."
        raise AgtmuxError("E_CURSOR_INVALID", f"{shown!r} is no cursor: take one from a watch line, or leave it out")
    return match[1], int(match[2])


def visible(changes: Iterable[Change], wanted: Filter) -> list[Change]:
    """The changes that a watcher with this filter must hear of; a row that no longer matches is gone for it."""
    out = []
    for change in changes:
        if change.now is not None and wanted.matches(change.now):
            out.append(change)
        elif change.was is not None and wanted.matches(change.was):
            out.append(replace(change, op="delete", item=None, now=None))
    return out


def recount(tally: Tally, changes: Iterable[Change], wanted: Filter, sign: int = 1) -> None:
    """Bring a filtered tally over ``changes``, forward (1) or back (-1)."""
    for change in changes:
        if change.was is not None and wanted.matches(change.was):
            tally.add(change.was, -sign)
        if change.now is not None and wanted.matches(change.now):
            tally.add(change.now, sign)


class Merged:
    """The net effect of changes in a row, one per identity; what came and went in between vanishes."""

    def __init__(self) -> None:
        self._net: dict[Identity, Change] = {}

    def __bool__(self) -> bool:
        return bool(self._net)

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            name = name_of(change.identity)
            first = self._net.pop(name, None)
            if first is not None:
                change = replace(change, was=first.was, before=first.before)  # the newest content, the oldest past
            self._net[name] = change

    def extend(self, later: Merged) -> None:
        self.add(later._net.values())

    def take(self, wanted: Filter) -> list[Change]:
        """The visible net changes; empties the collection."""
        net, self._net = self._net, {}
        return [change for change in visible(net.values(), wanted) if not _says_nothing(change)]


def _says_nothing(change: Change) -> bool:
    return change.item is not None and change.before is not None and same(change.item, change.before)


class Channel:
    """All watchers of one scope and filter: their lines are written once and their summary is kept by counting."""

    def __init__(self, hub: Hub, scope: str, wanted: Filter) -> None:
        self.scope = scope
        self.wanted = wanted
        self.echo = wanted.echo()
        self.tally = hub.view.tally(scope, wanted)
        self.watchers: set[Watcher] = set()
        self._hub = hub

    def publish(self, batch: Batch) -> None:
        changes = batch.changes.get(self.scope)
        if not changes:
            return
        seen = visible(changes, self.wanted)
        if not seen:
            return
        recount(self.tally, changes, self.wanted)
        line: bytes | None = None
        for watcher in self.watchers:
            if watcher.request.interval:
                watcher.collect(changes)
            else:
                line = line or self.delta(batch.sequence, batch.committed_at, seen, self.tally)
                watcher.push(batch.sequence, line)

    def snapshot(self) -> bytes:
        items = self._hub.view.select(self.scope, self.wanted, "target")
        return self._line("snapshot", self._hub.view.sequence, None, self.tally, {"items": items})

    def delta(self, sequence: int, committed_at: int | None, changes: Iterable[Change], tally: Tally) -> bytes:
        told = [self._told(change) for change in changes]
        return self._line("delta", sequence, committed_at, tally, {"changes": told})

    def reset(self, sequence: int, reason: str) -> bytes:
        return self._line("reset", sequence, None, self.tally, {"reason": reason})

    def heartbeat(self) -> bytes:
        return self._line("heartbeat", self._hub.view.sequence, None, self.tally, {})

    def _told(self, change: Change) -> dict[str, Any]:
        if change.item is None:
            return {"op": "delete", "identity": change.identity}
        return {"op": "upsert", "identity": change.identity, "item": self._hub.view.served(change.item)}

    def _line(self, kind: str, sequence: int, made_at: int | None, tally: Tally, more: dict[str, Any]) -> bytes:
        now = self._hub.now()
        stream_id = self._hub.view.stream_id
        line = {
            "schema_version": SCHEMA_VERSION,
            "generated_at": stamp(now if made_at is None else made_at),
            "emitted_at": stamp(now),
            "stream_id": stream_id,
            "cursor": f"{stream_id}:{sequence}",
            "scope": self.scope,
            "type": kind,
            "sequence": sequence,
            "filters": self.echo,
            "summary": tally.summary(),
            **more,
        }
        return encode(line) + b"\n"


class Watcher:
    """One reader of the stream: ``lines()`` gives it whole lines, each ending in a newline, as fast as it takes them.

    What it has not taken yet waits in a bounded backlog; past the bound that is dropped and the reader gets a reset
    (``slow_consumer``) and a snapshot instead. ``at`` is the sequence that it has been told up to.
    """

    def __init__(self, hub: Hub, channel: Channel, request: WatchRequest) -> None:
        self.request = request
        self.at = 0
        self._hub = hub
        self._channel = channel
        self._wake = asyncio.Event()
        self._backlog: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._pending = Merged()
        self._reset: str | None = None  # why a reset is due; a snapshot follows it
        self._snapshot = False
        self._replay: _Replay | None = None

    def push(self, sequence: int, line: bytes) -> None:
        """Queue a line (called by the channel; never waits)."""
        if self._reset or self._snapshot:
            return  # a snapshot is due, which will hold this
        self._backlog.append((sequence, line))
        self._bytes += len(line)
        over = len(self._backlog) > self._hub.backlog_lines or self._bytes > self._hub.backlog_bytes
        if over and len(self._backlog) > 1:  # one large line alone is nobody's slowness
            self._start_over("slow_consumer")
        self._wake.set()

    def collect(self, changes: Iterable[Change]) -> None:
        """Take changes for the next merged line (called by the channel; bounded by the number of rows)."""
        if not (self._reset or self._snapshot):
            self._pending.add(changes)
            self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    async def begin(self) -> None:
        """Find the place that the cursor names. Raises E_CURSOR_INVALID; one-shot requests also E_CURSOR_EXPIRED."""
        cursor, view = self.request.cursor, self._hub.view
        if cursor is None:
            self._snapshot = True
            return
        stream_id, sequence = parse_cursor(cursor)
        if stream_id != view.stream_id:
            self._expired("other_stream", "is of another stream (another database)")
            return
        if sequence > view.sequence:
            raise AgtmuxError(
                "E_CURSOR_INVALID", f"cursor {cursor} is ahead of the stream, which is at {view.sequence}"
            )
        self.at = sequence
        replay = _Replay(self._hub, self._channel, sequence)
        if not await replay.prepare():
            self._expired("cursor_expired", "is older than the kept log")
        elif self.request.interval:
            caught_up = Merged()
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
        """The stream. Ends after a one-shot request's answer, or with a terminal reset (``shutdown``)."""
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
            ending = self._hub.closing or self.request.once
            if self._pending and (ending or clock() - flushed >= self.request.interval):
                flushed = clock()
                line_or_none = self._merged()
                if line_or_none is not None:
                    yield line_or_none
                    beat = flushed
                continue
            if self._reset or self._snapshot:
                continue  # the backlog ran over while a line was being taken
            if not self._pending:
                self.at = self._hub.view.sequence
            if self.request.once:
                return
            if self._hub.closing:
                yield self._channel.reset(self.at, "shutdown")
                return
            heartbeat = self.request.heartbeat
            if heartbeat is not None and not self._pending and clock() - beat >= heartbeat:
                yield self._channel.heartbeat()
                beat = clock()
                continue
            await self._sleep(clock(), flushed, beat)

    def leave(self) -> None:
        """End this watcher. Idempotent."""
        self._hub.leave(self._channel, self)

    async def _replayed(self, replay: _Replay) -> AsyncIterator[bytes]:
        async for entry in replay.entries():
            if entry is None:  # purged under our feet
                self._start_over("cursor_expired")
                break
            sequence, committed_at, changes = entry
            recount(replay.tally, changes, self._channel.wanted)
            seen = visible(changes, self._channel.wanted)
            self.at = sequence
            if seen:
                yield self._channel.delta(sequence, committed_at, seen, replay.tally)
            if self._reset:
                break  # its backlog ran over meanwhile: the rest of the replay is in the snapshot
        self._replay = None

    def _restart(self) -> Iterable[bytes]:
        if self._reset:
            reason, self._reset = self._reset, None
            self._snapshot = True
            yield self._channel.reset(self.at, reason)
        if self._snapshot:
            self._snapshot = False
            self.at = self._hub.view.sequence
            yield self._channel.snapshot()

    def _merged(self) -> bytes | None:
        changes = self._pending.take(self._channel.wanted)
        self.at = self._hub.view.sequence
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
        self._pending = Merged()
        self._reset = reason
        self._wake.set()


class _Replay:
    """What lies between a cursor and the moment a watcher came, from the ring or else from the log."""

    def __init__(self, hub: Hub, channel: Channel, after: int) -> None:
        self.tally = channel.tally.copy()  # brought back to ``after`` by prepare
        self._channel = channel
        self._after = after
        self._until = hub.view.sequence
        self._read_log = hub.read_log
        self._ring = hub.recent(after)

    async def prepare(self) -> bool:
        """Count back to the cursor. False: the log no longer reaches back that far."""
        async for entry in self.entries():
            if entry is None:
                return False
            recount(self.tally, entry[2], self._channel.wanted, -1)
        return True

    async def entries(self) -> AsyncIterator[LogEntry | None]:
        """Entries in order; None, then the end, where the log was purged."""
        if self._ring is not None:
            for batch in self._ring:
                changes = batch.changes.get(self._channel.scope)
                if changes:
                    yield batch.sequence, batch.committed_at, list(changes)
            return
        after = self._after
        while after < self._until:
            page = await self._read_log(after, self._channel.scope, PAGE)
            if page is None:
                yield None
                return
            for entry in page:
                if entry[0] <= self._until:
                    yield entry
            if len(page) < PAGE:
                return
            after = page[-1][0]


class Hub:
    """The one publisher. Single-threaded: every method is called in the event loop."""

    def __init__(
        self,
        view: View,
        *,
        now: Callable[[], int],
        read_log: ReadLog,
        ring: int = RING,
        backlog_lines: int = BACKLOG_LINES,
        backlog_bytes: int = BACKLOG_BYTES,
        most: int = WATCHERS,
    ) -> None:
        self.view = view
        self.now = now
        self.read_log = read_log
        self.backlog_lines = backlog_lines
        self.backlog_bytes = backlog_bytes
        self.closing = False
        self.most = most
        self._ring: deque[Batch] = deque()
        self._ring_limit = ring
        self._held = 0  # changes in the ring
        self._channels: dict[tuple[str, Filter], Channel] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def watchers(self) -> int:
        return sum(len(channel.watchers) for channel in self._channels.values())

    def publish(self, batch: Batch) -> None:
        """Take a committed batch into the view and tell the watchers. Never waits. Raises ValueError out of order."""
        if batch.sequence <= self.view.sequence:
            raise ValueError(f"batch {batch.sequence} after {self.view.sequence}")
        if self._ring and self._ring[-1].sequence + 1 != batch.sequence:
            self._ring.clear()  # a hole: let the log answer
            self._held = 0
        self.view.apply(batch.sequence, batch.changes)
        self._ring.append(batch)
        self._held += batch.size
        while len(self._ring) > self._ring_limit or self._held > RING_CHANGES:
            self._held -= self._ring.popleft().size
        for channel in self._channels.values():
            channel.publish(batch)

    def recent(self, after: int) -> list[Batch] | None:
        """All batches after ``after`` out of the ring; None if it does not reach back that far."""
        if after >= self.view.sequence:
            return []
        if not self._ring or self._ring[0].sequence > after + 1:
            return None
        return [batch for batch in self._ring if batch.sequence > after]

    async def open(self, request: WatchRequest) -> Watcher:
        """A new watcher, to be ended by ``leave()``.

        Raises E_CURSOR_INVALID, E_CURSOR_EXPIRED (one-shot only), E_OVERLOADED where there are enough.
        """
        if self.watchers >= self.most:
            text = f"{self.most} watchers are connected, as many as this daemon serves (api.watchers): end some"
            raise AgtmuxError("E_OVERLOADED", text, {"watchers": self.most})
        name = (str(request.scope), request.wanted)
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(self, *name)
        watcher = Watcher(self, channel, request)
        channel.watchers.add(watcher)
        self._empty.clear()
        try:
            await watcher.begin()
        except BaseException:
            watcher.leave()
            raise
        return watcher

    def leave(self, channel: Channel, watcher: Watcher) -> None:
        channel.watchers.discard(watcher)
        name = (channel.scope, channel.wanted)
        if not channel.watchers and self._channels.get(name) is channel:
            del self._channels[name]
        if not self._channels:
            self._empty.set()

    async def close(self, patience: float = 1.0) -> None:
        """Send every watcher what it waits for and a terminal reset; the slow ones get ``patience`` seconds."""
        self.closing = True
        for channel in self._channels.values():
            for watcher in channel.watchers:
                watcher.wake()
        try:
            async with asyncio.timeout(patience):
                await self._empty.wait()
        except TimeoutError:
            return
