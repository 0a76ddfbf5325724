"""Notice files that two agents changed. Looks once after a turn, and never while nothing happens.

Owns when to look. A look happens only in a repository with two agents or more, at the end of a turn there, and at most
once in ``worktrees.radar_interval`` for each tree.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.model import named
from agtmuxd.config import WorktreeSettings
from agtmuxd.features.contract import Agents, Write
from agtmuxd.features.worktrees import store as rows
from agtmuxd.features.worktrees.git_changes import changed_files, find_tree
from agtmuxd.features.worktrees.model import Worktree
from agtmuxd.features.worktrees.radar_model import Collision, TreeFiles, Turns, find_collisions, update
from agtmuxd.repository import Repository
from agtmuxd.services.health import HealthPart
from agtmuxd.store.db import Store
from agtmuxd.stream.history import Batch
from agtmuxd.stream.published import PublishedRows
from agtmuxd.stream.subscription import Resync

_LOG = structlog.get_logger("worktrees")
_WITHIN: Final = 30.0
"""Seconds for all that is asked of one tree. A tree that takes longer is not asked again."""


class CollisionRadar:
    """Implements ``Subscriber``. ``run`` does the looking."""

    def __init__(
        self,
        *,
        store: Store,
        write: Write,
        view: PublishedRows,
        repository: Repository,
        agents: Agents,
        settings: Callable[[], WorktreeSettings],
        clock: Callable[[], int],
        environ: Mapping[str, str],
    ) -> None:
        """``clock``: ns since the epoch."""
        self._store = store
        self._write = write
        self._view = view
        self._repository = repository
        self._agents = agents
        self._settings = settings
        self._clock = clock
        self._environ = environ
        self._turns: dict[str, Turns] = {}
        self._folders: dict[str, str] = {}
        self._trees: dict[str, TreeFiles] = {}
        self._due: dict[tuple[str, bool], float] = {}  # (folder, False), or (tree that was put off, True)
        self._looked: dict[str, float] = {}
        self._refused: set[str] = set()
        self._open: list[Collision] | None = None
        self._wake = asyncio.Event()
        self._looking = False
        self._looks = 0
        self._failures = 0

    # ---------------------------------------------------------------- turns

    async def on_changes(self, batch: Batch) -> None:
        """Note the turns that began and ended."""
        self._note(change.item for change in batch.changes.get("panes", ()) if change.item is not None)

    async def on_resync(self, reason: Resync) -> None:
        """Note the turns that are running."""
        del reason
        self._note(self._view.panes.values())

    def _note(self, items: Iterable[Mapping[str, Any]]) -> None:
        if not self._settings().radar:
            return
        for item in items:
            runtime_id, folder = item.get("runtime_id"), item.get("cwd")
            if runtime_id is None or not folder or not self._is_here(item):
                continue
            turns = self._turns.setdefault(runtime_id, Turns())
            self._folders[runtime_id] = folder
            if item["state"] == "running":
                turns.started = turns.started or self._clock()
            elif turns.started is not None:
                turns.end(self._clock())
                self._due[folder, False] = 0.0
                self._wake.set()

    def _is_here(self, item: Mapping[str, Any]) -> bool:
        target = self._repository.target_named(item["identity"]["target"])
        return target is not None and target.kind == "local"

    # ---------------------------------------------------------------- looks

    async def run(self) -> None:
        """Look at the trees that are due, one at a time, until cancelled."""
        program = shutil.which("git", path=self._environ.get("PATH"))
        if program is None:
            return
        while True:
            now = time.monotonic()
            due = min(self._due, key=lambda one: self._due[one], default=None)
            if due is None or self._due[due] > now:
                self._wake.clear()
                await self._wait(None if due is None else self._due[due] - now)
                continue
            del self._due[due]
            self._looking = True
            try:
                await asyncio.wait_for(self._look(program, *due), _WITHIN)
            except TimeoutError:
                self._refused.add(due[0])
                self._failures += 1
                _LOG.warning("a working tree takes too long, and is not compared", folder=due[0])
            except AgtmuxError as error:  # such as a full disk: the next turn tries again
                self._failures += 1
                _LOG.warning("working trees were not compared", folder=due[0], error=error.message)
            finally:
                self._looking = False

    @property
    def is_idle(self) -> bool:
        """Whether no look is going on or due."""
        return not self._due and not self._looking

    async def _wait(self, seconds: float | None) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    async def _look(self, program: str, folder: str, only: bool) -> None:
        """Look at the tree of a folder, at the worktrees of the agents there, and at trees that are not known yet.

        ``only``: at this tree and no other.
        """
        self._forget_ended()
        places = await asyncio.to_thread(self._places, {folder, *self._folders.values()})
        here = places.get(folder)
        if here is None or folder in self._refused:
            return
        top, common = here
        known = await self._store.read(lambda connection: rows.all_worktrees(connection, removed=False))
        records = {one.path: one for one in known if one.repository == common}
        agents = self._agents_by_tree(places, common)
        owners = {path: agent for path, one in records.items() if (agent := self._owner(one)) is not None}
        if len({*owners.values()}.union(*agents.values())) < 2:
            return
        own = [path for path, owner in owners.items() if owner in agents.get(top, ())]
        others = [one for one in {*agents, *records} if one not in self._trees]
        for tree in dict.fromkeys([top] if only else [top, *own, *others]):
            if not self._put_off(tree):
                base = records[tree].base_commit if tree in records else None
                await self._read(program, TreeFiles(tree, common), base, owners.get(tree), agents.get(tree, set()))
        await self._compare(common)

    def _put_off(self, tree: str) -> bool:
        """Return whether a tree was looked at too recently. Then it is due again later, and only once."""
        at = self._looked[tree] + self._settings().radar_interval if tree in self._looked else 0.0
        if at <= time.monotonic():
            return False
        self._due[tree, True] = at
        return True

    def _forget_ended(self) -> None:
        live = set(self._repository.active.values())
        self._turns = {one: turns for one, turns in self._turns.items() if one in live}
        self._folders = {one: folder for one, folder in self._folders.items() if one in live}

    @staticmethod
    def _places(folders: Iterable[str]) -> dict[str, tuple[str, str]]:
        return {folder: found for folder in folders if (found := find_tree(folder)) is not None}

    def _agents_by_tree(self, places: Mapping[str, tuple[str, str]], common: str) -> dict[str, set[str]]:
        out: dict[str, set[str]] = {}
        for runtime_id, folder in self._folders.items():
            place, agent = places.get(folder), self._agents.of_runtime(runtime_id)
            if place is not None and place[1] == common and agent is not None:
                out.setdefault(place[0], set()).add(agent.agent_id)
        return out

    def _owner(self, one: Worktree) -> str | None:
        """Return the id of the agent that has this worktree. None if no agent has its name."""
        if one.owner.agent_id is not None:
            return one.owner.agent_id
        found = named(self._agents.all(), f"{one.owner.team}/{one.owner.name}" if one.owner.team else one.owner.name)
        return found[0].agent_id if len(found) == 1 else None

    async def _read(self, program: str, tree: TreeFiles, base: str | None, owner: str | None, agents: set[str]) -> None:
        """Ask git about one tree. ``agents``: those that work in it."""
        changed = await asyncio.to_thread(changed_files, program, tree.path, base, self._environ)
        self._looks += 1
        self._looked[tree.path] = time.monotonic()
        if changed is None:
            self._failures += 1
            self._trees.pop(tree.path, None)
            return
        turns = {}
        for runtime_id, one in self._turns.items():
            agent = self._agents.of_runtime(runtime_id)
            if agent is not None and agent.agent_id in agents:
                turns[agent.agent_id] = one
        update(self._trees.setdefault(tree.path, tree), changed, owner, turns)

    # ---------------------------------------------------------------- collisions

    async def _compare(self, common: str) -> None:
        """Publish the collisions that are new, and those that are over."""
        now = self._clock()
        known = {(one.path, one.agent_a, one.agent_b): one for one in await self.collisions()}
        found = find_collisions([one for one in self._trees.values() if one.repository == common], now)
        keys = {(one.path, one.agent_a, one.agent_b) for one in found}
        new = [one for one in found if (one.path, one.agent_a, one.agent_b) not in known]
        over = [
            one for key, one in known.items()
            if one.repository == common and key not in keys and {one.tree_a, one.tree_b} & self._trees.keys()
        ]  # fmt: skip
        if not new and not over:
            return
        names = {one.agent_id: one.name for one in self._agents.all()}

        def work(connection: Any, publish: Callable[[str, str, Mapping[str, Any] | None], None]) -> None:
            for one in new:
                if rows.add_collision(connection, one):
                    publish("collision", one.collision_id, one.item(names))
            for one in over:
                rows.end_collision(connection, one.collision_id, now)
                publish("collision", one.collision_id, None)

        await self._write(work)
        self._open = [one for one in self._open or () if one not in over] + new

    async def collisions(self) -> list[Collision]:
        """Return the collisions that are not over."""
        if self._open is None:
            self._open = await self._store.read(rows.open_collisions)
        return self._open

    async def items(self) -> list[dict[str, Any]]:
        """Return them as items of an answer."""
        names = {one.agent_id: one.name for one in self._agents.all()}
        return [one.item(names) for one in await self.collisions()]

    def health(self) -> HealthPart:
        """Return how often it looked, and how often git failed."""
        return HealthPart(counters={"looks": self._looks, "look_failures": self._failures})
