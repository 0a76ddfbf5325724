"""The routes of the web page: on, off, status, links and devices. Owns their models."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import Field

from agtmuxd.api import requests
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.parsing import read_json, read_query
from agtmuxd.api.requests import NoBody, NoQuery, TargetName
from agtmuxd.api.responses.base import Answer, ResponseModel, Time
from agtmuxd.api.route import Access, Route, WebScope

Scope = Literal["observe", "act", "all"]


class LinkBody(requests.Model):
    """A device to link. ``name`` None: one is made."""

    name: TargetName | None = None
    scope: Scope = "act"


class CodeBody(requests.Model):
    """The single-use code of a link."""

    code: Annotated[str, Field(min_length=1, max_length=128)]


class WebStatus(Answer):
    """``on``: it is to run. ``listening``: it runs. ``moved``: its port is another one, so devices have to be linked
    again.
    """

    generated_at: Time
    on: bool
    listening: bool
    port: int | None
    urls: list[str]
    devices: int
    problem: str | None
    moved: bool


class WebLink(Answer):
    """The same code in each of ``urls``. The first one exchanged counts."""

    generated_at: Time
    name: str
    scope: Scope
    expires_at: Time
    urls: list[str]


class DeviceItem(ResponseModel):
    name: str
    scope: Scope
    created_at: Time
    seen_at: Time | None
    connected: bool


class WebDevices(Answer):
    generated_at: Time
    items: list[DeviceItem]


class LinkAnswer(Answer):
    """``token`` is shown once. The daemon keeps only its digest."""

    generated_at: Time
    token: str
    device: DeviceItem


class RevocationAnswer(Answer):
    generated_at: Time
    revoked: str


class WebService(Protocol):
    """The page's server and its devices."""

    envelope: Envelope

    async def on(self) -> dict[str, Any]:
        """Start the server. Raises E_PRECONDITION_FAILED."""

    async def off(self) -> dict[str, Any]:
        """Stop the server."""

    async def status(self) -> dict[str, Any]:
        """Return whether it runs, and where."""

    async def link(self, name: str | None, scope: WebScope) -> dict[str, Any]:
        """Make a single-use code. Raises E_PRECONDITION_FAILED, E_INVALID_REQUEST."""

    async def exchange(self, code: str) -> dict[str, Any]:
        """Make a device of a code. Raises E_UNAUTHORIZED, E_RATE_LIMITED, E_INVALID_REQUEST."""

    async def devices(self) -> list[dict[str, Any]]:
        """Return the devices, the oldest first."""

    async def revoke(self, name: str) -> dict[str, Any]:
        """Forget a device. Raises E_INVALID_REQUEST."""


async def status(request: web.Request, page: WebService) -> web.StreamResponse:
    read_query(NoQuery, request.query)
    return page.envelope.reply(**await page.status())


async def on(request: web.Request, page: WebService) -> web.StreamResponse:
    NoBody.model_validate(await read_json(request))
    return page.envelope.reply(**await page.on())


async def off(request: web.Request, page: WebService) -> web.StreamResponse:
    NoBody.model_validate(await read_json(request))
    return page.envelope.reply(**await page.off())


async def link(request: web.Request, page: WebService) -> web.StreamResponse:
    asked = LinkBody.model_validate(await read_json(request))
    return page.envelope.reply(**await page.link(asked.name, WebScope(asked.scope)))


async def exchange(request: web.Request, page: WebService) -> web.StreamResponse:
    asked = CodeBody.model_validate(await read_json(request))
    return page.envelope.reply(**await page.exchange(asked.code))


async def devices(request: web.Request, page: WebService) -> web.StreamResponse:
    read_query(NoQuery, request.query)
    return page.envelope.reply(items=await page.devices())


async def revoke(request: web.Request, page: WebService) -> web.StreamResponse:
    return page.envelope.reply(**await page.revoke(request.match_info["name"]))


ROUTES: tuple[Route[WebService], ...] = (
    Route("GET", "/v1/web", status, "Show whether the web page is on", answer=WebStatus, access=Access.EVERYBODY),
    Route("POST", "/v1/web/on", on, "Turn the web page on", body=NoBody, answer=WebStatus),
    Route("POST", "/v1/web/off", off, "Turn the web page off", body=NoBody, answer=WebStatus),
    Route("POST", "/v1/web/links", link, "Make a link for one device", body=LinkBody, answer=WebLink),
    Route("GET", "/v1/web/devices", devices, "List linked devices", answer=WebDevices, access=Access.EVERYBODY),
    Route(
        "POST", "/v1/web/devices", exchange, "Exchange a code for a token", body=CodeBody, answer=LinkAnswer,
        web=WebScope.OWN,
    ),
    Route("DELETE", "/v1/web/devices/{name}", revoke, "Revoke a device", answer=RevocationAnswer),
)  # fmt: skip
