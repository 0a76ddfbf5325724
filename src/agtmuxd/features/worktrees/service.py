"""Keep the records of worktrees: who has which, where, and on which branch. The command line runs git.

A record follows the disk: the daemon looks whether a worktree that was added is there, and one that was removed is
gone. Until then the record stays as it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.model import checked_name
from agtmuxd.api.envelopes import Envelope
from agtmuxd.core.actor import Actor
from agtmuxd.core.ids import uuid7
from agtmuxd.core.json_codec import stamp
from agtmuxd.features.contract import Agents, Allow, PublishChange, Write
from agtmuxd.features.worktrees import store as rows
from agtmuxd.features.worktrees.model import (
    Owner,
    Worktree,
    branch_name,
    folder_name,
    is_inside,
    next_state,
    repo_id,
)
from agtmuxd.features.worktrees.routes import WorktreeReport, WorktreeRequest
from agtmuxd.repository import Repository
from agtmuxd.store.db import Store
from agtmuxd.stream.published import PublishedRows

_LOOK_LIMIT: Final = 10.0
"""Seconds that a file system may take to say whether a folder is there."""


class Collisions(Protocol):
    """The collisions that are not over, as items."""

    async def items(self) -> list[dict[str, Any]]: ...


class Worktrees:
    """Implements ``WorktreeService`` of ``routes``."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        store: Store,
        write: Write,
        view: PublishedRows,
        repository: Repository,
        agents: Agents,
        allow: Allow,
        collisions: Collisions,
        folder: str,
        clock: Callable[[], int],
    ) -> None:
        """``folder``: of all worktrees; salvages are beside it. ``clock``: ns since the epoch."""
        self.envelope = envelope
        self._store = store
        self._write = write
        self._view = view
        self._repository = repository
        self._agents = agents
        self._allow = allow
        self._collisions = collisions
        self._folder = os.path.realpath(folder)
        self._clock = clock

    # ---------------------------------------------------------------- reads

    async def listed(self, *, removed: bool) -> list[dict[str, Any]]:
        """List the records, each with the panes that are inside."""
        found = await self._store.read(lambda connection: rows.all_worktrees(connection, removed=removed))
        return [self._item(one) for one in found]

    async def shown(self, worktree_id: str) -> dict[str, Any]:
        """Return one record. Raises E_NOT_FOUND."""
        return self._item(await self._one(worktree_id))

    async def collisions(self) -> list[dict[str, Any]]:
        """List the files that two agents changed, as far as it is not over."""
        return await self._collisions.items()

    def salvage_folder(self) -> str:
        """Return the folder of all salvages."""
        return str(Path(self._folder).parent / "salvage")

    async def _one(self, worktree_id: str) -> Worktree:
        found = await self._store.read(lambda connection: rows.one_worktree(connection, worktree_id))
        if found is None:
            raise AgtmuxError("E_NOT_FOUND", f"there is no worktree {worktree_id[:80]!r}: see agtmux worktree list")
        return found

    def _item(self, one: Worktree) -> dict[str, Any]:
        return {**one.item(), "inside": self._inside(one.path)}

    def _inside(self, path: str) -> list[str]:
        """Return the refs of the panes whose program works in this folder, with or without an agent."""
        out = []
        for item in self._view.panes.values():
            target = self._repository.target_named(item["identity"]["target"])
            if target is not None and target.kind == "local" and is_inside(item.get("cwd"), path):
                out.append(str(item["ref"]))
        return sorted(out)

    # ---------------------------------------------------------------- writes

    async def reserve(self, actor: Actor, wanted: WorktreeRequest) -> dict[str, Any]:
        """Record a worktree that is about to be added. Its item has the path, the branch and the lock's reason.

        Raises E_POLICY_DENIED, E_AGENT_NOT_FOUND, E_UNSUPPORTED, E_PRECONDITION_FAILED if it has one already.
        """
        owner = self._owner(actor, wanted.agent)
        self._allow(actor, "worktree", wanted.repository)
        now, repo = self._clock(), repo_id(wanted.repository)
        branch = branch_name(owner, wanted.slug, wanted.taken)
        path = os.path.join(self._folder, repo[:8], folder_name(owner, wanted.slug))
        made = Worktree(
            uuid7(now), repo, wanted.repository, owner, path, branch, wanted.base, wanted.base_commit, "adding",
            None, None, now, now,
        )  # fmt: skip

        def work(connection: sqlite3.Connection, publish: PublishChange) -> dict[str, Any]:
            rows.add_worktree(connection, made)
            publish("worktree", made.worktree_id, made.item())
            return made.item()

        return await self._once(actor, wanted, work)

    async def report(self, actor: Actor, worktree_id: str, report: WorktreeReport) -> dict[str, Any]:
        """Take over what git did to a worktree. Raises E_WORKTREE_DIRTY if a pane is inside that is to be removed.

        Raises E_PRECONDITION_FAILED if the disk says otherwise, or the step does not follow the record's state.
        """
        known = await self._one(worktree_id)
        self._require_own(actor, known)
        self._allow(actor, "worktree", known.path)
        if report.step == "removing":
            self._require_empty(known)
        if report.step in ("added", "removed"):
            await self._require_on_disk(known.path, report.step == "added")

        def work(connection: sqlite3.Connection, publish: PublishChange) -> dict[str, Any]:
            one = rows.one_worktree(connection, worktree_id) or known
            changed = replace(one, state=next_state(one, report.step), updated_at=self._clock())
            if report.step == "checked":
                changed = replace(changed, conflicts=report.conflicts)
            if report.step == "salvaged" and report.salvage_item is not None:
                changed = replace(changed, salvage={**report.salvage_item, "at": stamp(self._clock())})
            rows.save_worktree(connection, changed)
            if replace(changed, updated_at=one.updated_at) != one:
                publish("worktree", one.worktree_id, None if changed.state == "removed" else changed.item())
            return changed.item()

        return await self._once(actor, report, work, worktree_id)

    async def _once(
        self,
        actor: Actor,
        wanted: WorktreeRequest | WorktreeReport,
        work: Callable[[sqlite3.Connection, PublishChange], dict[str, Any]],
        subject: str = "",
    ) -> dict[str, Any]:
        """Do the work of one request, or return what it was answered before."""
        sender = actor.agent_id or actor.label
        text = json.dumps([subject, wanted.model_dump(mode="json")], sort_keys=True)
        payload = hashlib.sha256(text.encode()).hexdigest()

        def write(connection: sqlite3.Connection, publish: PublishChange) -> dict[str, Any]:
            before = rows.answered(connection, sender, wanted.request_ref, payload)
            if before is not None:
                return before
            answer = work(connection, publish)
            rows.save_answer(connection, sender, wanted.request_ref, payload, answer, self._clock())
            return answer

        return await self._write(write)

    # ---------------------------------------------------------------- who, and where

    def _owner(self, actor: Actor, name: str | None) -> Owner:
        """Return whose worktree is meant. A person may name an agent that does not run yet."""
        if actor.agent_id is not None and actor.name is not None:
            own = Owner(actor.name, actor.team, actor.agent_id)
            if name is not None and self._agents.find(name).agent_id != actor.agent_id:
                raise AgtmuxError("E_POLICY_DENIED", f"you are {actor.name}: an agent adds only its own worktrees")
            return own
        if name is None:
            raise AgtmuxError("E_INVALID_REQUEST", "say which agent it is for: pass --agent NAME")
        try:
            agent = self._agents.find(name)
        except AgtmuxError as error:
            if error.code != "E_AGENT_NOT_FOUND":
                raise
            return Owner(checked_name(name))
        runtime = self._repository.runtimes.get(agent.runtime_id or "")
        target = self._repository.targets.get(runtime.target_id) if runtime is not None else None
        if target is not None and target.kind != "local":
            raise AgtmuxError(
                "E_UNSUPPORTED",
                f"{agent.name} runs on {target.name}, and worktrees on other machines are not supported yet: "
                "run git worktree add there",
            )
        return Owner(agent.name, agent.team, agent.agent_id)

    def _require_own(self, actor: Actor, one: Worktree) -> None:
        if not actor.is_agent or one.owner.agent_id == actor.agent_id:
            return
        names = (one.owner.name.casefold(), (one.owner.team or "").casefold())
        if one.owner.agent_id is None and names == ((actor.name or "").casefold(), (actor.team or "").casefold()):
            return
        raise AgtmuxError(
            "E_POLICY_DENIED", f"this is the worktree of {one.owner.name}: an agent changes only its own worktrees"
        )

    def _require_empty(self, one: Worktree) -> None:
        inside = self._inside(one.path)
        if inside:
            raise AgtmuxError(
                "E_WORKTREE_DIRTY",
                f"{one.path} is kept, because {', '.join(inside[:5])} work in it: leave it there first",
                {"what": [{"kind": "inside", "text": "panes that work there", "paths": inside}]},
            )

    @staticmethod
    async def _require_on_disk(path: str, wanted: bool) -> None:
        """Raise E_PRECONDITION_FAILED unless the worktree is there, or nothing of it is."""
        names = [path] if wanted else [path, f"{path}.removing", f"{path}.deleting"]
        look = asyncio.to_thread(lambda: any(os.path.lexists(name) for name in names))
        try:
            there = await asyncio.wait_for(look, _LOOK_LIMIT)
        except TimeoutError:
            raise AgtmuxError(
                "E_PRECONDITION_FAILED", f"{path} did not answer within {_LOOK_LIMIT:.0f} s: try again"
            ) from None
        if there is not wanted:
            fact = "is still there" if there else "is not there"
            raise AgtmuxError(
                "E_PRECONDITION_FAILED", f"{path} {fact}, so the record is unchanged: see agtmux worktree check"
            )
