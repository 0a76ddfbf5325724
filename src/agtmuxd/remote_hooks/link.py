"""Connect the hooks of one machine behind ssh to this daemon, as long as its target is watched.

Owns the order of steps. After the first good round of a connection: read the clock there, open the reverse socket,
fetch the spool. Then check all of this again every 15 s, or every 2 s without a socket.
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
from agtmuxd.remote_hooks.agent_calls import AgentCalls, CallAccess
from agtmuxd.remote_hooks.listener import SOURCES, EventListener
from agtmuxd.remote_hooks.reverse_socket import ReverseSocket
from agtmuxd.remote_hooks.spool_fetch import BURST, ByteBudget, RemoteSpool
from agtmuxd.store.db import Store
from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh.executor import SshExecutor

AGAIN: Final = 15.0
"""Seconds until spool and clock there are checked again: a hook may have been too late for the socket."""
AGAIN_WITHOUT: Final = 2.0
"""Seconds until the next check if no socket could be forwarded: then events come only through the spool."""
LEAVE_WITHIN: Final = 1.0
"""Seconds that the clean-up of the remote machine may take."""

_LOG = structlog.get_logger("remote")


@dataclass(frozen=True, slots=True)
class DaemonAccess:
    """What each link needs from the daemon. ``ingest(target_id, events, offset)`` returns when they are committed."""

    folder: str  # the daemon's runtime folder
    identity: str  # unique to this daemon, and the same after a restart
    store: Store
    ingest: Callable[[str, Sequence[WireEvent], int | None], Awaitable[list[dict[str, Any]]]]
    count: Callable[[str], None]
    clock: Callable[[], int]
    timeout: float  # s, for each command there
    calls: CallAccess | None = None
    """What requests of agents there need. None: only events are accepted."""
    patterns: Callable[[], Sequence[str]] = tuple
    """Configured regular expressions whose matches are redacted."""
    spool_rate: float = float(BURST)  # bytes a second fetched from the spool there


class RemoteHooksLink:
    """Serve the hooks of one ssh target. Call ``seen`` after each good round; ``run`` works until cancelled."""

    def __init__(self, target_id: str, executor: SshExecutor, home: DaemonAccess) -> None:
        digest = hashlib.sha256(f"{home.identity} {target_id}".encode()).hexdigest()
        self.offset: int | None = None
        """The clock there minus ours in ns, as last measured; None before."""
        self._target_id = target_id
        self._executor = executor
        self._home = home
        calls = None if home.calls is None else AgentCalls(target_id, executor, home.calls, home.clock)
        self._listener = EventListener(
            os.path.join(home.folder, f"far-{digest[:8]}"), self._ingest, self._events_refused, count=home.count,
            calls=tuple if calls is None else calls.handlers,
        )  # fmt: skip
        self._reverse = ReverseSocket(executor, digest[:16], self._listener.path, home.timeout)
        self._spool = RemoteSpool(
            target_id, digest[:16], executor, home.store, self._ingest_spooled, ByteBudget(home.spool_rate)
        )
        self._round = asyncio.Event()
        self._connection = 0
        self._due = 0.0
        self._clock_due = 0.0
        self._refused = False
        self._behind = False
        self._last_failure = ""

    def seen(self) -> None:
        """Note that a round was good."""
        self._round.set()

    def check_now(self) -> None:
        """Check the machine at once: something was changed there."""
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
                    await self._check()
        finally:
            await self._listener.stop()

    async def _check(self) -> None:
        reconnected = self._connection != self._executor.link.connects
        self._connection = self._executor.link.connects
        now = time.monotonic()
        try:
            listens = await self._listens()
            if not await self._reverse.is_installed():
                if self._reverse.was_open:  # the hooks were uninstalled
                    await self._spool.drain()
                    await self._reverse.close(forget=True)
                self._due = now + AGAIN
                return
            if reconnected or self.offset is None or now >= self._clock_due:
                self.offset = await self._reverse.offset(self._home.clock)
                self._clock_due = now + AGAIN
            if listens and (reconnected or not (self._reverse.is_open or self._refused)):
                await self._open()
            await self._reverse.send_patterns(self._home.patterns())
            self._behind = False
            await self._spool.drain()
            if self._spool.waits:
                self._behind = True
                self._home.count("remote_spool_held")
            self._due = now + (AGAIN if self._reverse.is_open and not self._behind else AGAIN_WITHOUT)
        except (ExecutorError, AgtmuxError, OSError) as error:
            self._due = now + AGAIN_WITHOUT
            self._report_failure(str(error))

    async def _listens(self) -> bool:
        """Check the socket on this side. Return False if it cannot be made: then events come through the spool."""
        try:
            await self._listener.look()
        except OSError as error:
            self._cannot_listen(error)
            return False
        return True

    def _cannot_listen(self, error: OSError) -> None:
        path = self._listener.path
        self._report_failure(f"cannot listen at {path} ({error.strerror or error}): try a shorter AGTMUX_RUNTIME_DIR")

    async def _open(self) -> None:
        self._refused = False
        try:
            await self._reverse.open()
        except ExecutorError as error:
            if error.reason != "refused":
                raise
            self._refused = True  # do not ask again on this connection
            self._report_failure(str(error))
            return
        self._last_failure = ""
        _LOG.info("remote hooks connected", target=self._target_id)

    def _report_failure(self, why: str) -> None:
        self._home.count("remote_hook_failures")
        if why != self._last_failure:
            self._last_failure = why
            _LOG.warning("remote hooks not connected; trying again", target=self._target_id, error=why)

    async def close(self, *, forget: bool) -> None:
        """Clean up the machine if that takes at most 1 s. ``forget``: also remove all files of this daemon there."""
        if self._executor.link.connected and self._reverse.was_open:
            try:
                async with asyncio.timeout(LEAVE_WITHIN):
                    await self._reverse.close(forget=forget)
            except (ExecutorError, TimeoutError) as error:
                _LOG.info("could not clean up the remote machine", target=self._target_id, error=str(error))

    # ---------------------------------------------------------------- events

    async def _ingest(self, events: Sequence[WireEvent]) -> list[dict[str, Any]]:
        return await self._home.ingest(self._target_id, events, self.offset)

    def _events_refused(self) -> None:
        """Note that events were refused: hooks spool them there, so fetch the spool within 2 s."""
        self._home.count("remote_events_refused")
        self._behind = True
        self._due = min(self._due, time.monotonic() + AGAIN_WITHOUT)

    async def _ingest_spooled(self, lines: list[dict[str, Any]]) -> None:
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
