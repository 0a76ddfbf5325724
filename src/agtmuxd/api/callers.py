"""Find the process that sent a request, and check that it may do what operators may.

Owns how a handler asks for both. The kernel names the process; the request's body never does.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

from agtmuxd.api.peer import Peer

ASK_PEER: web.AppKey[Callable[[socket.socket], Peer]] = web.AppKey("ask_peer")
"""How to find the process at the other end of a connection."""

Permit = Callable[[int | None, int | None], Awaitable[None]]
"""``await permit(uid, pid)`` raises E_FORBIDDEN for a process inside a supervised agent, if agents may not act."""

PERMIT: web.AppKey[Permit] = web.AppKey("permit")


def peer(request: web.Request) -> Peer | None:
    """Return the process at the other end. None if the kernel does not name it."""
    sock = request.transport.get_extra_info("socket") if request.transport is not None else None
    try:
        return None if sock is None else request.app[ASK_PEER](sock)
    except OSError:
        return None


def caller(request: web.Request) -> tuple[int | None, int | None]:
    """Return the uid and pid at the other end, as far as the kernel names them."""
    other = peer(request)
    return (other.uid, other.pid) if other is not None else (None, None)


async def require_operator(request: web.Request) -> None:
    """Raise E_FORBIDDEN if the caller runs inside a supervised agent and agents may only read and report."""
    await request.app[PERMIT](*caller(request))
