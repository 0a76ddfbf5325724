"""Define the routes of targets: list, add, connect, remove."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web

from agtmuxd.api.envelopes import Envelope, answer, reply
from agtmuxd.api.parsing import read_json, read_query
from agtmuxd.api.requests import ConnectResult, NoQuery, TargetRequest
from agtmuxd.api.responses.targets import ConnectAnswer, RemovalAnswer, TargetAnswer, Targets
from agtmuxd.api.route import Access, Route, WebScope


class TargetService(Protocol):
    """The watched tmux servers."""

    envelope: Envelope

    def items(self) -> list[dict[str, Any]]:
        """Return all target items, by name, from memory."""

    async def add(self, request: TargetRequest) -> dict[str, Any]:
        """Add a target and return its item. Raises E_TARGET_EXISTS, E_INVALID_REQUEST."""

    async def connect(self, name: str) -> ConnectResult:
        """Connect to a target now and report each step. Raises E_TARGET_NOT_FOUND. A failed step is not an error."""

    async def remove(self, name: str) -> None:
        """Remove a target. Raises E_TARGET_NOT_FOUND."""


async def listing(request: web.Request, targets: TargetService) -> web.StreamResponse:
    read_query(NoQuery, request.query)
    items = targets.items()
    health = [item["health"] for item in items]
    summary = {"total": len(items), "by_health": {one: health.count(one) for one in ("ok", "degraded", "down")}}
    return reply(targets.envelope.read(filters={}, summary=summary, items=items))


async def add(request: web.Request, targets: TargetService) -> web.StreamResponse:
    asked = TargetRequest.model_validate(await read_json(request))
    return answer(item=await targets.add(asked))


async def connect(request: web.Request, targets: TargetService) -> web.StreamResponse:
    item, steps = await targets.connect(request.match_info["name"])
    return answer(item=item, steps=steps)


async def remove(request: web.Request, targets: TargetService) -> web.StreamResponse:
    name = request.match_info["name"]
    await targets.remove(name)
    return answer(removed=name)


ROUTES: tuple[Route[TargetService], ...] = (
    Route(
        "GET", "/v1/targets", listing, "List targets", answer=Targets,
        access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
    Route("POST", "/v1/targets", add, "Add a target", body=TargetRequest, answer=TargetAnswer),
    Route("POST", "/v1/targets/{name}/connect", connect, "Connect to a target now", answer=ConnectAnswer),
    Route("DELETE", "/v1/targets/{name}", remove, "Remove a target", answer=RemovalAnswer),
)  # fmt: skip
