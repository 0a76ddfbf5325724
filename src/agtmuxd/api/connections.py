"""Limit the connections of one HTTP server, and answer bytes that are not HTTP.

Owns how many may be open, which one closes to make room, the counts in health, and the lines in the log. Knows no
route.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiohttp import web

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.api.envelopes import failed

WRITE_SECONDS: Final = 30.0
"""Seconds for which a reader may take nothing of an answer. A reader of the stream may pause for any time."""
YOUNG: Final = 1.0
"""Seconds for which a connection without a request yet is not closed to make room."""
LOG_EVERY: Final = 10.0
"""Seconds between two log lines of one kind. Those in between are counted."""
FULL_FOR: Final = 60.0
"""Seconds for which health reports that connections were refused."""
MAX_LINE: Final = 64 * 1024
"""Bytes of the first line of a request. The longest kind of ref fits in, percent-encoded."""
_SPARE_FILES: Final = 2
"""Connections may use all but one part in this many of the files that this process may open."""


def affordable(most: int) -> int:
    """Return ``most``, or fewer connections if this process may not open that many files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if soft == resource.RLIM_INFINITY else max(8, min(most, soft // _SPARE_FILES))


class Connections:
    """The open connections, oldest first.

    ``count`` gets these names: ``connections_refused``, ``connections_closed`` (to make room, or because the reader
    takes nothing) and ``requests_malformed``.
    """

    def __init__(self, most: int, count: Callable[[str], None], *, setting: str = "", log: Any = None) -> None:
        """``setting``: the configuration key of the limit, named in the message that there are too many."""
        self.most = most
        self._as_many = f"which is the limit{f' ({setting})' if setting else ''}"
        self.open: dict[Connection, None] = {}
        self.lingering = 0  # refused, and not closed yet
        self._count = count
        self._log = log or structlog.get_logger("agtmuxd.api")
        self._refused_at = -FULL_FOR
        self._logged_at: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def make_room(self) -> AgtmuxError | None:
        """Make room for one more connection: close an idle one if needed. Return None, or the error to send if there is
        no room.
        """
        if len(self.open) < self.most:
            return None
        now = time.monotonic()
        idle = next((one for one in self.open if one.idle and now - one.since >= YOUNG), None)
        if idle is not None:
            self._count("connections_closed")
            del self.open[idle]
            idle.close_now()
            return None
        self._refused_at = now
        self._count("connections_refused")
        self.warn("connection refused", "too many are open", most=self.most)
        return AgtmuxError(
            "E_OVERLOADED",
            f"{self.most} connections are open, {self._as_many}: close some, then try again",
            {"connections": self.most},
        )

    def refusal_note(self) -> str | None:
        """Return a note that connections were refused lately. None if none was."""
        if time.monotonic() - self._refused_at >= FULL_FOR:
            return None
        return f"connections were refused: {self.most} were open, {self._as_many}"

    def note_malformed(self, why: str) -> None:
        self._count("requests_malformed")
        self.warn("request refused: it is not valid HTTP", why)

    def note_slow(self) -> None:
        self._count("connections_closed")
        self.warn("connection closed", f"the client read nothing for {WRITE_SECONDS:g} s")

    def warn(self, what: str, why: str, **more: Any) -> None:
        """Write one line to the log, with the number of lines of its kind that were left out since the last."""
        now = time.monotonic()
        if now - self._logged_at.get(what, -LOG_EVERY) < LOG_EVERY:
            self._left_out[what] = self._left_out.get(what, 0) + 1
            return
        self._logged_at[what] = now
        repeats = self._left_out.pop(what, 0)
        self._log.warning(what, why=why, **({"left_out": repeats} if repeats else {}), **more)


class Connection(web.RequestHandler):
    """One connection. ``busy``: requests that are being answered. ``rests``: its reader may take its time."""

    __slots__ = ("_connections", "_slow", "busy", "rests", "since")

    def __init__(
        self, server: web.Server, connections: Connections, *, loop: asyncio.AbstractEventLoop, idle_seconds: float
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type] # as aiohttp's own runner does
            keepalive_timeout=idle_seconds,
            auto_decompress=False,
            tcp_keepalive=False,
            max_headers=64,
            max_line_size=MAX_LINE,
        )
        self.busy = 0
        self.rests = False
        self.since = time.monotonic()
        self._connections = connections
        self._slow: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether closing it loses nothing: no request is being answered, and no answer is being sent."""
        transport = self.transport
        return not self.busy and (transport is None or not transport.get_write_buffer_size())

    def close_now(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.open[self] = None

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.open.pop(self, None)
        self._forgive()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if not self.rests:
            self._slow = asyncio.get_running_loop().call_later(WRITE_SECONDS, self._too_slow)

    def resume_writing(self) -> None:
        self._forgive()
        super().resume_writing()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what aiohttp cannot read as a request: send the error envelope and write one line to the log."""
        why = one_line(" ".join((message or type(exc).__name__).split()))[:200]
        self._connections.note_malformed(why)
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer was already sent, so no other answer can follow")
        answer = failed(AgtmuxError("E_INVALID_REQUEST", f"the daemon cannot read this request: {why}"))
        answer.force_close()
        return answer

    def _too_slow(self) -> None:
        self._connections.note_slow()
        self.close_now()

    def _forgive(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
