"""The routes of notifications, their models, and what the handlers need from the service."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import BeforeValidator, Field, model_validator

from agtmuxd.api import requests
from agtmuxd.api.envelopes import Envelope, reply
from agtmuxd.api.parsing import read_json, read_query
from agtmuxd.api.responses.actions import ActionAnswer
from agtmuxd.api.responses.base import Answer, ResponseModel, Time
from agtmuxd.api.route import Access, Route, WebScope

LONGEST_MUTE = 30 * 86_400
"""Seconds for which a mute may last. Each one ends."""
MOST_LOOKS = 50
"""Panes that one request may report as looked at."""
Moment = Annotated[int, BeforeValidator(requests.moment), Field(ge=0, le=requests.MAX_NS)]


class TestBody(requests.Model):
    """``channel``: only this one. Null: all."""

    __test__ = False
    channel: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class WhyQuery(requests.Model):
    pane: str
    limit: Annotated[int, Field(ge=1, le=100)] = 10


class MuteBody(requests.Model):
    """``pane``: its ref; null: everything. Either ``seconds`` from now, or ``until`` (RFC 3339 or ns)."""

    pane: str | None = None
    seconds: Annotated[float, Field(gt=0, le=requests.MAX_NS)] | None = None
    until: Moment | None = None

    @model_validator(mode="after")
    def _one(self) -> MuteBody:
        if (self.seconds is None) == (self.until is None):
            raise ValueError("give either seconds or until: a mute always ends")
        return self


class UnmuteBody(requests.Model):
    """``pane``: its ref; null: everything, and every single pane too."""

    pane: str | None = None


class LookBody(requests.Model):
    """``panes``: refs of panes or runtimes that a person sees now. ``surface``: where."""

    panes: Annotated[list[str], Field(min_length=1, max_length=MOST_LOOKS)]
    surface: Literal["top", "web"]


class RetryBody(requests.Model):
    """``message``: its id; null: all messages that could not be delivered."""

    message: Annotated[str, Field(min_length=8, max_length=64)] | None = None


class PressBody(requests.Model):
    """``code``: of the button that was pressed. It is used up by this request, whatever comes of it."""

    code: Annotated[str, Field(min_length=1, max_length=128)]
    verb: Literal["approve", "deny"]


class ChannelItem(ResponseModel):
    channel: str
    kind: str
    body: str
    state: str  # ok | failing | disabled | unused
    last_success: Time | None
    last_failure: Time | None
    last_error: str | None
    failures: int
    undelivered: int


class MuteItem(ResponseModel):
    pane: str | None  # null: everything
    until: Time


class DeliveryItem(ResponseModel):
    channel: str
    part: str  # first | remind
    state: str  # sending | retry | sent | skipped | dead | unknown; not decided yet: send | wait | hold
    at: Time | None
    rule: int | None
    reason: str | None
    message: str | None


class EpisodeItem(ResponseModel):
    episode: str
    kind: str
    pane: str | None
    agent: str
    target: str | None
    place: str | None
    opened_at: Time
    closed_at: Time | None
    close_reason: str | None
    turn_s: float | None
    seen_at: Time | None
    deliveries: list[DeliveryItem]


class PassedRule(ResponseModel):
    rule: int
    reason: str


class TracedEpisode(EpisodeItem):
    rules_not_for_it: list[PassedRule]


class DeadItem(ResponseModel):
    message: str
    channel: str
    made_at: Time
    title: str
    attempts: int
    last_error: str | None


class NotifyStatus(Answer):
    generated_at: Time
    channels: list[ChannelItem]
    quiet_until: Time | None
    muted_until: Time | None
    mutes: list[MuteItem]
    episodes: list[EpisodeItem]
    dead: list[DeadItem]


class TestResult(ResponseModel):
    __test__ = False
    channel: str
    ok: bool
    detail: str


class TestResults(Answer):
    __test__ = False
    generated_at: Time
    results: list[TestResult]


class Why(Answer):
    generated_at: Time
    ref: str
    items: list[TracedEpisode]


class MuteAnswer(Answer):
    generated_at: Time
    item: MuteItem


class UnmuteAnswer(Answer):
    generated_at: Time
    lifted: int


class LookAnswer(Answer):
    generated_at: Time
    counted: int


class RetryAnswer(Answer):
    generated_at: Time
    retried: int


class NotifyService(Protocol):
    """Answers the routes of notifications."""

    envelope: Envelope

    async def status(self) -> dict[str, Any]:
        """Describe channels, mutes, open episodes and messages that could not be delivered."""

    async def test(self, channel: str | None) -> list[dict[str, Any]]:
        """Send a test message on one channel or on all. Raises E_INVALID_REQUEST if there is none of that name."""

    async def why(self, pane: str, limit: int) -> tuple[str, list[dict[str, Any]]]:
        """Explain the last episodes of a pane, newest first, with its ref. Raises E_REF_*."""

    async def mute(self, pane: str | None, seconds: float | None, until: int | None) -> dict[str, Any]:
        """Mute a pane or everything. Raises E_REF_*, E_INVALID_REQUEST for a time that is past or too far away."""

    async def unmute(self, pane: str | None) -> int:
        """Lift mutes and return how many. Raises E_REF_*."""

    async def look(self, panes: list[str]) -> int:
        """Count the agents in these panes as looked at for a while, and return how many. Other refs are ignored."""

    async def press(self, code: str, verb: str) -> dict[str, Any]:
        """Answer the prompt that a code is for. Raises E_UNAUTHORIZED, E_RATE_LIMITED, and the action's refusal."""

    async def retry(self, message: str | None) -> int:
        """Send messages that could not be delivered once more, and return how many. Raises E_INVALID_REQUEST."""


