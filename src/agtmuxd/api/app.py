"""Run the HTTP server on the daemon's socket: limits, the check of the peer, and errors as answers.

Owns the life of the server. Knows no route: it serves the tables that it is given.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import traceback
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import structlog
from aiohttp import web
from pydantic import ValidationError

from agtmux import __version__
from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.callers import ASK_PEER, PERMIT, Permit, require_operator
from agtmuxd.api.connections import Connection, Connections
from agtmuxd.api.envelopes import failed, internal, invalid, new_request_id
from agtmuxd.api.parsing import MAX_BODY, BrokenBodyError, too_large
from agtmuxd.api.peer import Gate, Peer, peer_of
from agtmuxd.api.route import Access, BrokenStreamError, Route, RouteTable, S

IDLE_SECONDS = 30.0  # a connection that sends no whole request head within this time is closed

MOST = 512
"""Connections, if the configuration sets no number."""

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _add_version(_request: web.Request, response: web.StreamResponse) -> None:
    """Name the daemon's version in each answer. The CLI compares it with its own."""
    response.headers["Server"] = f"agtmuxd/{__version__}"


async def _expect(request: web.Request) -> web.StreamResponse | None:
    """Answer a caller that asks before it sends its body (``Expect: 100-continue``)."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer is still to come
        return None
    return failed(AgtmuxError("E_INVALID_REQUEST", "the header Expect allows only 100-continue"))


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
        end_streams: Callable[[float], Awaitable[None]],
        owner: int | None = None,
        ask_peer: Callable[[socket.socket], Peer] = peer_of,
        connections: Connections | None = None,
        log: Any = None,
    ) -> None:
        """``permit``: refuses a caller that is not an operator. ``end_streams``: ends every watch within that many
        seconds.
        """
        self._permit = permit
        self._end_streams = end_streams
        self._sock = sock
        self._owner = os.getuid() if owner is None else owner
        self._ask_peer = ask_peer
        self._log = log or structlog.get_logger("agtmuxd.api")
        self._connections = connections or Connections(MOST, lambda _: None)
        self._writes: set[asyncio.Task[web.StreamResponse]] = set()
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
        if self._writes:
            await asyncio.wait(self._writes, timeout=patience)
        await self._end_streams(patience / 2)
        await self._runner.cleanup()

    @property
    def writing(self) -> int:
        """Running requests that change something."""
        return len(self._writes)

    def _app(self, tables: Iterable[RouteTable[Any]]) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY + 1, middlewares=[self._edge])
        app[ASK_PEER] = self._ask_peer
        app[PERMIT] = self._permit
        app.on_response_prepare.append(_add_version)
        for table in tables:
            for route in table.routes:
                # An empty part of the path still counts as a part. Its handler knows what is wrong with it.
                path = re.sub(r"\{(\w+)\}", r"{\1:[^/]*}", route.path)
                app.router.add_route(route.method, path, _bound(route, table.service), expect_handler=_expect)
        return app

    @web.middleware
    async def _edge(self, request: web.Request, handler: Serve) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)  # noqa: S101 made by listen
        connection.busy += 1
        try:
            return await self._begun(request, handler)
        finally:
            connection.busy -= 1

    async def _begun(self, request: web.Request, handler: Serve) -> web.StreamResponse:
        if request.method == "GET":
            return await self._answered(request, handler)
        # A caller that disconnects does not undo half a change: the work goes on, and only the answer is lost.
        work = asyncio.create_task(self._answered(request, handler), name=f"{request.method} {request.path}")
        self._writes.add(work)
        work.add_done_callback(self._writes.discard)
        return await asyncio.shield(work)

    async def _answered(self, request: web.Request, handler: Serve) -> web.StreamResponse:
        """Return the answer, or the error as an answer. Errors become answers only here."""
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
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            return failed(
                AgtmuxError(
                    "E_INVALID_REQUEST", f"{request.path} accepts {allowed}, not {request.method}", {"allowed": allowed}
                )
            )
        except web.HTTPException as error:
            text = f"{request.method} {request.path}: {error.reason}; /v1/openapi.json lists the routes"
            return failed(AgtmuxError("E_INVALID_REQUEST", text))
        except BrokenStreamError as error:
            self._log_error(request, error.__cause__ or error)
            if request.transport is not None:
                request.transport.close()
            return error.response
        except Exception as error:  # noqa: BLE001 - every error becomes an answer; only the log has its details
            return internal(self._log_error(request, error))

    def _log_error(self, request: web.Request, error: BaseException) -> str:
        """Log an unexpected error, without the values of variables. Return the id under which it is found in
        the log.
        """
        request_id = new_request_id()
        trace = "".join(traceback.format_tb(error.__traceback__))
        self._log.error(
            "request failed",
            request_id=request_id,
            method=request.method,
            path=request.path,
            error=f"{type(error).__name__}: {error}"[:500],
            trace=trace,
        )
        return request_id
