"""The routes of waits, their models, and what they need from the service."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import BeforeValidator, Field, StrictInt

from agtmuxd.api import requests
from agtmuxd.api.callers import actor
from agtmuxd.api.envelopes import Envelope, reply
from agtmuxd.api.parsing import given, read_json, read_query
from agtmuxd.api.responses.base import Answer, ResponseModel, RowsAnswer, Time
from agtmuxd.api.route import Access, Route
from agtmuxd.core.actor import Actor
from agtmuxd.features.waits.service import WaitRequest

MOST_CONDITIONS = 64
LONGEST_BLOCK = 45.0
"""Seconds for which one request may wait. A client asks again: the wait itself goes on."""
LONGEST = 7 * 86_400
"""Seconds that a wait may last."""


class WaitBody(requests.Model):
    """What to wait for. ``at_least``: only with the mode ``at_least``."""

    mode: Literal["any", "all", "at_least"] = "all"
    at_least: Annotated[StrictInt, Field(ge=1, le=MOST_CONDITIONS)] | None = None
    conditions: Annotated[
        list[Annotated[str, Field(min_length=3, max_length=4200)]], Field(min_length=1, max_length=MOST_CONDITIONS)
    ]
    timeout_s: Annotated[float, Field(ge=0, le=LONGEST)] = 600.0
    request_ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")]

    def request(self) -> WaitRequest:
        """Return it as the service takes it."""
        return WaitRequest(self.mode, self.at_least, self.conditions, self.timeout_s, self.request_ref)


class WaitBlock(requests.Model):
    """``block_s``: answer once the wait is over, or after this time."""

    block_s: Annotated[float, BeforeValidator(requests.seconds), Field(ge=0, le=LONGEST_BLOCK)] = 0.0


class WaitQuery(requests.Model):
    """``status``: only those in this state; ``ended``: all but the open ones."""

    status: Literal["open", "ended", "met", "timeout", "failed", "cancelled"] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class WaitConditionItem(ResponseModel):
    """``condition``: as it was asked for. ``watches``: what it stands for. ``gone``: it can never be met any more."""

    condition: str
    watches: str
    state: Literal["open", "met", "gone"]
    at: Time | None
    result: dict[str, Any] | None
    reason: str | None


class WaitItem(ResponseModel):
    """``needed``: how many conditions have to be met. ``failed``: too many of them are gone."""

    wait_id: str
    owner: str
    mode: Literal["any", "all", "at_least"]
    needed: int
    met: int
    state: Literal["open", "met", "timeout", "failed", "cancelled"]
    conditions: list[WaitConditionItem]
    deadline: Time
    created_at: Time
    ended_at: Time | None


class NewWait(Answer):
    generated_at: Time
    replayed: bool
    item: WaitItem


class WaitAnswer(Answer):
    generated_at: Time
    item: WaitItem


class WaitSummary(ResponseModel):
    total: int


class WaitRows(RowsAnswer):
    summary: WaitSummary
    items: list[WaitItem]


class WaitsService(Protocol):
    """Keeps waits and their results."""

    envelope: Envelope

    async def create(self, actor: Actor, wanted: WaitRequest) -> tuple[dict[str, Any], bool]:
        """Make a wait. Return it, and whether it is of an earlier request."""

    async def get(self, wait_id: str, block: float) -> dict[str, Any]:
        """Return a wait once it is over, or after ``block`` seconds. Raises E_NOT_FOUND."""

    async def listing(self, actor: Actor, state: str | None, limit: int) -> list[dict[str, Any]]:
        """List waits, newest first: all for a person, its own for an agent."""

    async def cancel(self, actor: Actor, wait_id: str) -> dict[str, Any]:
        """End a wait. One that is over stays as it is. Raises E_NOT_FOUND."""


async def create(request: web.Request, service: WaitsService) -> web.StreamResponse:
    wanted = WaitBody.model_validate(await read_json(request))
    item, replayed = await service.create(await actor(request), wanted.request())
    return service.envelope.reply(replayed=replayed, item=item)


async def get(request: web.Request, service: WaitsService) -> web.StreamResponse:
    query = read_query(WaitBlock, request.query)
    item = await service.get(request.match_info["wait_id"], query.block_s)
    return service.envelope.reply(item=item)


async def listing(request: web.Request, service: WaitsService) -> web.StreamResponse:
    query = read_query(WaitQuery, request.query)
    items = await service.listing(await actor(request), query.status, query.limit)
    filters = given(query, "status", "limit")
    return reply(service.envelope.read(filters=filters, summary={"total": len(items)}, items=items))


async def cancel(request: web.Request, service: WaitsService) -> web.StreamResponse:
    item = await service.cancel(await actor(request), request.match_info["wait_id"])
    return service.envelope.reply(item=item)


ROUTES: tuple[Route[WaitsService], ...] = (
    Route("POST", "/v1/waits", create, "Wait for conditions", body=WaitBody, answer=NewWait, access=Access.AGENTS),
    Route("GET", "/v1/waits", listing, "Waits and their results", WaitQuery, answer=WaitRows, access=Access.AGENTS),
    Route("GET", "/v1/waits/{wait_id}", get, "One wait, once it is over", WaitBlock, answer=WaitAnswer,
          access=Access.EVERYBODY),
    Route("POST", "/v1/waits/{wait_id}/cancel", cancel, "End a wait", answer=WaitAnswer, access=Access.AGENTS),
)  # fmt: skip
