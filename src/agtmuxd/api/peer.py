"""Who is at the other end of a connection, by the kernel's word.

Owns the check of the peer's uid, which comes before a single byte is parsed. Knows nothing of HTTP but the refusal.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from typing import NamedTuple, cast

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.wire import encode

_LOCAL_PEERCRED = 0x001  # macOS, level 0: struct xucred
_LOCAL_PEERPID = 0x002


class Peer(NamedTuple):
    """``pid`` None where the platform does not tell it."""

    uid: int
    pid: int | None


def peer_of(sock: socket.socket) -> Peer:
    """The process that connected ``sock`` (a Unix stream socket). Raises OSError where the kernel does not tell."""
    if sys.platform == "darwin":
        _version, uid = struct.unpack_from("=II", sock.getsockopt(0, _LOCAL_PEERCRED, 76))
        (pid,) = struct.unpack("=i", sock.getsockopt(0, _LOCAL_PEERPID, 4))
        return Peer(uid, pid or None)
    pid, uid, _gid = struct.unpack("=iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(uid, pid or None)


class Gate(asyncio.Protocol):
    """Stands before the HTTP protocol of one connection and lets only ``owner`` through.

    ``make`` builds the HTTP protocol, ``ask`` names the peer. Anybody else gets one 403 envelope and is closed; what
    they sent is never read.
    """

    def __init__(self, make: Callable[[], asyncio.Protocol], owner: int, ask: Callable[[socket.socket], Peer]) -> None:
        self._make = make
        self._owner = owner
        self._ask = ask

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        try:
            uid: int | None = self._ask(stream.get_extra_info("socket")).uid
        except OSError:
            uid = None  # who cannot be named is not let in
        if uid == self._owner:
            inner = self._make()
            stream.set_protocol(inner)
            inner.connection_made(stream)
            return
        stream.write(_refusal(uid))
        stream.close()


def _refusal(uid: int | None) -> bytes:
    who = "a peer that the kernel does not name" if uid is None else f"uid {uid}"
    body = encode(AgtmuxError("E_FORBIDDEN", f"this daemon serves its owner only, not {who}").envelope())
    head = (
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
