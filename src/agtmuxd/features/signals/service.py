"""Take in signals, read them in order for each consumer, and say when one has come."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.config import SignalSettings
from agtmuxd.core.actor import Actor
from agtmuxd.core.ids import uuid7
from agtmuxd.core.json_codec import encode, stamp
from agtmuxd.core.model import NS
from agtmuxd.core.token_bucket import TokenBuckets
from agtmuxd.features.contract import Allow, PublishChange, Write
from agtmuxd.features.signals import store as rows
from agtmuxd.features.signals.model import (
    Signal,
    checked_range,
    checked_topic,
    digest,
    parse_operand,
    payload_cap,
)
from agtmuxd.services.health import HealthPart
from agtmuxd.store.db import Store
from agtmuxd.store.housekeeping import forget_at

_BATCH: Final = 1000
_DAY: Final = 86_400 * NS


class Signals:
    """Implements ``SignalsService`` of ``routes``."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        store: Store,
        write: Write,
        allow: Allow,
        redact: Callable[[Any], Any],
        settings: Callable[[], SignalSettings],
        clock: Callable[[], int],
    ) -> None:
        self.envelope = envelope
        self._store = store
        self._write = write
        self._allow = allow
        self._redact = redact
        self._settings = settings
        self._clock = clock
        self._buckets = TokenBuckets(settings().per_minute / 60, settings().burst)
        self._newest: dict[str, int] = {}
        """The newest sequence of each topic. A number may be too high after a write that failed, never too low."""
        self._knows_newest = False
        self._counts = {"sent": 0, "rate_limited": 0}

    # ---------------------------------------------------------------- send

    async def send(self, actor: Actor, topic: str, data: Any, request_ref: str) -> tuple[dict[str, Any], bool]:
        """Send a signal, once for each ``request_ref``. Return its item without data, and whether it is of an earlier
        request.

        Raises E_INVALID_REQUEST, E_POLICY_DENIED, E_PAYLOAD_TOO_LARGE, E_RATE_LIMITED, E_IDEMPOTENCY_CONFLICT.
        """
        checked_topic(topic)
        payload = b"" if data is None else encode(data)
        settings = self._settings()
        cap = payload_cap(topic, settings.payload_caps, settings.max_payload)
        if len(payload) > cap:
            raise AgtmuxError(
                "E_PAYLOAD_TOO_LARGE",
                f"the data has {len(payload)} bytes, and {topic} takes {cap}: put it into a file and send its path",
                {"bytes": len(payload), "cap": cap},
            )
        self._allow(actor, "signal", f"topic:{topic}")
        request_digest = digest(topic, payload)
        earlier = await self._store.read(lambda c: rows.find_request(c, actor.agent_id, request_ref))
        if earlier is None:
            self._limit(actor, topic)
        text = None if data is None else encode(self._redact(data)).decode()
        now = self._clock()
        signal = Signal(0, uuid7(now), topic, actor.agent_id, actor.label, text, len(payload), now)

        def work(connection: sqlite3.Connection, publish: PublishChange) -> tuple[Signal, bool]:
            found = rows.find_request(connection, actor.agent_id, request_ref)
            if found is not None:
                if found[1] != request_digest:
                    raise AgtmuxError(
                        "E_IDEMPOTENCY_CONFLICT",
                        f"{request_ref} was used for another signal: use a new request_ref for each one",
                        {"signal_id": found[0].signal_id},
                    )
                return found[0], True
            sent = replace(signal, seq=rows.add_signal(connection, signal, request_ref, request_digest))
            self._newest[topic] = max(self._newest.get(topic, 0), sent.seq)
            publish("signal", sent.signal_id, sent.head())
            return sent, False

        sent, replayed = await self._write(work)
        self._counts["sent"] += not replayed
        return sent.head(), replayed

    def _limit(self, actor: Actor, topic: str) -> None:
        """Raise E_RATE_LIMITED if this agent sends too often on this topic."""
        if not actor.is_agent:
            return
        settings = self._settings()
        self._buckets.rate, self._buckets.burst = settings.per_minute / 60, settings.burst
        seconds = self._buckets.take([(actor.agent_id, topic)], self._clock())
        if seconds > 0:
            self._counts["rate_limited"] += 1
            after = math.ceil(seconds * 10) / 10
            raise AgtmuxError(
                "E_RATE_LIMITED",
                f"you may send {settings.per_minute:g} signals a minute on {topic}: try again in {after:g} s",
                {"retry_after_s": after, "topic": topic},
            )

    # ---------------------------------------------------------------- read

    async def read(
        self, actor: Actor, topics: str | None, *, after: int | None, consumer: str | None, limit: int
    ) -> dict[str, Any]:
        """Read signals in order, after a sequence, or after what the consumer has read.

        Raises E_POLICY_DENIED, E_CURSOR_EXPIRED if signals in between were deleted, E_CURSOR_INVALID.
        """
        if topics is not None:
            checked_range(topics)
        if topics is not None and not topics.endswith("/"):
            self._allow(actor, "read", f"topic:{topics}")
        stream = _stream(topics)

        def work(connection: sqlite3.Connection) -> tuple[int, rows.Page]:
            known = None if consumer is None else rows.read_cursor(connection, _consumer(actor, consumer), stream)
            start = after if after is not None else known
            return start or 0, rows.page(connection, topics, start or 0, limit)

        start, page = await self._store.read(work)
        details: dict[str, object] = {"after": start, "oldest_after": page.gap, "last_seq": page.last_seq}
        if 0 < start < page.gap:
            raise AgtmuxError(
                "E_CURSOR_EXPIRED",
                f"signals after {start} were deleted: go on with --after {page.gap}",
                details,
            )
        if start > page.last_seq:
            raise AgtmuxError(
                "E_CURSOR_INVALID", f"{start} lies in the future: the newest signal is {page.last_seq}", details
            )
        items = [signal.item() for signal in page.signals if self._may_read(actor, signal.topic)]
        return {
            "items": items,
            "next_after": page.signals[-1].seq if page.signals else start,
            "last_seq": page.last_seq,
            "truncated": page.more,
        }

    async def find(self, actor: Actor, name: str) -> dict[str, Any]:
        """Return one signal, by its id or sequence. Raises E_NOT_FOUND, E_POLICY_DENIED."""
        found = await self._store.read(lambda connection: rows.find_signal(connection, name))
        if found is None:
            raise AgtmuxError("E_NOT_FOUND", f"there is no signal {name[:80]}: see agtmux signal list")
        self._allow(actor, "read", f"topic:{found.topic}")
        return found.item()

    async def topics(self, actor: Actor, topics: str | None) -> list[dict[str, Any]]:
        """List the topics that have signals. Raises E_INVALID_REQUEST."""
        if topics is not None:
            checked_range(topics)
        found = await self._store.read(lambda connection: rows.list_topics(connection, topics))
        return [
            {"topic": row.topic, "signals": row.signals, "oldest_seq": row.oldest_seq, "last_seq": row.last_seq,
             "last_at": stamp(row.last_at)}
            for row in found if self._may_read(actor, row.topic)
        ]  # fmt: skip

    async def move_cursor(self, actor: Actor, topics: str | None, consumer: str, seq: int) -> None:
        """Store how far a consumer has read. It survives restarts. Raises E_CURSOR_INVALID for the future."""
        if topics is not None:
            checked_range(topics)
        now, stream = self._clock(), _stream(topics)

        def work(connection: sqlite3.Connection, _publish: PublishChange) -> None:
            last = rows.last_seq(connection)
            if seq > last:
                raise AgtmuxError("E_CURSOR_INVALID", f"{seq} lies in the future: the newest signal is {last}")
            rows.save_cursor(connection, _consumer(actor, consumer), stream, seq, now)

        await self._write(work)

    def _may_read(self, actor: Actor, topic: str) -> bool:
        try:
            self._allow(actor, "read", f"topic:{topic}")
        except AgtmuxError:
            return False
        return True

    # ---------------------------------------------------------------- the condition signal:TOPIC[>SEQ]

    @property
    def wakes_on(self) -> frozenset[str]:
        return frozenset({"signal"})

    async def prepare(self, operand: str, actor: Actor) -> str:
        """Check ``TOPIC`` or ``TOPIC>SEQ``. Without a sequence, only a signal that is still to come counts."""
        topic, after = parse_operand(operand)
        self._allow(actor, "read", f"topic:{topic}")
        if after is None:
            after = await self._store.read(rows.last_seq)
        return f"{topic}>{after}"

    async def check(self, operand: str, agent_id: str | None) -> dict[str, Any] | None:
        """Return the first signal of the topic after the sequence, without its data."""
        del agent_id
        topic, after = parse_operand(operand)
        if not self._knows_newest:
            for name, seq in (await self._store.read(rows.newest_by_topic)).items():
                self._newest[name] = max(self._newest.get(name, 0), seq)
            self._knows_newest = True
        if self._newest.get(topic, 0) <= (after or 0):
            return None
        found = await self._store.read(lambda connection: rows.first_after(connection, topic, after or 0))
        return None if found is None else found.head()

    # ---------------------------------------------------------------- retention and health

    def purge(self, connection: sqlite3.Connection, now: int) -> int:
        """Delete old signals. A clock that jumped ahead deletes nothing. Return how many were deleted."""
        safe, _ = forget_at(connection)
        keep = int(self._settings().days * _DAY)
        return rows.purge(connection, (now if safe is None else min(safe, now)) - keep, _BATCH)

    def health(self) -> HealthPart:
        """Return the counters."""
        return HealthPart(counters=dict(self._counts))


def _stream(topics: str | None) -> str:
    return f"signals:{topics or ''}"


def _consumer(actor: Actor, name: str) -> str:
    """Return the full name of a consumer: agents cannot move the cursors of others."""
    return f"agent/{actor.agent_id}/{name}" if actor.is_agent else f"person/{name}"
