"""Define the routes of the daemon itself: health, configuration, reload, stop."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web

from agtmuxd.api.envelopes import Envelope, answer
from agtmuxd.api.parsing import read_query
from agtmuxd.api.requests import NoQuery
from agtmuxd.api.responses.base import OkAnswer
from agtmuxd.api.responses.daemon import Config, Health
from agtmuxd.api.route import Access, Route, WebScope


class DaemonService(Protocol):
    """The daemon's health and configuration, and its two commands."""

    envelope: Envelope

    def health(self) -> dict[str, Any]:
        """Return the body of /v1/health, except ``schema_version`` and ``generated_at``."""

    def config(self) -> dict[str, Any]:
        """Return ``{"path": str, "config": {effective values, no secrets}}``."""

    def reload(self) -> None:
        """Read the configuration again. Raises E_INVALID_REQUEST with key and line."""

    def stop(self) -> None:
        """Start the graceful stop soon. Returns at once, so that the answer is still sent."""


async def health(request: web.Request, daemon: DaemonService) -> web.StreamResponse:
    read_query(NoQuery, request.query)
    return daemon.envelope.reply(**daemon.health())


async def config(request: web.Request, daemon: DaemonService) -> web.StreamResponse:
    read_query(NoQuery, request.query)
    return answer(**daemon.config())


async def reload(_request: web.Request, daemon: DaemonService) -> web.StreamResponse:
    daemon.reload()
    return answer(ok=True)


async def stop(_request: web.Request, daemon: DaemonService) -> web.StreamResponse:
    daemon.stop()
    return answer(ok=True)


ROUTES: tuple[Route[DaemonService], ...] = (
    Route(
        "GET", "/v1/health", health, "Show the daemon's status", answer=Health,
        access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
    Route(
        "GET", "/v1/daemon/config", config, "Show the configuration in effect", answer=Config,
        access=Access.EVERYBODY,
    ),
    Route("POST", "/v1/daemon/reload", reload, "Reload the configuration", answer=OkAnswer),
    Route("POST", "/v1/daemon/stop", stop, "Stop the daemon", answer=OkAnswer),
)  # fmt: skip
