"""Write the lines of the stream. All watchers with the same scope and filter share them.

Owns the shape of a line. Knows a watcher only as a ``Listener``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from agtmux.protocol.errors import SCHEMA_VERSION
from agtmuxd.core.json_codec import encode, stamp
from agtmuxd.core.listing import Filter, Tally
from agtmuxd.stream.changes import recount, visible
from agtmuxd.stream.coordination import COORD, changes_in
from agtmuxd.stream.history import Batch
from agtmuxd.stream.published import Change, PublishedRows


class Listener(Protocol):
    """A watcher as its channel knows it. No method waits."""

    @property
    def merges(self) -> bool:
        """Whether it merges several publications into one line: then it gets changes, not lines."""

    def push(self, sequence: int, line: bytes) -> None:
        """Queue a line."""

    def collect(self, changes: Iterable[Change]) -> None:
        """Keep changes for the next merged line."""

    def end(self) -> None:
        """Send what is queued, then a last reset."""


class Channel:
    """All watchers with one scope and filter. Writes each line once, and updates their summary with each change."""

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
        """Give the visible changes of a batch to every watcher."""
        changes = changes_in(batch.changes, self.scope)
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
        """Write a line with all current rows."""
        items = self.view.select(self.scope, self.wanted, "target")
        return self._line("snapshot", self.view.sequence, None, self.tally, {"items": items})

    def delta(self, sequence: int, committed_at: int | None, changes: Iterable[Change], tally: Tally) -> bytes:
        """Write a line with changes. ``committed_at``: ns; None: now."""
        items = [self._to_json(change) for change in changes]
        return self._line("delta", sequence, committed_at, tally, {"changes": items})

    def reset(self, sequence: int, reason: str) -> bytes:
        """Write a line that tells the watcher to forget what it had."""
        return self._line("reset", sequence, None, self.tally, {"reason": reason})

    def heartbeat(self) -> bytes:
        """Write a line that only shows that the stream is alive."""
        return self._line("heartbeat", self.view.sequence, None, self.tally, {})

    def _to_json(self, change: Change) -> dict[str, Any]:
        if change.scope == COORD:
            item = {} if change.item is None else {"item": change.item}
            return {"op": change.op, "kind": change.identity["kind"], "identity": change.identity, **item}
        if change.item is None:
            return {"op": "delete", "identity": change.identity}
        return {"op": "upsert", "identity": change.identity, "item": self.view.with_age(change.item)}

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