async def status(_request: web.Request, service: NotifyService) -> web.StreamResponse:
    return service.envelope.reply(**await service.status())


async def test(request: web.Request, service: NotifyService) -> web.StreamResponse:
    body = TestBody.model_validate(await read_json(request))
    return service.envelope.reply(results=await service.test(body.channel))


async def why(request: web.Request, service: NotifyService) -> web.StreamResponse:
    query = read_query(WhyQuery, request.query)
    ref, items = await service.why(query.pane, query.limit)
    return service.envelope.reply(ref=ref, items=items)


async def mute(request: web.Request, service: NotifyService) -> web.StreamResponse:
    body = MuteBody.model_validate(await read_json(request))
    return service.envelope.reply(item=await service.mute(body.pane, body.seconds, body.until))


async def unmute(request: web.Request, service: NotifyService) -> web.StreamResponse:
    body = UnmuteBody.model_validate(await read_json(request))
    return service.envelope.reply(lifted=await service.unmute(body.pane))


async def look(request: web.Request, service: NotifyService) -> web.StreamResponse:
    body = LookBody.model_validate(await read_json(request))
    return service.envelope.reply(counted=await service.look(body.panes))


async def retry(request: web.Request, service: NotifyService) -> web.StreamResponse:
    body = RetryBody.model_validate(await read_json(request))
    return service.envelope.reply(retried=await service.retry(body.message))


async def press(request: web.Request, service: NotifyService) -> web.StreamResponse:
    body = PressBody.model_validate(await read_json(request))
    return reply(await service.press(body.code, body.verb))


ROUTES: tuple[Route[NotifyService], ...] = (
    Route(
        "GET", "/v1/notify", status, "Channels, mutes, and what waits for you",
        answer=NotifyStatus, access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
    Route(
        "GET", "/v1/notify/why", why, "What was sent about a pane, and why not",
        WhyQuery, answer=Why, access=Access.EVERYBODY, web=WebScope.OBSERVE,
    ),
    Route("POST", "/v1/notify/test", test, "Send a test message", body=TestBody, answer=TestResults),
    Route(
        "POST", "/v1/notify/mute", mute, "Mute a pane, or everything",
        body=MuteBody, answer=MuteAnswer, web=WebScope.ACT,
    ),
    Route("POST", "/v1/notify/unmute", unmute, "Lift mutes", body=UnmuteBody, answer=UnmuteAnswer, web=WebScope.ACT),
    Route(
        "POST", "/v1/notify/look", look, "Report which panes a person sees in the dashboard or on the web page",
        body=LookBody, answer=LookAnswer, web=WebScope.OBSERVE,
    ),
    Route(
        "POST", "/v1/notify/press", press, "Answer a prompt by the single-use code of a button",
        body=PressBody, answer=ActionAnswer, web=WebScope.OWN,
    ),
    Route("POST", "/v1/notify/retry", retry, "Send failed messages again", body=RetryBody, answer=RetryAnswer),
)  # fmt: skip
