"""The routes of leases and of the guard, their models, and what the handlers need from the services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import Field, StrictBool, StrictInt

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api import requests
from agtmuxd.api.callers import actor
from agtmuxd.api.envelopes import Envelope, answer, reply
from agtmuxd.api.parsing import given, read_json, read_query
from agtmuxd.api.responses.base import Answer, ResponseModel, RowsAnswer, Time
from agtmuxd.api.route import Access, Route
from agtmuxd.core.actor import Actor
from agtmuxd.core.model import NS
from agtmuxd.features.leases.model import MOST_TTL, holder_of
from agtmuxd.features.leases.requests import LeaseRequest

Ref = Annotated[str, Field(min_length=1, max_length=128)]
Seconds = Annotated[float, Field(gt=0, le=MOST_TTL / NS)]
Fence = Annotated[StrictInt, Field(ge=1, le=requests.MAX_NS)]
MOST_HELD = 64
"""Patterns and names of one request."""
MOST_PATHS = 5000
"""Paths of one request of the guard. A longer list is sent in pieces."""


class RepositoryBody(requests.Model):
    """``git_dir``: the repository's common git folder, as ``git rev-parse --git-common-dir`` names it, absolute."""

    git_dir: requests.Path


class WantedBody(requests.Model):
    """What to hold: ``paths`` (patterns relative to the top of ``repo``) and ``names``."""

    repo: RepositoryBody | None = None
    paths: Annotated[list[str], Field(max_length=MOST_HELD, default_factory=list)]
    names: Annotated[list[str], Field(max_length=MOST_HELD, default_factory=list)]
    mode: Literal["exclusive", "shared"] = "exclusive"
    ttl_s: Seconds | None = None
    capacity: Annotated[StrictInt, Field(ge=1, le=1000)] | None = None
    advisory: StrictBool = False
    reason: Annotated[str, Field(max_length=200)] | None = None

    def request(self) -> LeaseRequest:
        """Return what is asked for."""
        return LeaseRequest(
            self.repo.git_dir if self.repo is not None else None, tuple(self.paths), tuple(self.names), self.mode,
            _ns(self.ttl_s), self.capacity, self.advisory, self.reason,
        )  # fmt: skip


class AcquireBody(WantedBody):
    request_ref: Ref


class RenewBody(requests.Model):
    request_ref: Ref
    fence: Fence
    ttl_s: Seconds | None = None


class ReleaseBody(requests.Model):
    request_ref: Ref
    fence: Fence


class TakeBody(requests.Model):
    """``expected_fence``: of the lease as you know it."""

    request_ref: Ref
    expected_fence: Fence
    ttl_s: Seconds | None = None
    reason: Annotated[str, Field(max_length=200)] | None = None


class GuardBody(requests.Model):
    """``paths``: of files, relative to the top of the repository, with ``\\`` before special characters."""

    repo: RepositoryBody
    paths: Annotated[list[str], Field(max_length=MOST_PATHS)]
    hook: Literal["pre-commit", "prepare-commit-msg", "pre-push", "edit"] = "edit"


class LeaseQuery(requests.Model):
    """``mine``: only those of the caller. ``all``: also those that ended in the last days. ``lease``: this one."""

    mine: requests.Flag = False
    all: requests.Flag = False
    lease: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 200


class LeaseItem(ResponseModel):
    """A lease. ``mine``: the caller holds it; only in answers that know the caller."""

    lease_id: str
    kind: Literal["path", "name"]
    repo_id: str | None
    git_dir: str | None
    pattern: str | None
    name: str | None
    capacity: int | None
    mode: Literal["exclusive", "shared"]
    advisory: bool
    holder: str
    agent_id: str | None
    runtime_id: str | None
    fence: int
    ttl_s: float
    acquired_at: Time
    renewed_at: Time
    expires_at: Time
    orphaned_at: Time | None
    ended_at: Time | None
    state: Literal["active", "orphaned", "released", "expired", "taken"]
    end_reason: str | None
    reason: str | None
    mine: bool | None = None


class LeaseSummary(ResponseModel):
    total: int


class LeaseList(RowsAnswer):
    summary: LeaseSummary
    items: list[LeaseItem]


class LeasesAnswer(Answer):
    items: list[LeaseItem]


class TakeAnswer(LeasesAnswer):
    taken_from: str


class LeaseAnswer(Answer):
    item: LeaseItem


class CheckAnswer(Answer):
    """``conflicts``: the leases that would refuse the request."""

    free: bool
    conflicts: list[LeaseItem]


class GuardFinding(ResponseModel):
    path: str
    kind: Literal["lease", "scope"]
    blocks: bool
    holder: str | None
    pattern: str | None
    lease_id: str | None
    fence: int | None
    expires_at: Time | None
    text: str
    next_step: str


class GuardAnswer(Answer):
    """``managed``: an agent asks. ``agent``: its name."""

    verdict: Literal["pass", "warn", "block"]
    managed: bool
    agent: str | None
    checked: int
    truncated: bool
    findings: list[GuardFinding]


