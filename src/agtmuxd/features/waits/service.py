"""Keep waits: check their conditions when something changes, end them at their time, wake those who wait.

Nothing is polled: a change that no condition is about costs a look at its kind. All conditions are checked one after
the other under one lock, so that no change is missed while a wait is made.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.envelopes import Envelope
from agtmuxd.config import WaitSettings
from agtmuxd.core.actor import Actor
from agtmuxd.core.ids import uuid7
from agtmuxd.core.model import NS
from agtmuxd.features.contract import Allow, Condition, PublishChange, Write
from agtmuxd.features.waits import store as rows
from agtmuxd.features.waits.model import Wait, WaitCondition, digest, needed_of, split_condition
from agtmuxd.services.health import HealthPart
from agtmuxd.store.db import Store
from agtmuxd.store.housekeeping import forget_at
from agtmuxd.stream.coordination import COORD
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync

_LOG = structlog.get_logger("waits")
_BATCH: Final = 1000
AGAIN: Final = NS
"""How long after a check that failed all conditions are checked again."""


@dataclass(frozen=True, slots=True)
class WaitRequest:
    """What somebody wants to wait for. ``timeout``: seconds."""

    mode: str
    at_least: int | None
    conditions: Sequence[str]
    timeout: float
    request_ref: str


class Waits:
    """Implements ``WaitsService`` of ``routes``, and ``Subscriber`` for what conditions are about."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        store: Store,
        write: Write,
        allow: Allow,
        conditions: Callable[[], Mapping[str, Condition]],
        settings: Callable[[], WaitSettings],
        clock: Callable[[], int],
    ) -> None:
        self.envelope = envelope
        self._store = store
        self._write = write
        self._allow = allow
        self._conditions = conditions
        self._settings = settings
        self._clock = clock
        self._open: dict[str, Wait] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self._is_loaded = False
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._again_at: int | None = None

    # ---------------------------------------------------------------- requests

    async def create(self, actor: Actor, wanted: WaitRequest) -> tuple[dict[str, Any], bool]:
        """Make a wait, once for each ``request_ref``. Return it, and whether it is of an earlier request.

        A condition that is met already counts. Raises E_INVALID_REQUEST, E_POLICY_DENIED, E_QUEUE_FULL,
        E_IDEMPOTENCY_CONFLICT, and the errors of the conditions.
        """
        self._allow(actor, "wait", "*")
        needed = needed_of(wanted.mode, wanted.at_least, len(wanted.conditions))
        request_digest = digest(wanted.mode, needed, wanted.conditions, wanted.timeout)
        async with self._lock:
            await self._load()
            found = await self._store.read(lambda c: rows.find_request(c, actor.agent_id, wanted.request_ref))
            if found is not None:
                if found[1] != request_digest:
                    raise AgtmuxError(
                        "E_IDEMPOTENCY_CONFLICT",
                        f"{wanted.request_ref} was used for another wait: use a new request_ref for each one",
                        {"wait_id": found[0].wait_id},
                    )
                return found[0].item(), True
            self._limit(actor)
            conditions = [await self._prepared(text, actor) for text in wanted.conditions]
            now = self._clock()
            wait = Wait(
                uuid7(now), actor.agent_id, actor.label, wanted.mode, needed, tuple(conditions),
                now + int(wanted.timeout * NS), now,
            )  # fmt: skip
            wait = wait.with_conditions(await self._checked(wait, None), self._clock())
            await self._write(lambda c, publish: self._add(c, publish, wait, wanted.request_ref, request_digest))
            self._keep(wait)
        return wait.item(), False

    async def get(self, wait_id: str, block: float) -> dict[str, Any]:
        """Return a wait once it is over, or after ``block`` seconds. Raises E_NOT_FOUND.

        Anybody may ask, as the stream shows all waits: to find out who asks costs a look at all processes.
        """
        wait = await self._find(wait_id)
        end = self._ends.get(wait_id)
        if wait.state == "open" and block > 0 and end is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), block)
            wait = await self._find(wait_id)
        return wait.item()

    async def listing(self, actor: Actor, state: str | None, limit: int) -> list[dict[str, Any]]:
        """List waits, newest first: all for a person, its own for an agent."""
        found = await self._store.read(
            lambda c: rows.list_waits(c, owner_agent_id=actor.agent_id, state=state, limit=limit)
        )
        return [wait.item() for wait in found]

    async def cancel(self, actor: Actor, wait_id: str) -> dict[str, Any]:
        """End a wait. One that is over stays as it is. Raises E_NOT_FOUND if it is not one of the caller's."""
        if actor.is_agent and (await self._find(wait_id)).owner_agent_id != actor.agent_id:
            raise _unknown(wait_id)
        async with self._lock:
            await self._load()
            wait = self._open.get(wait_id)
            if wait is not None:
                await self._save([wait.cancelled(self._clock())])
        return (await self._find(wait_id)).item()

    async def _find(self, wait_id: str) -> Wait:
        async with self._lock:
            await self._load()
        wait = self._open.get(wait_id) or await self._store.read(lambda c: rows.find_wait(c, wait_id))
        if wait is None:
            raise _unknown(wait_id)
        return wait

    def _limit(self, actor: Actor) -> None:
        settings = self._settings()
        own = sum(wait.owner_agent_id == actor.agent_id for wait in self._open.values())
        if len(self._open) >= settings.open or (actor.is_agent and own >= settings.open_of_agent):
            most = settings.open if len(self._open) >= settings.open else settings.open_of_agent
            raise AgtmuxError(
                "E_QUEUE_FULL", f"{most} waits are open already: cancel one with agtmux wait --cancel WAIT_ID",
                {"most": most},
            )  # fmt: skip

    async def _prepared(self, text: str, actor: Actor) -> WaitCondition:
        known = self._conditions()
        kind, operand = split_condition(text, known)
        return WaitCondition(text, kind, await known[kind].prepare(operand, actor))

    # ---------------------------------------------------------------- what wakes a wait

    async def on_changes(self, batch: Batch) -> None:
        """Check the conditions that are about what changed."""
        kinds = {change.identity["kind"] for change in batch.changes.get(COORD, ())}
        if batch.changes.get("panes"):
            kinds.add("panes")
        kinds.discard("wait")
        if self._open and kinds:
            await self._check(frozenset(kinds))

    async def on_resync(self, reason: Resync) -> None:
        """Check all conditions: at the start, and after changes were lost."""
        del reason
        await self._check(None)

    async def run(self) -> None:
        """End waits at their time, until cancelled."""
        while True:
            self._wake.clear()
            due = self._due()
            with suppress(TimeoutError):
                seconds = None if due is None else max(0.0, (due - self._clock()) / NS) + 0.001
                await asyncio.wait_for(self._wake.wait(), seconds)
            await self.end_due()

    async def end_due(self) -> None:
        """End the waits whose time is over, and check again what failed before."""
        again = self._again_at is not None and self._again_at <= self._clock()
        if again:
            self._again_at = None
        await self._check(None if again else frozenset())

    def _due(self) -> int | None:
        """Return when the next wait ends by time, or the next check is repeated (ns)."""
        times = [wait.deadline for wait in self._open.values()]
        return min([*times, self._again_at] if self._again_at is not None else times, default=None)

    async def _check(self, kinds: frozenset[str] | None) -> None:
        """Check the open conditions that wake on one of ``kinds`` (None: all), and end the waits that are due."""
        async with self._lock:
            await self._load()
            changed = []
            for wait in list(self._open.values()):
                conditions = await self._checked(wait, kinds)
                after = wait.with_conditions(conditions, self._clock())
                if after != wait:
                    changed.append(after)
            await self._save(changed)

    async def _checked(self, wait: Wait, kinds: frozenset[str] | None) -> list[WaitCondition]:
        """Return the conditions of a wait as they are now."""
        known = self._conditions()
        out = []
        for one in wait.conditions:
            condition = known.get(one.kind)
            if one.state == "open" and condition is None:
                one = replace(one, state="gone", at=self._clock(), reason=f"this daemon knows no {one.kind}:")
            elif one.state == "open" and condition is not None and (kinds is None or condition.wakes_on & kinds):
                one = await self._checked_one(one, condition, wait.owner_agent_id)
            out.append(one)
        return out

    async def _checked_one(self, one: WaitCondition, condition: Condition, owner: str | None) -> WaitCondition:
        try:
            result = await condition.check(one.operand, owner)
        except AgtmuxError as error:
            if error.code == "E_NOT_FOUND":
                return replace(one, state="gone", at=self._clock(), reason=error.message)
            _LOG.warning("a condition could not be checked; trying again", condition=one.text, error=error.message)
        except Exception:  # noqa: BLE001 a condition of one feature never keeps other waits from their end
            _LOG.exception("a condition could not be checked; trying again", condition=one.text)
        else:
            return one if result is None else replace(one, state="met", at=self._clock(), result=result)
        self._again_at = self._clock() + AGAIN
        self._wake.set()
        return one

    # ---------------------------------------------------------------- database, then memory, then those who wait

    async def _load(self) -> None:
        """Load the open waits, once. The caller holds the lock."""
        if not self._is_loaded:
            for wait in await self._store.read(rows.open_waits):
                self._keep(wait)
            self._is_loaded = True

    def _add(
        self, connection: sqlite3.Connection, publish: PublishChange, wait: Wait, request_ref: str, request_digest: str
    ) -> None:
        rows.add_wait(connection, wait, request_ref, request_digest)
        publish("wait", wait.wait_id, wait.item())

    async def _save(self, changed: Sequence[Wait]) -> None:
        if not changed:
            return

        def work(connection: sqlite3.Connection, publish: PublishChange) -> None:
            for wait in changed:
                rows.save_wait(connection, wait)
                publish("wait", wait.wait_id, wait.item())

        await self._write(work)
        for wait in changed:
            self._keep(wait)

    def _keep(self, wait: Wait) -> None:
        if wait.state == "open":
            self._open[wait.wait_id] = wait
            self._ends.setdefault(wait.wait_id, asyncio.Event())
        else:
            self._open.pop(wait.wait_id, None)
            end = self._ends.pop(wait.wait_id, None)
            if end is not None:
                end.set()
        self._wake.set()

    def health(self) -> HealthPart:
        """Return how many waits are open."""
        return HealthPart(counters={"open": len(self._open)})

    def purge(self, connection: sqlite3.Connection, now: int) -> int:
        """Delete results that are too old. A clock that jumped ahead deletes nothing. Return how many were deleted."""
        safe, _ = forget_at(connection)
        keep = int(self._settings().days * 86_400 * NS)
        return rows.purge(connection, (now if safe is None else min(safe, now)) - keep, _BATCH)


def _unknown(wait_id: str) -> AgtmuxError:
    return AgtmuxError("E_NOT_FOUND", f"there is no wait {wait_id[:80]} of yours: see agtmux wait --list")
