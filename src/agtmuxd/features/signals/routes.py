"""The routes of ``agtmux signal``, their models, and what they need from the service."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from aiohttp import web
from pydantic import Field, StrictInt

from agtmuxd.api import requests
from agtmuxd.api.callers import actor
from agtmuxd.api.envelopes import Envelope, reply
from agtmuxd.api.parsing import given, read_json, read_query
from agtmuxd.api.responses.base import Answer, OkAnswer, ResponseModel, RowsAnswer, Time
from agtmuxd.api.route import Access, Route
from agtmuxd.core.actor import Actor

Topic = Annotated[str, Field(min_length=1, max_length=256)]
Consumer = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
RequestRef = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")]


class SignalRequest(requests.Model):
    """A signal to send. ``data``: any JSON value, or none."""

    topic: Topic
    data: Any = None
    request_ref: RequestRef


class SignalQuery(requests.Model):
    """Which signals: of one topic, or of all below one (``team/web/``), after a sequence, or after what the consumer
    has read.
    """

    topic: Topic | None = None
    after: Annotated[int, Field(ge=0, le=requests.MAX_NS)] | None = None
    consumer: Consumer | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class TopicQuery(requests.Model):
    """Which topics: one, or all below one (``team/web/``)."""

    topic: Topic | None = None


class CursorRequest(requests.Model):
    """How far a consumer has read. Sent twice, it changes nothing."""

    consumer: Consumer
    topic: Topic | None = None
    seq: Annotated[StrictInt, Field(ge=0, le=requests.MAX_NS)]


class SignalHead(ResponseModel):
    """A signal without its data. ``payload_bytes``: of the data as it was sent."""

    signal_id: str
    seq: int
    topic: str
    sender: str
    sender_agent_id: str | None
    payload_bytes: int
    created_at: Time


class SignalItem(SignalHead):
    """A signal. ``data``: without what looks like a secret."""

    data: Any


class SignalReceipt(Answer):
    generated_at: Time
    replayed: bool
    item: SignalHead


class SignalAnswer(Answer):
    generated_at: Time
    item: SignalItem


class SignalSummary(ResponseModel):
    """``next_after``: pass it as ``after`` to read on. ``truncated``: there are more."""

    total: int
    next_after: int
    last_seq: int
    truncated: bool


class SignalRows(RowsAnswer):
    summary: SignalSummary
    items: list[SignalItem]


class TopicItem(ResponseModel):
    topic: str
    signals: int
    oldest_seq: int
    last_seq: int
    last_at: Time


class TopicSummary(ResponseModel):
    total: int


class TopicRows(RowsAnswer):
    summary: TopicSummary
    items: list[TopicItem]


class SignalsService(Protocol):
    """Takes in signals and gives them out in order."""

    envelope: Envelope

    async def send(self, actor: Actor, topic: str, data: Any, request_ref: str) -> tuple[dict[str, Any], bool]:
        """Send a signal. Return its item without data, and whether it is of an earlier request."""

    async def read(
        self, actor: Actor, topics: str | None, *, after: int | None, consumer: str | None, limit: int
    ) -> dict[str, Any]:
        """Read signals in order."""

    async def find(self, actor: Actor, name: str) -> dict[str, Any]:
        """Return one signal, by its id or sequence. Raises E_NOT_FOUND."""

    async def topics(self, actor: Actor, topics: str | None) -> list[dict[str, Any]]:
        """List the topics that have signals."""

    async def move_cursor(self, actor: Actor, topics: str | None, consumer: str, seq: int) -> None:
        """Store how far a consumer has read."""


async def send(request: web.Request, service: SignalsService) -> web.StreamResponse:
    wanted = SignalRequest.model_validate(await read_json(request))
    item, replayed = await service.send(await actor(request), wanted.topic, wanted.data, wanted.request_ref)
    return service.envelope.reply(replayed=replayed, item=item)


async def read(request: web.Request, service: SignalsService) -> web.StreamResponse:
    query = read_query(SignalQuery, request.query)
    found = await service.read(
        await actor(request), query.topic, after=query.after, consumer=query.consumer, limit=query.limit
    )
    items = found.pop("items")
    filters = given(query, "topic", "after", "consumer", "limit")
    return reply(service.envelope.read(filters=filters, summary={"total": len(items), **found}, items=items))


async def topics(request: web.Request, service: SignalsService) -> web.StreamResponse:
    query = read_query(TopicQuery, request.query)
    items = await service.topics(await actor(request), query.topic)
    return reply(service.envelope.read(filters=given(query, "topic"), summary={"total": len(items)}, items=items))


async def find(request: web.Request, service: SignalsService) -> web.StreamResponse:
    return service.envelope.reply(item=await service.find(await actor(request), request.match_info["signal_id"]))


async def move_cursor(request: web.Request, service: SignalsService) -> web.StreamResponse:
    wanted = CursorRequest.model_validate(await read_json(request))
    await service.move_cursor(await actor(request), wanted.topic, wanted.consumer, wanted.seq)
    return service.envelope.reply(ok=True)


ROUTES: tuple[Route[SignalsService], ...] = (
    Route("POST", "/v1/signals", send, "Send a signal", body=SignalRequest, answer=SignalReceipt, access=Access.AGENTS),
    Route("GET", "/v1/signals", read, "Signals in order", SignalQuery, answer=SignalRows, access=Access.AGENTS),
    Route("GET", "/v1/signals/topics", topics, "The topics that have signals", TopicQuery, answer=TopicRows,
          access=Access.AGENTS),
    Route("POST", "/v1/signals/cursors", move_cursor, "Store how far a consumer has read", body=CursorRequest,
          answer=OkAnswer, access=Access.AGENTS),
    Route("GET", "/v1/signals/{signal_id}", find, "One signal", answer=SignalAnswer, access=Access.AGENTS),
)  # fmt: skip
