"""Run the HTTP server on the daemon's socket: limits, the check of the peer, and errors as answers.

Owns the life of the server. Knows no route: it serves the tables that it is given.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import structlog
from aiohttp import web

from agtmux import __version__
from agtmuxd.api.answering import Answering, Serve, expect
from agtmuxd.api.callers import ASK_PEER, IDENTIFY, PERMIT, Identify, Permit, require_operator
from agtmuxd.api.connections import Connection, Connections
from agtmuxd.api.parsing import MAX_BODY
from agtmuxd.api.peer import Gate, Peer, peer_of
from agtmuxd.api.route import Access, Route, RouteTable, S, path_pattern

IDLE_SECONDS = 30.0  # a connection that sends no whole request head within this time is closed

MOST = 512
"""Connections, if the configuration sets no number."""


async def _add_version(_request: web.Request, response: web.StreamResponse) -> None:
    """Name the daemon's version in each answer. The CLI compares it with its own."""
    response.headers["Server"] = f"agtmuxd/{__version__}"


def _bound(route: Route[S], service: S) -> Serve:
    async def serve(request: web.Request) -> web.StreamResponse:
        if route.access is Access.OPERATORS:  # before anything of the request is read
            await require_operator(request)
        return await route.handler(request, service)

    return serve


class ApiServer:
    """Serves ``tables`` on ``sock``, a bound Unix stream socket (listening or not), to processes of uid ``owner`` only.

    The caller owns the socket's file: its mode is not changed here, and it is not removed.
    """

    def __init__(
        self,
        tables: Iterable[RouteTable[Any]],
        sock: socket.socket,
        *,
        permit: Permit,
        identify: Identify | None = None,
        end_streams: Callable[[float], Awaitable[None]],
        owner: int | None = None,
        ask_peer: Callable[[socket.socket], Peer] = peer_of,
        connections: Connections | None = None,
        log: Any = None,
    ) -> None:
        """``permit``: refuses a caller that is not an operator. ``identify``: finds out who asks.

        ``end_streams``: ends every watch within that many seconds.
        """
        self._permit = permit
        self._identify = identify
        self._end_streams = end_streams
        self._sock = sock
        self._owner = os.getuid() if owner is None else owner
        self._ask_peer = ask_peer
        self._connections = connections or Connections(MOST, lambda _: None)
        self._answering = Answering(self._connections, log or structlog.get_logger("agtmuxd.api"))
        self._listeners: dict[socket.socket, asyncio.Server] = {}
        self._runner = web.AppRunner(
            self._app(tables),
            handler_cancellation=True,  # a reader that leaves ends its watch at once; changes are shielded
            shutdown_timeout=1.0,
        )

    async def start(self) -> None:
        """Start to accept connections. Raises OSError."""
        await self._runner.setup()
        await self.listen(self._sock)

    async def listen(self, sock: socket.socket) -> None:
        """Accept connections on one more socket. Raises OSError."""
        loop, server = asyncio.get_running_loop(), cast(web.Server, self._runner.server)

        def make() -> asyncio.Protocol:
            return Connection(server, self._connections, loop=loop, idle_seconds=IDLE_SECONDS)

        sock.setblocking(False)
        self._listeners[sock] = await loop.create_server(
            lambda: Gate(make, self._owner, self._ask_peer, self._connections), sock=sock, backlog=128
        )

    def stop_listening(self, sock: socket.socket) -> None:
        """Stop accepting on this socket. Open connections go on. Idempotent."""
        listener = self._listeners.pop(sock, None)
        if listener is not None:
            listener.close()

    async def stop(self, patience: float = 2.0) -> None:
        """Stop accepting, finish running requests, send each watcher its final reset, close. Takes about 2 ×
        ``patience`` seconds.
        """
        for sock in list(self._listeners):
            self.stop_listening(sock)
        await self._answering.finish(patience)
        await self._end_streams(patience / 2)
        await self._runner.cleanup()

    @property
    def writing(self) -> int:
        """Running requests that change something."""
        return len(self._answering.writes)

    def _app(self, tables: Iterable[RouteTable[Any]]) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY + 1, middlewares=[self._answering.middleware()])
        app[ASK_PEER] = self._ask_peer
        app[PERMIT] = self._permit
        if self._identify is not None:
            app[IDENTIFY] = self._identify
        app.on_response_prepare.append(_add_version)
        for table in tables:
            for route in table.routes:
                app.router.add_route(
                    route.method, path_pattern(route.path), _bound(route, table.service), expect_handler=expect
                )
        return app
