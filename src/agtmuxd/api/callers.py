"""Find out who sent a request, and check that they may do what operators may.

Owns how a handler asks for both. The kernel names the process, or the server that took the request in names its actor.
The request's body never does.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

from agtmuxd.api.peer import Peer
from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor

ASK_PEER: web.AppKey[Callable[[socket.socket], Peer]] = web.AppKey("ask_peer")
"""How to find the process at the other end of a connection."""

Permit = Callable[[int | None, int | None], Awaitable[None]]
"""``await permit(uid, pid)`` raises E_FORBIDDEN for a process inside a supervised agent, if agents may not act."""

PERMIT: web.AppKey[Permit] = web.AppKey("permit")

Identify = Callable[[Caller], Awaitable[Actor]]
"""``await identify(caller)`` finds out which person or agent that is. Raises E_FORBIDDEN for an unknown agent."""

IDENTIFY: web.AppKey[Identify] = web.AppKey("identify")

ACTOR: web.RequestKey[str] = web.RequestKey("actor", str)
"""Who sent a request, if its server has checked that by itself. Such as ``device:phone``."""


PROVEN: web.RequestKey[Actor] = web.RequestKey("proven", Actor)
"""The agent that sends a request, if its server has proven that by itself."""


def peer(request: web.Request) -> Peer | None:
    """Return the process at the other end. None if the kernel does not name it."""
    sock = request.transport.get_extra_info("socket") if request.transport is not None else None
    try:
        return None if sock is None else request.app[ASK_PEER](sock)
    except OSError:
        return None


def caller(request: web.Request) -> Caller:
    """Return who asks: the actor, or the process at the other end as far as the kernel names it."""
    proven: Actor | None = request.get(PROVEN)
    if proven is not None:
        return proven.caller
    actor = request.get(ACTOR)
    if actor is not None:
        return Caller(actor=actor)
    other = peer(request)
    return Caller(other.uid, other.pid) if other is not None else Caller()


async def actor(request: web.Request) -> Actor:
    """Return the person or agent that asks. Raises E_FORBIDDEN for an agent that agtmux does not know by name."""
    proven: Actor | None = request.get(PROVEN)
    if proven is not None:
        return proven
    one = caller(request)
    return Actor(one) if one.actor is not None else await request.app[IDENTIFY](one)


async def require_operator(request: web.Request) -> None:
    """Raise E_FORBIDDEN if the caller runs inside a supervised agent and agents may only read and report."""
    one = caller(request)
    if one.actor is None:
        await request.app[PERMIT](one.uid, one.pid)
