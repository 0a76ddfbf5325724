"""The lines of the stream: all watchers of one scope and filter share them.

Owns the shape of a line. Knows of a watcher only how it takes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from agtmux.protocol.errors import SCHEMA_VERSION
from agtmuxd.core.json_codec import encode, stamp
from agtmuxd.core.listing import Filter, Tally
from agtmuxd.stream.changes import recount, visible
from agtmuxd.stream.history import Batch
from agtmuxd.stream.published import Change, PublishedRows


class Listener(Protocol):
    """A watcher as its channel knows it. Nothing of it waits."""

    @property
    def merges(self) -> bool:
        """Whether it takes changes, to make lines of several publications, and not a line of each."""

    def push(self, sequence: int, line: bytes) -> None:
        """Queue a line."""

    def collect(self, changes: Iterable[Change]) -> None:
        """Take changes for the next merged line."""

    def end(self) -> None:
        """Give out what it waits for, then a terminal reset."""


class Channel:
    """All watchers of one scope and filter: their lines are written once and their summary is kept by counting."""

    def __init__(self, view: PublishedRows, now: Callable[[], int], scope: str, wanted: Filter) -> None:
        """``now``: ns since the epoch."""
        self.view = view
        self.scope = scope
        self.wanted = wanted
        self.echo = wanted.echo()
        self.tally = view.tally(scope, wanted)
        self.watchers: set[Listener] = set()
        self._now = now

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
            if watcher.merges:
                watcher.collect(changes)
            else:
                line = line or self.delta(batch.sequence, batch.committed_at, seen, self.tally)
                watcher.push(batch.sequence, line)

    def snapshot(self) -> bytes:
        items = self.view.select(self.scope, self.wanted, "target")
        return self._line("snapshot", self.view.sequence, None, self.tally, {"items": items})

    def delta(self, sequence: int, committed_at: int | None, changes: Iterable[Change], tally: Tally) -> bytes:
        told = [self._told(change) for change in changes]
        return self._line("delta", sequence, committed_at, tally, {"changes": told})

    def reset(self, sequence: int, reason: str) -> bytes:
        return self._line("reset", sequence, None, self.tally, {"reason": reason})

    def heartbeat(self) -> bytes:
        return self._line("heartbeat", self.view.sequence, None, self.tally, {})

    def _told(self, change: Change) -> dict[str, Any]:
        if change.item is None:
            return {"op": "delete", "identity": change.identity}
        return {"op": "upsert", "identity": change.identity, "item": self.view.served(change.item)}

    def _line(self, kind: str, sequence: int, made_at: int | None, tally: Tally, more: dict[str, Any]) -> bytes:
        now = self._now()
        stream_id = self.view.stream_id
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
