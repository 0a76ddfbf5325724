"""Let agents on a machine behind ssh send messages, signals and waits in their own name, through the forwarded socket.

Owns the proof of who asks (``call_program`` makes it) and which routes are open there. The daemon reads the process
table of that machine by itself: nothing in a request names an agent. Routes that work with files of this machine stay
closed.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.callers import PROVEN
from agtmuxd.api.route import Access, Route, RouteTable, path_pattern
from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor
from agtmuxd.core.model import Proc
from agtmuxd.core.token_bucket import TokenBuckets
from agtmuxd.remote_hooks.call_program import HEADER, digest
from agtmuxd.repository import Runtime
from agtmuxd.targets.executor import ExecutorError, TargetExecutor

OPEN: Final = ("whoami", "agents", "messages", "channels", "deliveries", "signals", "waits")
"""The first words of open paths, behind ``/v1/``. Only their routes with ``Access.AGENTS`` are open."""
RATE: Final = 2.0
BURST: Final = 20.0
"""Requests a second from one machine, in the long run and at once. Each costs a reading of its process table."""
SHOWN: Final = 4
"""Processes that the audit names."""
_CALLER: Final = re.compile(r"([1-9][0-9]{0,9}) ([0-9a-f]{32})")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class CallAccess:
    """What requests from elsewhere need from the daemon.

    ``runtimes(target_id)``: the runtimes there that are active. ``actor_of(runtime_id, caller, why)``: who that is.
    """

    routes: Callable[[], Sequence[RouteTable[Any]]]
    runtimes: Callable[[str], Sequence[Runtime]]
    actor_of: Callable[[str, Caller, str], Awaitable[Actor]]


class AgentCalls:
    """The requests of agents of one target."""

    def __init__(self, target_id: str, executor: TargetExecutor, access: CallAccess, clock: Callable[[], int]) -> None:
        """``clock``: ns."""
        self._target_id = target_id
        self._executor = executor
        self._access = access
        self._clock = clock
        self._buckets = TokenBuckets(RATE, BURST)
        self._reading = asyncio.Lock()

    def handlers(self) -> Iterator[tuple[str, str, Handler]]:
        """Yield method, path pattern and handler of each open route."""
        for table in self._access.routes():
            for route in table.routes:
                if route.access is Access.AGENTS and route.path.split("/")[2] in OPEN:
                    yield route.method, path_pattern(route.path), self._handler(route, table.service)

    def _handler(self, route: Route[Any], service: Any) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            request[PROVEN] = await self._prove(request)
            return await route.handler(request, service)

        return handle

    async def _prove(self, request: web.Request) -> Actor:
        """Return the agent that sends a request. Raises E_FORBIDDEN, E_RATE_LIMITED."""
        match = _CALLER.fullmatch(request.headers.get(HEADER, ""))
        if match is None:
            raise _unknown(f"there is no proof of who asks (the header {HEADER})")
        wait = math.ceil(self._buckets.take((self._target_id,), self._clock()))
        if wait:
            raise AgtmuxError(
                "E_RATE_LIMITED", f"too many requests from that machine: wait {wait} s", {"retry_after_s": wait}
            )
        wanted = digest(match[2], request.method, request.raw_path, await request.read())
        async with self._reading:
            try:
                table = {proc.pid: proc for proc in await self._executor.process_table()}
            except ExecutorError as error:
                raise _unknown(str(error)) from error
        helper = table.get(int(match[1]))
        if helper is None or helper.state in "ZXx" or not any(_same(word, wanted) for word in helper.argv):
            raise _unknown("no process there stands for this request")
        runtimes = {(r.pid, r.process_start): r for r in self._access.runtimes(self._target_id)}
        chain = list(_chain(table, helper))
        for proc in chain:
            runtime = runtimes.get((proc.pid, proc.start))
            if runtime is not None:
                command = " < ".join(one.comm for one in chain[1 : SHOWN + 1])
                return await self._access.actor_of(
                    runtime.runtime_id, Caller(command=command), f"it is {runtime.agent_type} in {runtime.pane_id}"
                )
        raise _unknown("it runs below no agent in a watched pane of that machine")


def _same(word: str, wanted: str) -> bool:
    return hmac.compare_digest(word.encode("utf-8", "replace"), wanted.encode())


def _chain(table: Mapping[int, Proc], proc: Proc) -> Iterator[Proc]:
    """Yield a process and its ancestors, nearest first."""
    seen: set[int] = set()
    found: Proc | None = proc
    while found is not None and found.pid not in seen:
        seen.add(found.pid)
        yield found
        found = table.get(found.ppid)


def _unknown(why: str) -> AgtmuxError:
    return AgtmuxError("E_FORBIDDEN", f"the sender is unknown: {why}", {"reason": "agent"})
