"""Remember where agents are, plan their return, and let each be restored once.

The daemon starts no tmux server and no agent: the command line does, so that they outlive the daemon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.features.contract import Tmux
from agtmuxd.features.restore import store as rows
from agtmuxd.features.restore.model import LostAgent, Place, item, plan
from agtmuxd.repository import Repository
from agtmuxd.store.db import Store
from agtmuxd.stream.history import Batch
from agtmuxd.stream.published import PublishedRows
from agtmuxd.stream.subscription import Resync

Resume = Callable[[str, str], tuple[str, ...] | None]
_STAT_LIMIT: Final = 5.0
"""Seconds that a file system may take to say whether session files are there."""


class Restore:
    """Implements ``RestoreService`` of ``routes``, and ``Subscriber`` for the places."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        store: Store,
        view: PublishedRows,
        repository: Repository,
        tmux: Tmux,
        resume: Resume,
        clock: Callable[[], int],
    ) -> None:
        """``resume(agent_type, session_id)``: the command line that continues a session. ``clock``: ns."""
        self.envelope = envelope
        self._store = store
        self._view = view
        self._repository = repository
        self._tmux = tmux
        self._resume = resume
        self._clock = clock
        self._places: dict[str, Place] = {}

    # ---------------------------------------------------------------- where agents are

    async def on_changes(self, batch: Batch) -> None:
        """Save the places that changed."""
        await self._save(change.item for change in batch.changes.get("panes", ()) if change.item is not None)

    async def on_resync(self, reason: Resync) -> None:
        """Save all places again."""
        del reason
        self._places = {}
        await self._save(self._view.panes.values())

    async def _save(self, items: Iterable[Mapping[str, Any]]) -> None:
        found = {one["runtime_id"]: Place.of(one) for one in items if one.get("runtime_id")}
        new = {runtime: place for runtime, place in found.items() if self._places.get(runtime) != place}
        if new:
            await self._store.run(lambda connection: rows.save_places(connection, new))
            lives = self._repository.runtimes
            self._places = {runtime: place for runtime, place in (self._places | new).items() if runtime in lives}

    # ---------------------------------------------------------------- how they come back

    async def planned(self, *, again: bool) -> list[dict[str, Any]]:
        """Plan the return of the agents that were lost with their tmux server, with the way to each target."""
        lost = await self._store.read(rows.lost)
        if again:
            lost = [replace(one, claimed_at=None) for one in lost]
        missing = await self._missing(lost)
        steps = plan(lost, list(self._view.panes.values()), self._resume, lambda one: one.runtime_id in missing)
        return [item(step) | self._way(step.lost.target_id) for step in steps]

    async def claim(self, runtime_id: str, *, again: bool) -> None:
        """Let the caller restore this agent. Raises E_PRECONDITION_FAILED if it is not planned any more."""
        found = [one for one in await self.planned(again=again) if one["runtime_id"] == runtime_id]
        if not found:
            raise AgtmuxError("E_PRECONDITION_FAILED", f"{runtime_id} is not among the lost agents: see agtmux restore")
        if found[0]["action"] == "skip":
            raise AgtmuxError("E_PRECONDITION_FAILED", str(found[0]["reason"]))
        now = self._clock()
        if not await self._store.run(lambda connection: rows.claim(connection, runtime_id, now, again=again)):
            raise AgtmuxError("E_PRECONDITION_FAILED", "another restore has just started it")

    async def release(self, runtime_id: str) -> None:
        """Take a claim back, because nothing was started."""
        await self._store.run(lambda connection: rows.release(connection, runtime_id))

    def _way(self, target_id: str) -> dict[str, Any]:
        try:
            way, tmux = self._tmux.command_line(target_id)
        except AgtmuxError as error:
            return {"action": "skip", "reason": error.message, "way": [], "tmux": []}
        return {"way": list(way), "tmux": list(tmux)}

    async def _missing(self, lost: list[LostAgent]) -> frozenset[str]:
        """Return the agents of this machine whose session file is gone. A file system that hangs tells nothing."""
        local = {target_id for target_id, target in self._repository.targets.items() if target.kind == "local"}
        paths = {one.runtime_id: one.transcript_path for one in lost if one.transcript_path and one.target_id in local}
        try:
            return await asyncio.wait_for(asyncio.to_thread(_gone, paths), _STAT_LIMIT)
        except TimeoutError:
            return frozenset()


def _gone(paths: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name for name, path in paths.items() if not Path(path).exists())
