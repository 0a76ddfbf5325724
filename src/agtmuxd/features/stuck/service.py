"""Look at the running agents from time to time, and mark those that make no progress.

Owns when to look and what was seen of each agent. ``model`` decides. An agent is marked once: until it makes progress
or stops running.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from agtmuxd.core.json_codec import stamp
from agtmuxd.features.contract import Annotate
from agtmuxd.features.stuck import store as rows
from agtmuxd.features.stuck.model import NS, judge, moved, read_tools
from agtmuxd.repository import Repository, Runtime
from agtmuxd.store.db import Store
from agtmuxd.stream.published import PublishedRows

_LOG = structlog.get_logger("stuck")
EVERY: Final = 30.0
"""Seconds between two looks."""
FIELD: Final = "stuck"
_KEEPS: Final = ("running", "unknown")
"""States in which an alarm stays: while nothing is known of an agent, it made no progress that is known."""
_STAT_LIMIT: Final = 2.0
"""Seconds that a file system may take to say when a session file changed."""

ScreenRows = Callable[[str, str], frozenset[int] | None]
"""``screen_rows(target_id, pane_id)``: a number for the words of each row on the agent's screen. None: not known."""


@dataclass(slots=True)
class _LastProgress:
    """What was seen of one agent. ``moved_at``: when its screen last moved (ns)."""

    moved_at: int
    screen: frozenset[int] | None = None


class StuckAlarm:
    """Marks agents that are stuck. ``run`` runs until cancelled."""

    def __init__(
        self,
        *,
        store: Store,
        view: PublishedRows,
        repository: Repository,
        annotate: Annotate,
        screen_rows: ScreenRows,
        after: Callable[[], float],
        clock: Callable[[], int],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        modified: Callable[[str], float] = os.path.getmtime,
    ) -> None:
        """``after``: seconds without progress that are too many, 0 for no alarm. ``clock``: ns since the epoch.

        ``modified``: gives the time at which a file changed. May block; it is called in a thread.
        """
        self._store = store
        self._view = view
        self._repository = repository
        self._annotate = annotate
        self._screen_rows = screen_rows
        self._after = after
        self._clock = clock
        self._pause = pause
        self._modified = modified
        self._seen: dict[str, _LastProgress] = {}
        self._asking: asyncio.Future[float] | None = None

    async def run(self) -> None:
        """Look every ``EVERY`` seconds, more often if the time without progress is short."""
        while True:
            after = self._after()
            await self._pause(min(EVERY, after / 4) if after else EVERY)
            await self.look()

    async def look(self) -> None:
        """Look at every agent once."""
        now, after = self._clock(), int(self._after() * NS)
        watched: dict[str, _LastProgress] = {}
        for item in list(self._view.panes.values()):
            runtime = self._repository.runtimes.get(item.get("runtime_id") or "")
            if runtime is None:
                continue
            held = item.get(FIELD) is not None
            if not after or item["state"] not in _KEEPS:
                if held:
                    await self._annotate(runtime.runtime_id, FIELD, None)
                continue
            # whether the screen moved before the first look is unknown: an alarm stays, and a new one waits
            seen = self._seen.get(runtime.runtime_id) or _LastProgress(0 if held else now)
            watched[runtime.runtime_id] = seen
            if item["state"] == "running":
                await self._look_at(runtime, item, seen, now, after)
        self._seen = watched

    async def _look_at(
        self, runtime: Runtime, item: Mapping[str, Any], seen: _LastProgress, now: int, after: int
    ) -> None:
        screen = self._screen_rows(runtime.target_id, runtime.pane_id)
        if screen is not None:
            if seen.screen is not None and moved(seen.screen, screen):
                seen.moved_at = now
            seen.screen = screen
        state = self._repository.states.get((runtime.target_id, runtime.pane_id))
        held = item.get(FIELD) is not None
        if state is None or (not held and now - state.since < after):
            return
        since = state.since
        events = await self._store.read(lambda connection: rows.last_events(connection, runtime.runtime_id, since))
        found = judge(
            now=now, after=after, running_since=since, seen_at=(seen.moved_at, await self._file_moved_at(runtime)),
            tools=read_tools(events), background=bool(item.get("background_tasks")),
        )  # fmt: skip
        if found is None:
            if held:
                await self._annotate(runtime.runtime_id, FIELD, None)
        elif not held:
            _LOG.info("an agent makes no progress", runtime=runtime.runtime_id, why=found.reason)
            value = {"since": stamp(found.since), "reason": found.reason, "attention": "review"}
            await self._annotate(runtime.runtime_id, FIELD, value)

    async def _file_moved_at(self, runtime: Runtime) -> int:
        """Return when the agent's session file last changed (ns), 0 if that is unknown."""
        target = self._repository.targets.get(runtime.target_id)
        path = runtime.transcript_path
        if path is None or target is None or target.kind != "local":
            return 0
        if self._asking is not None and not self._asking.done():
            return 0  # a file system hangs: one waiting thread is enough
        self._asking = asyncio.ensure_future(asyncio.to_thread(self._modified, path))
        try:
            return int(await asyncio.wait_for(asyncio.shield(self._asking), _STAT_LIMIT) * NS)
        except (OSError, ValueError, TimeoutError):
            return 0
