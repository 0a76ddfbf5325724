"""Accept events and agents' requests from another machine through its forwarded socket, and refuse all others.

Owns the socket on this side and the limits. The caller decides which target the events belong to: nothing in a
request can name another target.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import structlog
from aiohttp import web
from pydantic import ValidationError

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.connections import Connection, Connections
from agtmuxd.api.envelopes import answer, failed, internal, invalid, new_request_id
from agtmuxd.api.parsing import MAX_BODY, BrokenBodyError, read_json, too_large
from agtmuxd.api.peer import Gate, peer_of
from agtmuxd.api.requests import EventBatch, WireEvent

RATE: Final = 200.0
BURST: Final = 1000.0
"""``RATE``: events a second in the long run. ``BURST``: events at once. Hooks spool the refused events there."""
CONNECTIONS: Final = 64
IDLE_SECONDS: Final = 5.0
SOURCES: Final = frozenset(("hook", "notify", "wrapper"))
"""Sources that may send events from there. The daemon itself reads all other sources."""

Take = Callable[[Sequence[WireEvent]], Awaitable[list[dict[str, Any]]]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Handlers = Callable[[], Iterable[tuple[str, str, Handler]]]


class TokenBucket:
    """Limit a rate: ``rate`` items a second in the long run, ``burst`` at once."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float]) -> None:
        self._rate, self._burst, self._now = rate, burst, now
        self._left, self._at = burst, now()

    def take(self, count: int) -> bool:
        """Take ``count`` items. Return False, and take none, if that is too many now."""
        now = self._now()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < count:
            return False
        self._left -= count
        return True


class EventListener:
    """Accept events at the socket ``path``, from ``start`` until ``stop``."""

    def __init__(
        self,
        path: str,
        take: Take,
        on_flood: Callable[[], None],
        *,
        count: Callable[[str], None] = lambda _: None,
        rate: float = RATE,
        burst: float = BURST,
        calls: Handlers = tuple,
    ) -> None:
        """``on_flood`` is called for each request that exceeds the rate. ``count``: see ``Connections``.

        ``calls()``: method, path pattern and handler of each other request that is accepted.
        """
        self.path = path
        self._take = take
        self._calls = calls
        self._on_flood = on_flood
        self._bucket: TokenBucket | None = None
        self._limits = rate, burst
        self._connections = Connections(CONNECTIONS, count, log=structlog.get_logger("remote"))
        self._listener: asyncio.Server | None = None
        self._bound_as: tuple[int, int] | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Start to accept connections. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._bucket = TokenBucket(*self._limits, loop.time)
        app = web.Application(client_max_size=MAX_BODY + 1)
        for method, path, handler in self._calls():
            app.router.add_route(method, path, partial(self._serve, handler))
        app.router.add_route("*", "/{rest:.*}", partial(self._serve, self._answer))
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self._runner.setup()
        await self._listen(self._runner)

    async def _listen(self, runner: web.AppRunner) -> None:
        loop, server = asyncio.get_running_loop(), cast(web.Server, runner.server)

        def make() -> asyncio.Protocol:
            return Connection(server, self._connections, loop=loop, idle_seconds=IDLE_SECONDS)

        def accept() -> asyncio.Protocol:
            return Gate(make, os.getuid(), peer_of, self._connections)

        sock = _bind(self.path)
        self._bound_as = _identity(self.path)
        self._listener = await loop.create_server(accept, sock=sock, backlog=64)

    async def look(self) -> None:
        """Bind again if the socket's file is gone, as after a logout that emptied the folder. Raises OSError."""
        if self._runner is None or (self._listener is not None and _identity(self.path) == self._bound_as):
            return
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._listen(self._runner)

    async def stop(self) -> None:
        """Stop accepting and remove the socket. Idempotent."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        Path(self.path).unlink(missing_ok=True)

    async def _serve(self, handler: Handler, request: web.Request) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)  # noqa: S101 made by _listen
        connection.busy += 1
        try:
            return await self._answered(handler, request)
        finally:
            connection.busy -= 1

    async def _answered(self, handler: Handler, request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BrokenBodyError as error:
            self._connections.note_malformed(error.message)
            return failed(error)
        except AgtmuxError as error:
            return failed(error)
        except ValidationError as error:
            return failed(invalid(error))
        except web.HTTPRequestEntityTooLarge:
            return failed(too_large())
        except Exception as error:  # noqa: BLE001 - the outermost edge: logged, and answered without inner details
            request_id = new_request_id()
            structlog.get_logger("remote").error("request failed", request_id=request_id, error=repr(error)[:500])
            return internal(request_id)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if (request.method, request.raw_path) != ("POST", "/v1/events"):
            raise AgtmuxError("E_FORBIDDEN", "this socket accepts only POST /v1/events")
        value = await read_json(request)
        if isinstance(value, dict) and "events" in value:
            events = EventBatch.model_validate(value).events
        else:
            events = [WireEvent.model_validate(value)]
        if any(event.source not in SOURCES for event in events):
            raise AgtmuxError("E_FORBIDDEN", f"this socket takes events of {', '.join(sorted(SOURCES))}")
        if self._bucket is None or not self._bucket.take(len(events)):
            self._on_flood()
            raise AgtmuxError("E_OVERLOADED", "too many events at once: spool them; agtmux fetches them in a moment")
        return answer(results=await self._take(events))


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _bind(path: str) -> socket.socket:
    """Return a socket bound at ``path`` with mode 0600 from the start. Raises OSError."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(path)
    except OSError:
        made.close()
        raise
    finally:
        os.umask(before)
    made.setblocking(False)
    return made
