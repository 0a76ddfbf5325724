"""Run the page's HTTP server on the loopback interface: checks, headers, and the connections of each device.

Owns the sockets. Which device a token belongs to, and what is served, come from the caller. It never listens on another
interface: from elsewhere the page is reached through ssh or a proxy on this machine.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import structlog
from aiohttp import web

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.answering import Answering, Serve, expect
from agtmuxd.api.callers import ACTOR
from agtmuxd.api.connections import Connection, Connections
from agtmuxd.api.parsing import MAX_BODY
from agtmuxd.api.route import Route, RouteTable, S, WebScope, path_pattern
from agtmuxd.features.web.checks import own_hosts, refusal
from agtmuxd.features.web.files import PageFile
from agtmuxd.features.web.model import Device

CONNECTIONS: Final = 64
IDLE_SECONDS: Final = 15.0
TRIES: Final = 8
"""How often a free port is looked for that is free on both loopback addresses."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Server": "agtmuxd",
}
"""Sent with every answer, errors too."""

Authenticate = Callable[[str | None, WebScope], Device]
"""``authenticate(token, wanted)`` returns the device of a token. Raises E_UNAUTHORIZED, E_FORBIDDEN, E_RATE_LIMITED."""


class WebConnection(Connection):
    """A connection of a browser. What is no HTTP at all gets the same headers."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        answer = super().handle_error(request, status, exc, message)
        answer.headers.update({**HEADERS, "Cache-Control": "no-store"})
        return answer


class WebServer:
    """The server, from ``start`` until ``stop``. It can be started again."""

    def __init__(
        self,
        *,
        tables: Callable[[], Iterable[RouteTable[Any]]],
        files: Callable[[], Mapping[str, PageFile]],
        hosts: Callable[[], Iterable[str]],
        authenticate: Authenticate,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``tables``: of the whole daemon; only routes with ``web`` are served. ``hosts``: ``web.hosts``."""
        self.port: int | None = None
        self._tables = tables
        self._files = files
        self._hosts = hosts
        self._authenticate = authenticate
        self._log = structlog.get_logger("web")
        self._connections = Connections(CONNECTIONS, count, log=self._log)
        self._answering = Answering(self._connections, self._log)
        self._listeners: list[asyncio.Server] = []
        self._runner: web.AppRunner | None = None
        self._open: dict[str, set[Connection]] = {}

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections.open)

    # ---------------------------------------------------------------- start and stop

    async def start(self, port: int) -> int:
        """Listen on ``port`` (0: a free one) and return it. Raises E_PRECONDITION_FAILED if it cannot be had."""
        sockets = bind(port)  # first, so that a port that cannot be had leaves the server as it is
        await self.stop()
        self.port = sockets[0].getsockname()[1]
        self._runner = web.AppRunner(self._app(), handler_cancellation=True, shutdown_timeout=1.0)
        await self._runner.setup()
        loop, server = asyncio.get_running_loop(), cast(web.Server, self._runner.server)

        def make() -> asyncio.Protocol:
            error = self._connections.make_room()
            return (
                WebConnection(server, self._connections, loop=loop, idle_seconds=IDLE_SECONDS)
                if error is None
                else _Full()
            )

        for sock in sockets:
            self._listeners.append(await loop.create_server(make, sock=sock, backlog=64))
        return self.port

    async def stop(self, patience: float = 2.0) -> None:
        """Stop accepting, finish running changes, close all connections. Idempotent."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self.port = None
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        await self._answering.finish(patience)
        for connection in list(self._connections.open):
            connection.close_now()
        await runner.cleanup()

    def serves(self, device_id: str) -> bool:
        """Return whether a request of this device is being answered, such as its stream."""
        return device_id in self._open

    def drop(self, device_id: str) -> None:
        """Close the connections of a device at once, its streams too."""
        for connection in list(self._open.get(device_id, ())):
            connection.close_now()

    # ---------------------------------------------------------------- requests

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY + 1, middlewares=[self._answering.middleware(), self._checked()])
        app.on_response_prepare.append(_add_headers)
        for table in self._tables():
            for route in table.routes:
                if route.web is not None:
                    app.router.add_route(
                        route.method, path_pattern(route.path), self._bound(route, table.service), expect_handler=expect
                    )
        for path, file in self._files().items():
            app.router.add_route("GET", path, _file(file), expect_handler=expect)
        app.router.add_route("*", "/{path:.*}", _missing, expect_handler=expect)
        return app

    def _checked(self) -> Any:
        @web.middleware
        async def check(request: web.Request, handler: Serve) -> web.StreamResponse:
            wrong = refusal(request.method, request.headers, own_hosts(self.port or 0, self._hosts()))
            if wrong is not None:
                raise wrong
            return await handler(request)

        return check

    def _bound(self, route: Route[S], service: S) -> Serve:
        wanted = route.web
        assert wanted is not None  # noqa: S101 _app adds no other route

        async def serve(request: web.Request) -> web.StreamResponse:
            if wanted is WebScope.OWN:
                return await route.handler(request, service)
            device = self._authenticate(_token(request), wanted)
            request[ACTOR] = f"device:{device.name}"
            connection = request.protocol
            assert isinstance(connection, Connection)  # noqa: S101 start makes no other
            mine = self._open.setdefault(device.device_id, set())
            mine.add(connection)
            try:
                return await route.handler(request, service)
            finally:
                mine.discard(connection)
                if not mine and self._open.get(device.device_id) is mine:
                    del self._open[device.device_id]

        return serve


class _Full(asyncio.Protocol):
    """Closes a connection for which there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def bind(port: int) -> list[socket.socket]:
    """Bind ``port`` (0: a free one) of both loopback addresses, as far as the machine has them.

    Raises E_PRECONDITION_FAILED.
    """
    for _ in range(TRIES):
        first = _bound_to(socket.AF_INET, "127.0.0.1", port)
        if first is None:
            break
        try:
            second = _bound_to(socket.AF_INET6, "::1", first.getsockname()[1])
        except OSError:  # this machine has no IPv6
            return [first]
        if second is not None:
            return [first, second]
        first.close()
        if port:
            break
    text = (
        f"port {port} of this machine is in use or may not be used: stop what uses it, or set web.port to another one"
    )
    raise AgtmuxError("E_PRECONDITION_FAILED", text, {"reason": "port", "port": port})


def _bound_to(family: socket.AddressFamily, address: str, port: int) -> socket.socket | None:
    """Return a bound socket. None: the port is taken or not allowed. Raises OSError: there is no such address."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES, errno.EPERM):
            return None
        if family is socket.AF_INET:
            raise AgtmuxError("E_PRECONDITION_FAILED", f"cannot listen on {address}: {error.strerror}") from error
        raise
    sock.setblocking(False)
    return sock


def _token(request: web.Request) -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None


def _file(file: PageFile) -> Serve:
    async def serve(request: web.Request) -> web.StreamResponse:
        return file.answer(request)

    return serve


async def _missing(request: web.Request) -> web.StreamResponse:
    raise AgtmuxError("E_INVALID_REQUEST", f"{request.method} {request.path} is not part of the web page")


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    if response.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
