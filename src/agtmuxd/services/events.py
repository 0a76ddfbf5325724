"""Take in and list events for the API.

Owns what happens to a posted event before the pipeline: redaction, correction of its time, and the sender's process
chain if it comes from a container.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.peer import Peer
from agtmuxd.api.requests import ChainLink, HistoryQuery, WireEvent
from agtmuxd.core.ids import dedupe_key
from agtmuxd.core.json_codec import stamp
from agtmuxd.core.model import Ancestor, RawEvent, Source
from agtmuxd.hooks.health import HookHealth
from agtmuxd.ingest.pipeline import Pipeline
from agtmuxd.ingest.redactor import Redactor
from agtmuxd.remote_hooks.clock_offset import corrected
from agtmuxd.store import history
from agtmuxd.store.db import Store
from agtmuxd.stream.published import PublishedRows
from agtmuxd.targets.apart import chain_of, in_other_pid_space, was_in_other_pid_space


class Events:
    """Implements ``EventService`` of ``api.routes.events``. ``ingest_from`` takes in events of remote hooks."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        view: PublishedRows,
        pipeline: Pipeline,
        store: Store,
        redact: Redactor,
        hook_tests: HookHealth,
        clock: Callable[[], int],
        ahead: Callable[[], int] = lambda: 0,
    ) -> None:
        """``ahead``: how far (ns) the clock is ahead of the system's clock, which hooks on this machine use."""
        self.envelope = envelope
        self.view = view
        self._pipeline = pipeline
        self._store = store
        self._redact = redact
        self._hook_tests = hook_tests
        self._clock = clock
        self._ahead = ahead

    async def ingest(self, events: Sequence[WireEvent], peer: Peer | None = None) -> list[dict[str, Any]]:
        now, ahead = self._clock(), self._ahead()
        apart = peer is not None and in_other_pid_space(peer.pid)
        seen = chain_of(peer.pid) if apart and peer is not None else []

        def make(event: WireEvent) -> RawEvent:
            elsewhere = apart or (peer is None and was_in_other_pid_space(event.pid_space))
            raw = self._raw(_as_seen(event, seen) if elsewhere else event, now)
            raw = replace(raw, apart=True) if elsewhere else raw
            return replace(raw, event_time=min(raw.event_time + ahead, now)) if ahead else raw

        return await self._submit(events, make)

    async def ingest_from(
        self, target_id: str, events: Sequence[WireEvent], offset: int | None
    ) -> list[dict[str, Any]]:
        """Take in events of another machine, with their time corrected. The target is always ``target_id``.

        ``offset``: that machine's clock minus this one's in ns; None if it was not measured.
        """
        now = self._clock()

        def make(event: WireEvent) -> RawEvent:
            raw = self._raw(event.model_copy(update={"target": None, "runtime_id": None}), now)
            return corrected(replace(raw, target_id=target_id), offset)

        return await self._submit(events, make)

    async def history(self, query: HistoryQuery, pane: str | None) -> list[dict[str, Any]]:
        ids: list[str] | None = [query.runtime] if query.runtime else None
        if pane is not None:
            target_id, pane_id = self._pipeline.repository.pane_key(pane)
            ids = await self._store.read(lambda c: history.runtimes_of(c, target_id, pane_id))
        rows = await self._store.read(
            lambda c: history.history(c, runtime_ids=ids, before=query.before, limit=query.limit, action=query.action)
        )
        return [
            {**row, "event_time": stamp(row["event_time"]), "ingested_at": stamp(row["ingested_at"])} for row in rows
        ]

    async def _submit(self, events: Sequence[WireEvent], make: Callable[[WireEvent], RawEvent]) -> list[dict[str, Any]]:
        """Submit events to the pipeline, except test events. Return one result for each event, in order."""
        tests = {i for i, event in enumerate(events) if self._hook_tests.is_test(event)}
        raws = [make(event) for i, event in enumerate(events) if i not in tests]
        posted = iter(await self._pipeline.submit(raws) if raws else ())
        return [
            self._hook_tests.receive_test(event) if i in tests else next(posted).to_json()
            for i, event in enumerate(events)
        ]

    def _raw(self, event: WireEvent, now: int) -> RawEvent:
        """Convert an event for the pipeline, and remove its secrets first."""
        target_id = None if event.target is None else self._target_id(event.target)
        source = Source(event.source)
        chain, env, payload = self._redact(([link.argv for link in event.chain], event.env, event.payload))
        return RawEvent(
            event_id=event.event_id, event_type=event.event_type, source=source, agent_type=event.agent_type,
            event_time=event.event_time, ingested_at=now,
            dedupe_key=dedupe_key(source, event.source_event_id or event.event_id, event.event_type),
            source_event_id=event.source_event_id, source_seq=event.source_seq, runtime_id=event.runtime_id,
            target_id=target_id, pane_id=event.pane_id,
            tmux_socket=event.tmux.socket if event.tmux else None,
            tmux_server_pid=event.tmux.server_pid if event.tmux else None,
            pid=event.pid, start_hint=event.start_hint,
            chain=tuple(
                Ancestor(link.pid, link.start, tuple(argv), link.comm, link.pgid)
                for link, argv in zip(event.chain, chain, strict=True)
            ),
            spooled=event.spooled, env=env, payload=payload,
        )  # fmt: skip

    def _target_id(self, name: str) -> str:
        target = self._pipeline.repository.target_named(name)
        if target is None:
            raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {one_line(name)[:80]}")
        return target.target_id


def _as_seen(event: WireEvent, seen: Sequence[Mapping[str, Any]]) -> WireEvent:
    """Replace the pids in an event from a container by this machine's pids.

    ``seen``: the sending process and its ancestors. A hook reports only its ancestors, a wrapper also itself.
    """
    links = seen if event.source == "wrapper" else seen[1:]
    return event.model_copy(update={"chain": [ChainLink.model_validate(link) for link in links], "pid": None})
