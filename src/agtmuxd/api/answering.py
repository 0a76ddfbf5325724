"""Answer requests: run the handler, turn what it raises into an answer, and let begun changes end.

Every server of the daemon uses it, so that an error looks the same on each. Knows no route and no socket.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.connections import Connection, Connections
from agtmuxd.api.envelopes import failed, internal, invalid, new_request_id
from agtmuxd.api.parsing import BrokenBodyError, too_large
from agtmuxd.api.route import BrokenStreamError

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Answer a caller that asks before it sends its body (``Expect: 100-continue``)."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer is still to come
        return None
    return failed(AgtmuxError("E_INVALID_REQUEST", "the header Expect allows only 100-continue"))


class Answering:
    """The outermost middleware of a server. ``writes``: running requests that change something."""

    def __init__(self, connections: Connections, log: Any) -> None:
        """``connections``: counts malformed requests."""
        self.writes: set[asyncio.Task[web.StreamResponse]] = set()
        self._connections = connections
        self._log = log

    def middleware(self) -> Any:
        """Return it as a middleware of aiohttp."""

        @web.middleware
        async def edge(request: web.Request, handler: Serve) -> web.StreamResponse:
            connection = request.protocol
            assert isinstance(connection, Connection)  # noqa: S101 every server of the daemon makes these
            connection.busy += 1
            try:
                return await self._begun(request, handler)
            finally:
                connection.busy -= 1

        return edge

    async def finish(self, patience: float) -> None:
        """Wait for running changes, at most ``patience`` seconds."""
        if self.writes:
            await asyncio.wait(self.writes, timeout=patience)

    async def _begun(self, request: web.Request, handler: Serve) -> web.StreamResponse:
        if request.method == "GET":
            return await self._answered(request, handler)
        # A caller that disconnects does not undo half a change: the work goes on, and only the answer is lost.
        work = asyncio.create_task(self._answered(request, handler), name=f"{request.method} {request.path}")
        self.writes.add(work)
        work.add_done_callback(self.writes.discard)
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
