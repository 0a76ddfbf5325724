"""Look at the leases when one is due, and let ``agtmux wait`` wait for a name. Costs nothing while nobody holds any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.actor import Actor
from agtmuxd.core.model import NS
from agtmuxd.features.leases.model import name_scope
from agtmuxd.features.leases.service import Leases
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync

_LOG = structlog.get_logger("leases")
LONGEST: Final = 60.0
"""Seconds without a look while somebody holds a lease. A machine that slept is found by it."""
AFTER_ERROR: Final = 5.0


class LeaseTimer:
    """Runs ``Leases.sweep`` when something is due. Implements ``Subscriber``: an agent that ends is such a time."""

    def __init__(self, leases: Leases, clock: Callable[[], int]) -> None:
        self._leases = leases
        self._clock = clock
        self._wake = asyncio.Event()
        self._open = True  # whether somebody holds a lease
        leases.on_write = self.look_again

    def look_again(self) -> None:
        """Look at the leases now."""
        self._wake.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self._wake.clear()
            try:
                at = await self._leases.sweep()
                wait = None if at is None else min(LONGEST, max(0.0, (at - self._clock()) / NS))
            except AgtmuxError as error:
                _LOG.warning("leases could not be looked at", error=error.message)
                at, wait = 0, AFTER_ERROR
            self._open = at is not None
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)

    async def on_changes(self, batch: Batch) -> None:
        """Look again if an agent changed while somebody holds a lease."""
        if self._open and any(change.identity.get("kind") == "agent" for change in batch.changes.get("coord", ())):
            self.look_again()

    async def on_resync(self, reason: Resync) -> None:
        """Look again."""
        del reason
        self.look_again()


class LeaseCondition:
    """``lease:NAME=free`` and ``lease:NAME=mine``. Implements ``Condition``."""

    wakes_on = frozenset({"lease"})

    def __init__(self, leases: Leases) -> None:
        self._leases = leases

    async def prepare(self, operand: str, actor: Actor) -> str:
        """Check the condition. Raises E_INVALID_REQUEST."""
        del actor
        name, _, wanted = operand.rpartition("=")
        if wanted not in ("free", "mine"):
            text = f"lease:{operand[:80]} is no condition: use lease:NAME=free or lease:NAME=mine"
            raise AgtmuxError("E_INVALID_REQUEST", text)
        return f"{name_scope(name).name}={wanted}"

    async def check(self, operand: str, agent_id: str | None) -> dict[str, Any] | None:
        """Return what is free, or the lease of the one who waits."""
        name, _, wanted = operand.rpartition("=")
        scope = name_scope(name)
        held = [one for one in await self._leases.open_in(scope.scope_id) if not one.advisory]
        if wanted == "mine":
            mine = next((one for one in held if one.holder == (agent_id or "person")), None)
            return None if mine is None else {"lease": name, "lease_id": mine.lease_id, "fence": mine.fence}
        free = await self._leases.capacity(scope.scope_id) - len(held)
        return {"lease": name, "free": free} if free > 0 else None
