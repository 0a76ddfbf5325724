"""The routes of the queue of prompts, their bodies and answers. For people only."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from aiohttp import web
from pydantic import Field

from agtmuxd.api import requests
from agtmuxd.api.callers import caller
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.parsing import read_json, read_query
from agtmuxd.api.responses.base import Answer, ResponseModel, Time
from agtmuxd.api.route import Route, WebScope
from agtmuxd.features.messages.model import DeliveryState

RequestRef = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")]
Text = Annotated[str, Field(min_length=1)]


class QueueQuery(requests.Model):
    """``ref``: an agent's name, ``pane:...`` or ``runtime:...``. Without it: the queues of all agents."""

    ref: requests.Named | None = None


class QueueBody(requests.Model):
    """A prompt for the end of an agent's queue. ``ref``: an agent's name, ``pane:...`` or ``runtime:...``."""

    request_ref: RequestRef
    ref: requests.Named
    text: Text


class QueueEditBody(requests.Model):
    """The new text of a prompt."""

    request_ref: RequestRef
    text: Text


class QueueMoveBody(requests.Model):
    """The new place of a prompt; 1 is the next to be typed, and a place behind the last one is the last."""

    request_ref: RequestRef
    place: Annotated[int, Field(ge=1, le=10_000)]


class QueueDropBody(requests.Model):
    """Drop a prompt."""

    request_ref: RequestRef


class QueueItem(ResponseModel):
    """One prompt. ``place``: among those of its agent that wait; null once it is typed. ``why``: why it waits."""

    id: str
    delivery_id: str
    agent_id: str
    agent: str | None
    runtime_id: str | None
    place: int | None
    text: str
    state: DeliveryState
    hold_reason: str | None
    why: str | None
    created_at: Time
    updated_at: Time
    submitted_at: Time | None


class QueueAnswer(Answer):
    generated_at: Time
    item: QueueItem


class QueueListAnswer(Answer):
    """In the order in which each agent gets them."""

    generated_at: Time
    items: list[QueueItem]


class QueueService(Protocol):
    """What the handlers need."""

    envelope: Envelope

    async def add(self, request_ref: str, ref: str, text: str, sender: str) -> dict[str, Any]: ...
    async def items(self, ref: str | None) -> list[dict[str, Any]]: ...
    async def edit(self, request_ref: str, message_id: str, text: str) -> dict[str, Any]: ...
    async def move(self, request_ref: str, message_id: str, place: int) -> dict[str, Any]: ...
    async def drop(self, request_ref: str, message_id: str) -> dict[str, Any]: ...


async def queue_list(request: web.Request, service: QueueService) -> web.StreamResponse:
    query = read_query(QueueQuery, request.query)
    return service.envelope.reply(items=await service.items(query.ref))


async def queue_add(request: web.Request, service: QueueService) -> web.StreamResponse:
    body = QueueBody.model_validate(await read_json(request))
    sender = caller(request).actor or "person"
    return service.envelope.reply(item=await service.add(body.request_ref, body.ref, body.text, sender))


async def queue_edit(request: web.Request, service: QueueService) -> web.StreamResponse:
    body = QueueEditBody.model_validate(await read_json(request))
    return service.envelope.reply(item=await service.edit(body.request_ref, request.match_info["id"], body.text))


async def queue_move(request: web.Request, service: QueueService) -> web.StreamResponse:
    body = QueueMoveBody.model_validate(await read_json(request))
    return service.envelope.reply(item=await service.move(body.request_ref, request.match_info["id"], body.place))


async def queue_drop(request: web.Request, service: QueueService) -> web.StreamResponse:
    body = QueueDropBody.model_validate(await read_json(request))
    return service.envelope.reply(item=await service.drop(body.request_ref, request.match_info["id"]))


ROUTES: tuple[Route[QueueService], ...] = (
    Route("GET", "/v1/queue", queue_list, "List prompts that wait for agents", QueueQuery, answer=QueueListAnswer),
    Route(
        "POST", "/v1/queue", queue_add, "Queue a prompt for an agent", body=QueueBody, answer=QueueAnswer,
        web=WebScope.ACT,
    ),
    Route(
        "POST", "/v1/queue/{id}/edit", queue_edit, "Replace the text of a queued prompt", body=QueueEditBody,
        answer=QueueAnswer,
    ),
    Route(
        "POST", "/v1/queue/{id}/move", queue_move, "Move a queued prompt in its queue", body=QueueMoveBody,
        answer=QueueAnswer,
    ),
    Route("POST", "/v1/queue/{id}/drop", queue_drop, "Drop a queued prompt", body=QueueDropBody, answer=QueueAnswer),
)  # fmt: skip
