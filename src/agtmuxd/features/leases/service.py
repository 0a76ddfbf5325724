"""Grant, renew, release and take over leases, each decision in one transaction of the database.

Owns the order: what has run out is ended first, then conflicts are looked for, then leases are written. So no two
requests can both see a free path. Whether an agent lives comes from the directory of agents and the health of targets.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.core.actor import Actor
from agtmuxd.core.globs import Budget
from agtmuxd.core.ids import uuid7
from agtmuxd.features.contract import Agents, Allow, PublishChange, Write
from agtmuxd.features.leases import store as rows
from agtmuxd.features.leases.model import (
    KEEP_ENDED,
    KEEP_REQUESTS,
    Lease,
    Scope,
    checked_ttl,
    conflict_error,
    conflicts,
    due,
    holder_of,
    next_look,
    next_step,
    overlaps,
)
from agtmuxd.features.leases.repository_folder import RepositoryFolders
from agtmuxd.features.leases.requests import LeaseRequest, digest, drafts, same_hold
from agtmuxd.repository import Repository
from agtmuxd.store.db import Store

Living = dict[str, str | None]
"""The runtime of each agent whose fate is known; None: it has none."""
PURGE = 2000
"""Rows that one purge deletes at most."""


class Leases:
    """Implements ``LeaseService`` of ``routes``."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        store: Store,
        write: Write,
        agents: Agents,
        allow: Allow,
        repository: Repository,
        redact: Callable[[Any], Any],
        clock: Callable[[], int],
        folders: RepositoryFolders | None = None,
    ) -> None:
        self.envelope = envelope
        self.on_write: Callable[[], None] = lambda: None
        """Called after each change of a lease: the time of the next look may have changed."""
        self._store = store
        self._write = write
        self._agents = agents
        self._allow = allow
        self._repository = repository
        self._redact = redact
        self._clock = clock
        self._folders = folders or RepositoryFolders()

    # ---------------------------------------------------------------- reads

    async def listing(
        self, *, ended: bool, limit: int, lease_id: str | None, holder: str | None
    ) -> list[dict[str, Any]]:
        """List leases, newest first. ``holder``: only those of this holder, each with ``mine``."""

        def read(connection: sqlite3.Connection) -> list[Lease]:
            if lease_id is not None:
                one = rows.lease(connection, lease_id)
                return [] if one is None else [one]
            return rows.listing(connection, ended=ended, limit=limit)

        now, living = self._clock(), self._living()
        found = [one if one.ended_at is not None else due(one, now, living) for one in await self._store.read(read)]
        if not ended and lease_id is None:
            found = [one for one in found if one.ended_at is None]
        return [one.item(holder) for one in found if holder is None or one.holder == holder]

    async def check(self, actor: Actor, wanted: LeaseRequest) -> list[dict[str, Any]]:
        """Return the leases that would refuse this request. Writes nothing."""
        repository = await self._repository_of(wanted)
        now, living, budget = self._clock(), self._living(), Budget()
        new = drafts(wanted, repository, actor, now)
        opens = await self._store.read(lambda connection: self._open(connection, new))
        held = [one for one in (due(one, now, living) for one in opens[0]) if one.ended_at is None]
        found: dict[str, Lease] = {}
        for one in new:
            one = replace(one, scope=opens[1].get(one.scope.scope_id, one.scope))
            found |= {other.lease_id: other for other in conflicts(one, _of(held, one.scope), budget)}
        return [one.item(holder_of(actor)) for one in found.values()]

    async def open_in(self, scope_id: str) -> list[Lease]:
        """Return the open leases of a scope, as they are now."""
        now, living = self._clock(), self._living()
        opens = await self._store.read(lambda connection: rows.open_leases(connection, [scope_id]))
        return [one for one in (due(one, now, living) for one in opens) if one.ended_at is None]

    async def capacity(self, scope_id: str) -> int:
        """Return how many may hold a name at once."""
        found = await self._store.read(lambda connection: rows.scope(connection, scope_id))
        return 1 if found is None else found.capacity

    async def find_repository(self, git_dir: str) -> Scope:
        """Return the scope of a repository. Raises E_INVALID_REQUEST."""
        return await self._folders.find(git_dir)

    # ---------------------------------------------------------------- writes

    async def acquire(self, actor: Actor, wanted: LeaseRequest, request_ref: str) -> dict[str, Any]:
        """Grant all that is wanted, or nothing. Raises E_LEASE_CONFLICT, naming who holds what."""
        for object_ in wanted.objects():
            self._allow(actor, "lease", object_)
        repository = await self._repository_of(wanted)
        wanted = replace(wanted, reason=self._redact(wanted.reason))
        living = self._living()

        def work(connection: sqlite3.Connection, publish: PublishChange) -> dict[str, Any]:
            now, budget = self._clock(), Budget()
            new = drafts(wanted, repository, actor, now)
            opens = self._settle(connection, publish, {one.scope.scope_id for one in new}, living)
            granted: list[Lease] = []
            for one in new:
                scope = self._scope(connection, one.scope, wanted.capacity, _of(opens, one.scope))
                one = replace(one, scope=scope)
                others = _of([*opens, *granted], scope)
                again = same_hold(one, others)
                if again is not None:
                    granted.append(again.renewed(now, wanted.ttl))
                    rows.update(connection, granted[-1])
                    continue
                found = conflicts(one, others, budget)
                if found:
                    raise conflict_error(one, found, next_step(one, found))
                granted.append(replace(one, lease_id=uuid7(now), fence=rows.next_fence(connection)))
                rows.add(connection, granted[-1])
            for one in granted:
                publish("lease", one.lease_id, one.item())
            return {"items": [one.item(holder_of(actor)) for one in granted]}

        return await self._once(actor, request_ref, wanted.digest("acquire"), work)

    async def renew(self, actor: Actor, lease_id: str, fence: int, ttl: int | None, request_ref: str) -> dict[str, Any]:
        """Let a lease last longer. Raises E_LEASE_FENCED if it is no longer the one with this fence."""
        self._allow(actor, "lease", f"lease:{lease_id}")
        living = self._living()

        def work(connection: sqlite3.Connection, publish: PublishChange) -> dict[str, Any]:
            one = self._current(connection, publish, lease_id, fence, living)
            if one.holder != holder_of(actor):
                raise _not_yours(one, "renew")
            one = replace(one.renewed(self._clock(), checked_ttl(ttl, one.ttl)), runtime_id=actor.runtime_id)
            rows.update(connection, one)
            publish("lease", one.lease_id, one.item())
            return {"item": one.item(holder_of(actor))}

        return await self._once(actor, request_ref, digest("renew", {"id": lease_id, "fence": fence, "ttl": ttl}), work)

    async def release(self, actor: Actor, lease_id: str, fence: int, request_ref: str) -> dict[str, Any]:
        """End a lease. A person may end that of an agent. Raises E_LEASE_FENCED."""
        self._allow(actor, "lease", f"lease:{lease_id}")
        living = self._living()

        def work(connection: sqlite3.Connection, publish: PublishChange) -> dict[str, Any]:
            one = self._current(connection, publish, lease_id, fence, living)
            if actor.is_agent and one.holder != holder_of(actor):
                raise _not_yours(one, "release")
            why = "released" if one.holder == holder_of(actor) else f"released by {actor.label}"
            one = self._end(connection, publish, one.ended(self._clock(), "released", why))
            return {"item": one.item(holder_of(actor))}

        return await self._once(actor, request_ref, digest("release", {"id": lease_id, "fence": fence}), work)

    async def take(
        self, actor: Actor, lease_id: str, fence: int, ttl: int | None, reason: str | None, request_ref: str
    ) -> dict[str, Any]:
        """Take a lease over: anybody if its holder is gone, else only a person. The new one has a higher fence.

        What the holder holds besides, and overlaps with it, is taken over too. Raises E_LEASE_FENCED, E_LEASE_CONFLICT.
        """
        self._allow(actor, "lease.take", f"lease:{lease_id}")
        reason = self._redact(reason)
        living = self._living()

        def work(connection: sqlite3.Connection, publish: PublishChange) -> dict[str, Any]:
            one = self._current(connection, publish, lease_id, fence, living)
            holder, now = holder_of(actor), self._clock()
            if one.holder == holder:
                raise AgtmuxError("E_PRECONDITION_FAILED", f"you hold {one.what} already: renew it instead")
            if actor.is_agent and one.state != "orphaned":
                raise conflict_error(one, [one], "its holder lives, so only a person may take it")
            old = _with_overlapping(one, rows.open_leases(connection, [one.scope.scope_id]), Budget())
            new = []
            for taken in old:
                self._end(connection, publish, taken.ended(now, "taken", f"taken by {actor.label}"))
                new.append(
                    replace(
                        taken, lease_id=uuid7(now), fence=rows.next_fence(connection), holder=holder,
                        holder_label=actor.label, agent_id=actor.agent_id, runtime_id=actor.runtime_id,
                        acquired_at=now, reason=reason,
                    ).renewed(now, checked_ttl(ttl, taken.ttl))
                )  # fmt: skip
                rows.add(connection, new[-1])
                publish("lease", new[-1].lease_id, new[-1].item())
            return {"items": [lease.item(holder) for lease in new], "taken_from": one.holder_label}

        asked = {"id": lease_id, "fence": fence, "ttl": ttl, "reason": reason}
        return await self._once(actor, request_ref, digest("take", asked), work)

    async def sweep(self) -> int | None:
        """End and renew what is due. Return when to look again (ns); None: only after another change."""
        opens = await self._store.read(rows.open_leases)
        now, living = self._clock(), self._living(one.agent_id for one in opens)
        if any(due(one, now, living) is not one for one in opens):
            opens = await self._write(lambda connection, publish: self._settle(connection, publish, None, living))
        return next_look(opens, now)

    def purge(self, connection: sqlite3.Connection, now: int) -> int:
        """Delete leases that ended long ago, and old answers."""
        return rows.purge(connection, ended_before=now - KEEP_ENDED, requests_before=now - KEEP_REQUESTS, most=PURGE)

    # ---------------------------------------------------------------- inside a transaction

    async def _once(
        self,
        actor: Actor,
        request_ref: str,
        asked: str,
        work: Callable[[sqlite3.Connection, PublishChange], dict[str, Any]],
    ) -> dict[str, Any]:
        """Run ``work`` once for each ``request_ref`` of this holder, and give its answer again."""
        holder = holder_of(actor)

        def once(connection: sqlite3.Connection, publish: PublishChange) -> dict[str, Any]:
            before = rows.answered(connection, holder, request_ref)
            if before is None:
                answer = work(connection, publish)
                rows.save_answer(connection, holder, request_ref, asked, answer, self._clock())
                return answer
            if before[0] != asked:
                text = f"request_ref {request_ref} was used for another request: use a new one for each request"
                raise AgtmuxError("E_IDEMPOTENCY_CONFLICT", text, {"request_ref": request_ref})
            return before[1]

        answer: dict[str, Any] = await self._write(once)
        self.on_write()
        return answer

    def _settle(
        self, connection: sqlite3.Connection, publish: PublishChange, scopes: Iterable[str] | None, living: Living
    ) -> list[Lease]:
        """End and renew the open leases of these scopes (None: all) that are due. Return those still open."""
        now, still = self._clock(), []
        for one in rows.open_leases(connection, scopes):
            later = due(one, now, living)
            if later is not one:
                rows.update(connection, later)
                publish("lease", later.lease_id, later.item())
            if later.ended_at is None:
                still.append(later)
        return still

    def _current(
        self, connection: sqlite3.Connection, publish: PublishChange, lease_id: str, fence: int, living: Living
    ) -> Lease:
        """Return an open lease if it has this fence. Raises E_NOT_FOUND, E_LEASE_FENCED."""
        one = rows.lease(connection, lease_id)
        if one is None:
            raise AgtmuxError("E_NOT_FOUND", f"there is no lease {lease_id[:80]}: see agtmux lease list --all")
        self._settle(connection, publish, [one.scope.scope_id], living)
        one = rows.lease(connection, lease_id) or one
        details: dict[str, object] = {"state": one.state, "end_reason": one.end_reason, "fence": one.fence}
        if one.ended_at is not None:
            text = f"the lease on {one.what} has ended ({one.state}: {one.end_reason}): acquire it again"
            raise AgtmuxError("E_LEASE_FENCED", text, details)
        if one.fence != fence:
            text = f"the lease on {one.what} has the fence {one.fence}, not {fence}: see agtmux lease show {lease_id}"
            raise AgtmuxError("E_LEASE_FENCED", text, details)
        return one

    def _end(self, connection: sqlite3.Connection, publish: PublishChange, one: Lease) -> Lease:
        rows.update(connection, one)
        publish("lease", one.lease_id, one.item())
        return one

    def _scope(
        self, connection: sqlite3.Connection, scope: Scope, capacity: int | None, opens: Sequence[Lease]
    ) -> Scope:
        """Return the stored scope; store it if it is new, or if nobody holds it and its capacity is to change."""
        known = rows.scope(connection, scope.scope_id)
        if known is None or scope.kind == "path":
            wanted = replace(scope, capacity=capacity or 1) if scope.kind == "name" else scope
        elif capacity is None or capacity == known.capacity:
            return known
        elif opens:
            text = f"{known.name} has the capacity {known.capacity} while it is held: leave out --capacity"
            raise AgtmuxError("E_PRECONDITION_FAILED", text, {"capacity": known.capacity})
        else:
            wanted = replace(known, capacity=capacity)
        if wanted != known:
            rows.save_scope(connection, wanted)
        return wanted

    def _open(self, connection: sqlite3.Connection, new: Sequence[Lease]) -> tuple[list[Lease], dict[str, Scope]]:
        """Read the open leases in the scopes of ``new``, and those scopes as stored."""
        ids = {one.scope.scope_id for one in new}
        stored = {one: found for one in ids if (found := rows.scope(connection, one)) is not None}
        return rows.open_leases(connection, ids), stored

    # ---------------------------------------------------------------- who lives

    def _living(self, more: Iterable[str | None] = ()) -> Living:
        """Return the runtimes of all agents. Those on a target that does not answer are left out: who knows.

        ``more``: agents that may be retired or forgotten, which have no runtime.
        """
        living: Living = dict.fromkeys((one for one in more if one is not None), None)
        for agent in self._agents.all():
            living[agent.agent_id] = agent.runtime_id
            runtime = self._repository.runtimes.get(agent.runtime_id or "")
            target = self._repository.targets.get(runtime.target_id) if runtime is not None else None
            if agent.runtime_id is not None and (target is None or target.health == "down"):
                del living[agent.agent_id]
        return living

    async def _repository_of(self, wanted: LeaseRequest) -> Scope | None:
        return await self._folders.find(wanted.git_dir) if wanted.git_dir is not None else None


def _of(leases: Iterable[Lease], scope: Scope) -> list[Lease]:
    return [one for one in leases if one.scope.scope_id == scope.scope_id]


def _not_yours(one: Lease, verb: str) -> AgtmuxError:
    text = f"{one.what} is held by {one.holder_label}, not by you: you cannot {verb} it; see agtmux lease take"
    return AgtmuxError("E_FORBIDDEN", text, {"holder": one.holder_label})


def _with_overlapping(one: Lease, opens: Sequence[Lease], budget: Budget) -> list[Lease]:
    """Return a lease with all of its holder that overlap it, directly or through others."""
    found, rest = [one], [o for o in opens if o.holder == one.holder and o.lease_id != one.lease_id]
    if one.scope.kind == "name":
        return found
    for each in found:  # grows while it is read
        more = [o for o in rest if overlaps(each, o, budget)]
        found += more
        rest = [o for o in rest if o not in more]
    return found
