"""Ask the kernel which process is at the other end of a connection, and admit only the owner.

Owns the check of the peer's uid. It comes before a single byte is parsed. Knows nothing of HTTP except the refusal.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple, cast

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.peer import credentials
from agtmuxd.api.connections import Connections
from agtmuxd.core.json_codec import encode

LINGER: Final = 1.0
"""Seconds for which a refused caller's request is still received and thrown away."""
MOST_LINGERING: Final = 32


class Peer(NamedTuple):
    """A process at the other end. ``pid`` is None if the platform does not report it."""

    uid: int
    pid: int | None


def peer_of(sock: socket.socket) -> Peer:
    """Return the process that connected ``sock`` (a Unix stream socket). Raises OSError if the kernel does
    not name it.
    """
    return Peer(*credentials(sock))


class Gate(asyncio.Protocol):
    """Checks the peer before the HTTP protocol of a connection starts, and admits only ``owner``.

    ``make`` builds the HTTP protocol, and ``ask`` names the peer. Any other user gets one 403 envelope, and the
    connection is closed. Nothing that they sent is read.
    """

    def __init__(
        self,
        make: Callable[[], asyncio.Protocol],
        owner: int,
        ask: Callable[[socket.socket], Peer],
        connections: Connections,
    ) -> None:
        """``connections`` reports whether there is room for one more. It is asked for the owner only."""
        self._make = make
        self._owner = owner
        self._ask = ask
        self._connections = connections
        self._lingers: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        try:
            uid: int | None = self._ask(stream.get_extra_info("socket")).uid
        except OSError:
            uid = None  # a peer without a name is not admitted
        refused = _stranger(uid) if uid != self._owner else self._connections.make_room()
        if refused is None:
            inner = self._make()
            stream.set_protocol(inner)
            inner.connection_made(stream)
            return
        stream.write(_refusal(refused))
        if uid != self._owner or self._connections.lingering >= MOST_LINGERING:
            stream.close()
            return
        stream.write_eof()  # if it were closed before its request was read, the caller might miss the answer
        self._connections.lingering += 1
        self._lingers = asyncio.get_running_loop().call_later(LINGER, stream.close)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._lingers is not None:
            self._lingers.cancel()
            self._connections.lingering -= 1


def _stranger(uid: int | None) -> AgtmuxError:
    who = "an unknown peer" if uid is None else f"uid {uid}"
    return AgtmuxError("E_FORBIDDEN", f"this daemon serves its owner only, not {who}")


def _refusal(error: AgtmuxError) -> bytes:
    body = encode(error.envelope())
    head = (
        f"HTTP/1.1 {error.http_status} {HTTPStatus(error.http_status).phrase}\r\n"
        f"Content-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
