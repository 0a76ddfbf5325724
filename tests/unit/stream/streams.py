"""A hub with a log behind it, and a client that reads it, for the tests of the stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from agtmuxd.core.listing import Filter
from agtmuxd.core.model import NS
from agtmuxd.stream.history import Batch, LogEntry
from agtmuxd.stream.hub import Hub
from agtmuxd.stream.published import Change, PublishedRows, changes_for, name_of
from agtmuxd.stream.watcher import Watcher, WatchRequest
from tests.rows import Item, by_key

START = 1_767_225_600 * NS
Line = dict[str, Any]
Rows = dict[tuple[str, ...], Item]


class Stream:
    """A hub with a log behind it, as the daemon has: every batch is logged, then published."""

    def __init__(self, *panes: Item, **limits: Any) -> None:
        self.view = PublishedRows("stream-1", 0, by_key(*panes))
        self.log: list[tuple[int, int, str, str]] = []
        self.purged = 0  # entries up to this sequence are gone
        self.reads = 0
        self.during_read: Callable[[], object] | None = None
        self.hub = Hub(self.view, now=lambda: START, read_log=self.read_log, **limits)

    async def read_log(self, after: int, scope: str, limit: int) -> list[LogEntry] | None:
        self.reads += 1
        await asyncio.sleep(0)
        if self.during_read is not None:
            self.during_read()
            self.during_read = None
        if after < self.purged:
            return None
        found = [
            (sequence, at, [Change.from_json(scope, value) for value in json.loads(text)])
            for sequence, at, kept, text in self.log
            if kept == scope and sequence > after
        ]
        return found[:limit]

    def publish(self, changes: dict[str, Item | None]) -> int:
        found = changes_for(self.view, changes)
        if found:
            sequence = self.view.sequence + 1
            for scope, some in found.items():
                text = json.dumps([change.to_json() for change in some])
                self.log.append((sequence, START + sequence, scope, text))
            self.hub.publish(Batch(sequence, START + sequence, found))
        return self.view.sequence

    def show(self, *panes: Item) -> int:
        return self.publish(dict(by_key(*panes)))

    async def watch(self, **asked: Any) -> Reader:
        watcher = await self.hub.open(WatchRequest(**asked))
        return Reader(watcher)


class Reader:
    """A client: takes lines, keeps rows and the last cursor."""

    def __init__(self, watcher: Watcher, rows: Rows | None = None) -> None:
        self.watcher = watcher
        self.rows: Rows = dict(rows or {})
        self.cursor = ""
        self.lines: list[Line] = []
        self._lines: AsyncIterator[bytes] = watcher.lines()

    async def take(self) -> Line:
        async with asyncio.timeout(10):
            raw = await anext(self._lines)
        assert raw.endswith(b"\n")
        assert raw.count(b"\n") == 1
        line: Line = json.loads(raw)
        self.lines.append(line)
        self.cursor = line["cursor"]
        if line["type"] == "snapshot":
            self.rows = {name_of(item["identity"]): item for item in line["items"]}
        for change in line.get("changes", ()):
            if change["op"] == "delete":
                del self.rows[name_of(change["identity"])]
            else:
                self.rows[name_of(change["identity"])] = change["item"]
        return line

    async def rest(self) -> list[Line]:
        out = []
        while True:
            try:
                out.append(await self.take())
            except StopAsyncIteration:
                return out

    def leave(self) -> None:
        self.watcher.close()


async def catch_up(stream: Stream, cursor: str | None, rows: Rows | None = None, **asked: Any) -> Reader:
    """All that a one-shot request answers, on top of the rows that the client has."""
    reader = await stream.watch(cursor=cursor, once=True, **asked)
    reader.rows = dict(rows or {})
    reader.cursor = cursor or ""
    await reader.rest()
    reader.leave()
    return reader


def fresh(stream: Stream, scope: str, wanted: Filter) -> Rows:
    return {name_of(item["identity"]): item for item in stream.view.select(scope, wanted)}
