"""The route of the recap, its query and its answer."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from aiohttp import web
from pydantic import BeforeValidator, Field

from agtmuxd.api import requests
from agtmuxd.api.envelopes import Envelope, reply
from agtmuxd.api.parsing import read_query
from agtmuxd.api.responses.base import ResponseModel, RowsAnswer, Time
from agtmuxd.api.responses.panes import AgentName, PaneIdentity
from agtmuxd.api.route import Access, Route, WebScope
from agtmuxd.core.model import State


class RecapQuery(requests.Model):
    """From when on (RFC 3339 or ns)."""

    since: Annotated[int, BeforeValidator(requests.moment), Field(ge=0, le=requests.MAX_NS)]


class WaitItem(ResponseModel):
    """``until`` null: it still waits."""

    state: State
    subject: str | None
    text: str | None
    since: Time
    until: Time | None
    waited_s: float


class FailureItem(ResponseModel):
    at: Time
    detail: str | None


class AgentItem(ResponseModel):
    """One runtime. ``waits`` has the longest ones, ``failures`` the newest; the counts include all."""

    runtime_id: str
    ref: str | None
    identity: PaneIdentity | None
    agent_type: str | None
    agent: AgentName | None
    agent_name: str | None
    project: str | None
    branch: str | None
    window_name: str | None
    window_index: int | None
    pane_index: int | None
    state: State | None
    ended_at: Time | None
    waited_s: float
    wait_count: int
    waits: list[WaitItem]
    finished: int
    failed: int
    failures: list[FailureItem]
    running_s: float


class MessageItem(ResponseModel):
    at: Time
    message_id: str
    kind: str
    sender: str


class TakeoverItem(ResponseModel):
    """A lease that somebody took over. ``what``: its pattern or name."""

    at: Time
    lease_id: str
    what: str
    holder: str
    reason: str | None


class CoordinationItem(ResponseModel):
    """Counts, and the newest messages to people and leases that were taken over. There are no texts."""

    to_people: int
    results: int
    answers: int
    overdue: int
    undelivered: int
    leases_taken: int
    messages: list[MessageItem]
    takeovers: list[TakeoverItem]


class RecapSummary(ResponseModel):
    agents: int
    waited_s: float
    waits: int
    finished: int
    failed: int
    running_s: float


class RecapAnswer(RowsAnswer):
    """``log_begins``: older changes were deleted. If it is later than ``since``, the recap begins there."""

    since: Time
    until: Time
    log_begins: Time | None
    coordination: CoordinationItem
    summary: RecapSummary
    items: list[AgentItem]


class RecapService(Protocol):
    """Tells what happened since a time."""

    envelope: Envelope

    async def since(self, since: int) -> dict[str, Any]:
        """Give the fields of the answer. ``since``: ns. Raises E_INVALID_REQUEST for a time still to come."""


async def recap(request: web.Request, service: RecapService) -> web.StreamResponse:
    query = read_query(RecapQuery, request.query)
    found = await service.since(query.since)
    listing = service.envelope.read(
        filters={"since": query.since}, summary=found.pop("summary"), items=found.pop("items")
    )
    return reply({**found, **listing})


ROUTES: tuple[Route[RecapService], ...] = (
    Route("GET", "/v1/recap", recap, "What happened since a time", RecapQuery, answer=RecapAnswer,
          access=Access.EVERYBODY, web=WebScope.OBSERVE),
)  # fmt: skip
