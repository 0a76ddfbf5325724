"""Define a route, and the routes of one resource together with the service that answers them.

Owns these types. Knows no resource: each file of ``api/routes`` makes its own table, and so does a feature.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from agtmuxd.api.requests import NoQuery

S = TypeVar("S")
"""The service that answers a route: a protocol declared beside the route."""


class Access(StrEnum):
    """Who may call a route."""

    OPERATORS = (
        "operators"  # all but processes inside a supervised agent; those too if the configuration lets agents act
    )
    EVERYBODY = "everybody"  # a report, or a read that changes nothing and opens nothing for the caller
    AGENTS = "agents"  # people, and supervised agents in their own name: the handler asks ``callers.actor`` who it is
    CHECKED_BY_ACTION = "checked_by_action"  # as OPERATORS, but the action checks it and records a refusal


class WebScope(StrEnum):
    """What a device may do that is linked with the web page. Each scope includes those above it.

    ``OWN`` is no scope of a device: the route checks a proof that the request itself carries, such as a single-use
    code.
    """

    OWN = "own"
    OBSERVE = "observe"
    ACT = "act"
    ALL = "all"

    def allows(self, wanted: WebScope) -> bool:
        """Return whether a device of this scope may call a route that wants ``wanted``."""
        order = list(WebScope)
        return order.index(wanted) <= order.index(self)


@dataclass(frozen=True, slots=True)
class Route(Generic[S]):
    """One method and path. ``body``: what the request carries. ``answer``: model of its 200 (of a line, for watch).

    ``access``: who may call it on the daemon's socket. The default refuses a supervised agent. ``web``: the scope that
    a device needs to call it through the web page's server. None: it is not served there.
    """

    method: str
    path: str
    handler: Callable[[web.Request, S], Awaitable[web.StreamResponse]]
    summary: str
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    access: Access = Access.OPERATORS
    web: WebScope | None = None


@dataclass(frozen=True, slots=True)
class RouteTable(Generic[S]):
    """The routes of one resource, and the service that each handler is called with."""

    routes: tuple[Route[S], ...]
    service: S


def path_pattern(path: str) -> str:
    """Return the path as aiohttp's router takes it. An empty part counts as a part: its handler knows what is wrong."""
    return re.sub(r"\{(\w+)\}", r"{\1:[^/]*}", path)


class BrokenStreamError(Exception):
    """An error after the head of ``response`` was sent, when no other answer is possible. The cause has the reason."""

    def __init__(self, response: web.StreamResponse) -> None:
        super().__init__()
        self.response = response
