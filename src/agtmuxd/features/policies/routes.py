"""The routes of ``agtmux policy``, their models, and what they need from the service."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import Field, field_validator

from agtmuxd.api import requests
from agtmuxd.api.envelopes import Envelope, reply
from agtmuxd.api.parsing import read_query
from agtmuxd.api.responses.base import Answer, ResponseModel, RowsAnswer, Time
from agtmuxd.api.route import Access, Route
from agtmuxd.policy.rules import ACTS, VERBS


class PolicyTest(requests.Model):
    """Who, what, and on what. ``object``: ``target:NAME``, ``agent:NAME`` or ``topic:NAME``; several by commas."""

    subject: Annotated[str, Field(min_length=1, max_length=256)]
    verb: str
    object: Annotated[str, Field(min_length=1, max_length=1024)] = "*"

    @field_validator("verb")
    @classmethod
    def _verb(cls, value: str) -> str:
        if value not in (*VERBS, *ACTS):
            raise ValueError(f"{value[:40]!r} is not one of {', '.join((*VERBS, *ACTS))}")
        return value


class PolicyRule(ResponseModel):
    rule: str
    effect: Literal["allow", "deny"]
    subject: str
    verb: str
    object: str


class PolicySummary(ResponseModel):
    total: int


class PolicyRules(RowsAnswer):
    summary: PolicySummary
    items: list[PolicyRule]


class PolicyDecision(Answer):
    """``rule``: what decided; ``default`` if no rule did. ``text``: the rule in one line."""

    generated_at: Time
    allowed: bool
    rule: str
    text: str | None
    topics_below: str | None


class PoliciesService(Protocol):
    """Knows the rules in effect."""

    envelope: Envelope

    def rules(self) -> list[dict[str, Any]]:
        """List the rules in order."""

    def tested(self, subject: str, verb: str, objects: tuple[str, ...]) -> dict[str, Any]:
        """Tell what the rules decide. Raises E_INVALID_REQUEST, E_AGENT_NOT_FOUND, E_AGENT_AMBIGUOUS."""


async def listing(_request: web.Request, service: PoliciesService) -> web.StreamResponse:
    items = service.rules()
    return reply(service.envelope.read(filters={}, summary={"total": len(items)}, items=items))


async def tested(request: web.Request, service: PoliciesService) -> web.StreamResponse:
    query = read_query(PolicyTest, request.query)
    return service.envelope.reply(**service.tested(query.subject, query.verb, tuple(query.object.split(","))))


ROUTES: tuple[Route[PoliciesService], ...] = (
    Route("GET", "/v1/policies", listing, "The rules in effect", answer=PolicyRules, access=Access.EVERYBODY),
    Route("GET", "/v1/policies/test", tested, "What the rules decide", PolicyTest, answer=PolicyDecision,
          access=Access.EVERYBODY),
)  # fmt: skip
