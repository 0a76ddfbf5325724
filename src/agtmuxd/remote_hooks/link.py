"""Keeps the hooks of one machine behind ssh in touch with this daemon, for as long as its target is watched.

Owns the order of things: after the first good round of a connection the clock there is read, the way back opened, the
spool fetched; and all of that is looked at again now and then.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from pydantic import ValidationError

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.requests import WireEvent
from agtmuxd.remote_hooks.listener import SOURCES, EventListener
from agtmuxd.remote_hooks.reverse_socket import ReverseSocket
from agtmuxd.remote_hooks.spool_fetch import BURST, ByteBudget, RemoteSpool
from agtmuxd.store.db import Store
from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh.executor import SshExecutor

AGAIN: Final = 15.0
"""Seconds after which spool and clock there are looked at again: a hook may have been too late for the socket."""
AGAIN_WITHOUT: Final = 2.0
"""The same where no socket could be forwarded: then the spool is the only way."""
LEAVE_WITHIN: Final = 1.0

_LOG = structlog.get_logger("remote")


@dataclass(frozen=True, slots=True)
class DaemonAccess:
    """What every outpost needs of the daemon. ``ingest(target_id, events, offset)``: durable when it returns."""

    folder: str  # the daemon's runtime folder
    identity: str  # tells this daemon from others, and is the same after a restart
    store: Store
    ingest: Callable[[str, Sequence[WireEvent], int | None], Awaitable[list[dict[str, Any]]]]
    count: Callable[[str], None]
    clock: Callable[[], int]
    timeout: float  # s, for each thing done there
    patterns: Callable[[], Sequence[str]] = tuple
    """Regular expressions of the configuration whose matches are to be removed."""
    spool_rate: float = float(BURST)  # bytes a second of what was spooled there


class RemoteHooksLink:
    """The companion of one ssh target's observer: ``seen`` after each good round, ``run`` until cancelled."""

    def __init__(self, target_id: str, executor: SshExecutor, home: DaemonAccess) -> None:
        digest = hashlib.sha256(f"{home.identity} {target_id}".encode()).hexdigest()
        self.offset: int | None = None
        """The clock there minus ours, ns, as last measured."""
        self._target_id = target_id
        self._executor = executor
        self._home = home
        self._listener = EventListener(
            os.path.join(home.folder, f"far-{digest[:8]}"), self._taken, self._flooded, count=home.count
        )
        self._way = ReverseSocket(executor, digest[:16], self._listener.path, home.timeout)
        self._spool = RemoteSpool(
            target_id, digest[:16], executor, home.store, self._fetched, ByteBudget(home.spool_rate)
        )
        self._round = asyncio.Event()
        self._connection = 0
        self._due = 0.0
        self._clock_due = 0.0
        self._refused = False
        self._behind = False
        self._told = ""

    def seen(self) -> None:
        """A round was good."""
        self._round.set()

    def check_now(self) -> None:
        """Something was changed there: look again at once."""
        self._due = 0.0
        self._round.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            await self._listener.start()
        except OSError as error:
            self._cannot_listen(error)
        try:
            while True:
                await self._round.wait()
                self._round.clear()
                if self._connection != self._executor.link.connects or time.monotonic() >= self._due:
                    await self._tend()
        finally:
            await self._listener.stop()

    async def _tend(self) -> None:
        anew = self._connection != self._executor.link.connects
        self._connection = self._executor.link.connects
        now = time.monotonic()
        try:
            listens = await self._listens()
            if not await self._way.placed():
                if self._way.was_open:  # the hooks were uninstalled
                    await self._spool.drain()
                    await self._way.close(forget=True)
                self._due = now + AGAIN
                return
            if anew or self.offset is None or now >= self._clock_due:
                self.offset = await self._way.offset(self._home.clock)
                self._clock_due = now + AGAIN
            if listens and (anew or not (self._way.is_open or self._refused)):
                await self._open()
            await self._way.tell(self._home.patterns())
            self._behind = False
            await self._spool.drain()
            if self._spool.waits:
                self._behind = True
                self._home.count("remote_spool_held")
            self._due = now + (AGAIN if self._way.is_open and not self._behind else AGAIN_WITHOUT)
        except (ExecutorError, AgtmuxError, OSError) as error:
            self._due = now + AGAIN_WITHOUT
            self._say(str(error))

    async def _listens(self) -> bool:
        """Whether the socket on this side is there; where it cannot be made, events come by the spool."""
        try:
            await self._listener.look()
        except OSError as error:
            self._cannot_listen(error)
            return False
        return True

    def _cannot_listen(self, error: OSError) -> None:
        path = self._listener.path
        self._say(f"{path} cannot be listened at ({error.strerror or error}): a shorter AGTMUX_RUNTIME_DIR may help")

    async def _open(self) -> None:
        self._refused = False
        try:
            await self._way.open()
        except ExecutorError as error:
            if error.reason != "refused":
                raise
            self._refused = True  # not asked for again on this connection
            self._say(str(error))
            return
        self._told = ""
        _LOG.info("remote hooks connected", target=self._target_id)

    def _say(self, why: str) -> None:
        self._home.count("remote_hook_failures")
        if why != self._told:
            self._told = why
            _LOG.warning("remote hooks not connected; trying again", target=self._target_id, said=why)

    async def close(self, *, forget: bool) -> None:
        """Leave in order where that is quick; ``forget``: with all that is ours there."""
        if self._executor.link.connected and self._way.was_open:
            try:
                async with asyncio.timeout(LEAVE_WITHIN):
                    await self._way.close(forget=forget)
            except (ExecutorError, TimeoutError) as error:
                _LOG.info("could not clean up the remote machine", target=self._target_id, said=str(error))

    # ---------------------------------------------------------------- events

    async def _taken(self, events: Sequence[WireEvent]) -> list[dict[str, Any]]:
        return await self._home.ingest(self._target_id, events, self.offset)

    def _flooded(self) -> None:
        """Events were refused: they wait in the spool there, which is not left until its turn comes."""
        self._home.count("remote_events_refused")
        self._behind = True
        self._due = min(self._due, time.monotonic() + AGAIN_WITHOUT)

    async def _fetched(self, lines: list[dict[str, Any]]) -> None:
        good = []
        for line in lines:
            try:
                event = WireEvent.model_validate(line)
            except ValidationError:
                event = None
            if event is not None and event.source in SOURCES:
                good.append(event)
            else:
                self._home.count("spool_lines_refused")
        if good:
            await self._home.ingest(self._target_id, good, self.offset)
            for _ in good:
                self._home.count("spooled_there")
