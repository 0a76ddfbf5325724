"""Wrap the pipeline for observers: each sink adds one step to the handling of a round.

Makes no decisions. The target manager nests the sinks around the pipeline.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from agtmuxd.core.state.observation import HealthChange, Observation
from agtmuxd.ingest.redactor import PaneTexts
from agtmuxd.targets.observer import ObservationSink


class RemoteHooks(Protocol):
    """The link to the hooks of an ssh target."""

    @property
    def offset(self) -> int | None:
        """The clock there minus ours in ns, as last measured. None if it was not."""

    def seen(self) -> None:
        """Note a good round."""

    def check_now(self) -> None:
        """Check the target's hooks now, because something was changed there."""

    async def run(self) -> None:
        """Serve until cancelled."""

    async def close(self, *, forget: bool) -> None:
        """Close the link. ``forget``: also remove all files of this daemon on the target's machine."""


class RedactingSink:
    """For every target: remove secrets from the pane rows before they are handed on and stored."""

    def __init__(self, sink: ObservationSink, texts: PaneTexts) -> None:
        self._texts = texts
        self.report_health = sink.report_health
        self.last_levels = sink.last_levels
        self._observe = sink.observe

    async def observe(self, seen: Observation) -> None:
        await self._observe(replace(seen, panes=self._texts.clean(seen.panes)))


class CleanupSink:
    """For every target: clean up there after the first good round, and after the first one that follows a failure."""

    def __init__(
        self, sink: ObservationSink, target_id: str, due: set[str], tidy: Callable[[str], Awaitable[None]]
    ) -> None:
        """``due``: ids of the targets to clean up; other code adds to it too. ``tidy``: cleans up one target."""
        self._sink, self._target_id, self._due, self._tidy = sink, target_id, due, tidy
        self.last_levels = sink.last_levels
        due.add(target_id)

    async def report_health(self, change: HealthChange) -> None:
        self._due.add(self._target_id)
        await self._sink.report_health(change)

    async def observe(self, seen: Observation) -> None:
        await self._sink.observe(seen)
        if self._target_id in self._due and seen.boot_id is not None:
            self._due.discard(self._target_id)
            await self._tidy(self._target_id)


class RemoteHooksSink:
    """For a target with remote hooks: report each good round to the link, after the pipeline has it."""

    def __init__(self, sink: ObservationSink, remote_hooks: RemoteHooks) -> None:
        self._remote_hooks = remote_hooks
        self.report_health = sink.report_health
        self.last_levels = sink.last_levels
        self._observe = sink.observe

    async def observe(self, seen: Observation) -> None:
        await self._observe(seen)
        self._remote_hooks.seen()
