"""What stands between an observer and the pipeline: each sink adds one thing to what a round shows or sets off.

Owns no decision. The target manager puts them around the pipeline, one inside the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from agtmuxd.core.state.observation import HealthChange, Observation
from agtmuxd.ingest.redactor import PaneTexts
from agtmuxd.targets.observer import ObservationSink


class RemoteHooks(Protocol):
    """What keeps in touch with the hooks of an ssh target besides watching it."""

    def seen(self) -> None:
        """A round was good."""

    def check_now(self) -> None:
        """Something was changed there."""

    async def run(self) -> None:
        """Serve until cancelled."""

    async def close(self, *, forget: bool) -> None:
        """Leave in order; ``forget``: for good."""


class RedactingSink:
    """The sink of every target: what is handed on of panes may be stored."""

    def __init__(self, sink: ObservationSink, texts: PaneTexts) -> None:
        self._texts = texts
        self.tell = sink.tell
        self.last_levels = sink.last_levels
        self._observe = sink.observe

    async def observe(self, seen: Observation) -> None:
        await self._observe(replace(seen, panes=self._texts.clean(seen.panes)))


class CleanupSink:
    """The sink of every target: after its first good round, and after one that follows a failure, has it tidied."""

    def __init__(
        self, sink: ObservationSink, target_id: str, due: set[str], tidy: Callable[[str], Awaitable[None]]
    ) -> None:
        """``due``: the targets that are to be tidied; others add to it, too."""
        self._sink, self._target_id, self._due, self._tidy = sink, target_id, due, tidy
        self.last_levels = sink.last_levels
        due.add(target_id)

    async def tell(self, change: HealthChange) -> None:
        self._due.add(self._target_id)
        await self._sink.tell(change)

    async def observe(self, seen: Observation) -> None:
        await self._sink.observe(seen)
        if self._target_id in self._due and seen.boot_id is not None:
            self._due.discard(self._target_id)
            await self._tidy(self._target_id)


class RemoteHooksSink:
    """The sink of an accompanied target: tells the companion of each good round, after the door."""

    def __init__(self, sink: ObservationSink, companion: RemoteHooks) -> None:
        self._companion = companion
        self.tell = sink.tell
        self.last_levels = sink.last_levels
        self._observe = sink.observe

    async def observe(self, seen: Observation) -> None:
        await self._observe(seen)
        self._companion.seen()
