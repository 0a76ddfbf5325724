"""The routes of ``agtmux restore``, their models, and what they need from the service."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import Field, StrictBool

from agtmuxd.api import requests
from agtmuxd.api.envelopes import Envelope, reply
from agtmuxd.api.parsing import read_json, read_query
from agtmuxd.api.responses.base import Answer, ResponseModel, RowsAnswer, Time
from agtmuxd.api.route import Route

RuntimeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{16,128}$")]


class RestoreQuery(requests.Model):
    """``again``: plan also what was restored before."""

    again: requests.Flag = False


class RestoreClaim(requests.Model):
    """``release``: nothing was started, so take the claim back."""

    runtime_id: RuntimeId
    again: StrictBool = False
    release: StrictBool = False


class LostAgent(ResponseModel):
    """One agent that was lost with its tmux server, and what to do for it.

    ``way``: the words that run a command on its machine (empty: this one). ``tmux``: the first words of a tmux command.
    """

    runtime_id: str
    agent_type: str
    agent_session_id: str | None
    target: str
    session_name: str
    window_index: int
    window_name: str
    pane_index: int
    cwd: str | None
    lost_at: Time
    claimed_at: Time | None
    action: Literal["new", "pane", "skip"]
    argv: list[str]
    pane_id: str | None
    reason: str | None
    way: list[str]
    tmux: list[str]


class RestoreSummary(ResponseModel):
    lost: int
    restorable: int


class RestorePlan(RowsAnswer):
    summary: RestoreSummary
    items: list[LostAgent]


class RestoreClaimAnswer(Answer):
    runtime_id: str


class RestoreService(Protocol):
    """Plans how lost agents come back."""

    envelope: Envelope

    async def planned(self, *, again: bool) -> list[dict[str, Any]]:
        """List the lost agents, each with its step."""

    async def claim(self, runtime_id: str, *, again: bool) -> None:
        """Let the caller restore this agent. Raises E_PRECONDITION_FAILED if it may not."""

    async def release(self, runtime_id: str) -> None:
        """Take a claim back, because nothing was started."""


async def planned(request: web.Request, service: RestoreService) -> web.StreamResponse:
    query = read_query(RestoreQuery, request.query)
    items = await service.planned(again=query.again)
    summary = {"lost": len(items), "restorable": sum(one["action"] != "skip" for one in items)}
    return reply(service.envelope.read(filters={"again": query.again}, summary=summary, items=items))


async def claim(request: web.Request, service: RestoreService) -> web.StreamResponse:
    wanted = RestoreClaim.model_validate(await read_json(request))
    if wanted.release:
        await service.release(wanted.runtime_id)
    else:
        await service.claim(wanted.runtime_id, again=wanted.again)
    return service.envelope.reply(runtime_id=wanted.runtime_id)


ROUTES: tuple[Route[RestoreService], ...] = (
    Route("GET", "/v1/restore", planned, "Which agents were lost, and how they come back", RestoreQuery,
          answer=RestorePlan),
    Route("POST", "/v1/restore/claims", claim, "Restore one of them, once", body=RestoreClaim,
          answer=RestoreClaimAnswer),
)  # fmt: skip