class LeaseService(Protocol):
    """Grants and ends leases."""

    envelope: Envelope

    async def listing(
        self, *, ended: bool, limit: int, lease_id: str | None, holder: str | None
    ) -> list[dict[str, Any]]:
        """List leases, newest first."""

    async def check(self, actor: Actor, wanted: LeaseRequest) -> list[dict[str, Any]]:
        """Return the leases that would refuse this request. Writes nothing."""

    async def acquire(self, actor: Actor, wanted: LeaseRequest, request_ref: str) -> dict[str, Any]:
        """Grant all that is wanted, or nothing."""

    async def renew(self, actor: Actor, lease_id: str, fence: int, ttl: int | None, request_ref: str) -> dict[str, Any]:
        """Let a lease last longer."""

    async def release(self, actor: Actor, lease_id: str, fence: int, request_ref: str) -> dict[str, Any]:
        """End a lease."""

    async def take(
        self, actor: Actor, lease_id: str, fence: int, ttl: int | None, reason: str | None, request_ref: str
    ) -> dict[str, Any]:
        """Take a lease over."""


class GuardService(Protocol):
    """Judges paths that somebody is about to change."""

    async def check(self, actor: Actor | None, git_dir: str, paths: Sequence[str], hook: str) -> dict[str, Any]:
        """Judge these paths. ``actor`` None: an agent that agtmux does not know."""


def _ns(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * NS)


async def listing(request: web.Request, leases: LeaseService) -> web.StreamResponse:
    query = read_query(LeaseQuery, request.query)
    holder = holder_of(await actor(request)) if query.mine else None
    items = await leases.listing(ended=query.all, limit=query.limit, lease_id=query.lease, holder=holder)
    filters = given(query, "mine", "all", "lease", "limit")
    return reply(leases.envelope.read(filters=filters, summary={"total": len(items)}, items=items))


async def acquire(request: web.Request, leases: LeaseService) -> web.StreamResponse:
    body = AcquireBody.model_validate(await read_json(request))
    return answer(**await leases.acquire(await actor(request), body.request(), body.request_ref))


async def check(request: web.Request, leases: LeaseService) -> web.StreamResponse:
    body = WantedBody.model_validate(await read_json(request))
    found = await leases.check(await actor(request), body.request())
    return answer(free=not found, conflicts=found)


async def renew(request: web.Request, leases: LeaseService) -> web.StreamResponse:
    body = RenewBody.model_validate(await read_json(request))
    who, name = await actor(request), request.match_info["id"]
    return answer(**await leases.renew(who, name, body.fence, _ns(body.ttl_s), body.request_ref))


async def release(request: web.Request, leases: LeaseService) -> web.StreamResponse:
    body = ReleaseBody.model_validate(await read_json(request))
    return answer(**await leases.release(await actor(request), request.match_info["id"], body.fence, body.request_ref))


async def take(request: web.Request, leases: LeaseService) -> web.StreamResponse:
    body = TakeBody.model_validate(await read_json(request))
    who, name = await actor(request), request.match_info["id"]
    taken = await leases.take(who, name, body.expected_fence, _ns(body.ttl_s), body.reason, body.request_ref)
    return answer(**taken)


async def guard_check(request: web.Request, guard: GuardService) -> web.StreamResponse:
    body = GuardBody.model_validate(await read_json(request))
    try:
        who: Actor | None = await actor(request)
    except AgtmuxError as error:
        if error.code != "E_FORBIDDEN":
            raise
        who = None  # an agent that agtmux does not know: every lease is somebody else's
    return answer(**await guard.check(who, body.repo.git_dir, body.paths, body.hook))


LEASE_ROUTES: tuple[Route[LeaseService], ...] = (
    Route("GET", "/v1/leases", listing, "Which leases there are", LeaseQuery, answer=LeaseList,
          access=Access.EVERYBODY),
    Route("POST", "/v1/leases", acquire, "Hold paths and names", body=AcquireBody, answer=LeasesAnswer,
          access=Access.AGENTS),
    Route("POST", "/v1/leases/check", check, "Whether they could be held now", body=WantedBody, answer=CheckAnswer,
          access=Access.AGENTS),
    Route("POST", "/v1/leases/{id}/renew", renew, "Hold one for longer", body=RenewBody, answer=LeaseAnswer,
          access=Access.AGENTS),
    Route("POST", "/v1/leases/{id}/release", release, "End one", body=ReleaseBody, answer=LeaseAnswer,
          access=Access.AGENTS),
    Route("POST", "/v1/leases/{id}/take", take, "Take one over", body=TakeBody, answer=TakeAnswer,
          access=Access.AGENTS),
)  # fmt: skip
GUARD_ROUTES: tuple[Route[GuardService], ...] = (
    Route("POST", "/v1/guard/check", guard_check, "Whether paths may be changed now", body=GuardBody,
          answer=GuardAnswer, access=Access.AGENTS),
)  # fmt: skip
ROUTES: tuple[Route[Any], ...] = (*LEASE_ROUTES, *GUARD_ROUTES)
