"""The routes of worktrees and collisions, their models, and what they need from the service."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import Field, StrictInt, model_validator

from agtmuxd.api import requests
from agtmuxd.api.callers import actor
from agtmuxd.api.envelopes import Envelope, reply
from agtmuxd.api.parsing import read_json, read_query
from agtmuxd.api.responses.base import Answer, ResponseModel, RowsAnswer, Time
from agtmuxd.api.route import Access, Route
from agtmuxd.core.actor import Actor

RequestRef = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")]
Commit = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
AbsolutePath = Annotated[str, Field(pattern=r"^/[^\x00]*$", max_length=4096)]


class WorktreesQuery(requests.Model):
    """``removed``: list also worktrees that are gone."""

    removed: requests.Flag = False


class WorktreeRequest(requests.Model):
    """A worktree to add. ``repository``: its common git folder. ``taken``: branches below ``agtmux`` that exist.

    ``agent``: whose it is; an agent that asks may leave it out. ``base``: as the caller wrote it.
    """

    request_ref: RequestRef
    agent: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    slug: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None
    repository: AbsolutePath
    base: Annotated[str, Field(min_length=1, max_length=1024)]
    base_commit: Commit
    taken: Annotated[list[Annotated[str, Field(max_length=1024)]], Field(max_length=10_000, default_factory=list)]


class SalvageReport(requests.Model):
    """A verified salvage: its ref, its commit, its folder, and the digest of the state that it holds."""

    ref: Annotated[str, Field(pattern=r"^refs/agtmux/salvage/[A-Za-z0-9-]{1,64}$")]
    commit: Commit
    folder: AbsolutePath
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class WorktreeReport(requests.Model):
    """What the command line did, or is about to do, to a worktree.

    ``removing`` is refused while a pane works there. ``added`` and ``removed`` are refused if the disk says otherwise.
    """

    request_ref: RequestRef
    step: Literal["added", "not_added", "removing", "kept", "removed", "salvaged", "checked"]
    conflicts: Annotated[StrictInt, Field(ge=0)] | None = None
    salvage: SalvageReport | None = None

    @model_validator(mode="after")
    def _fits(self) -> WorktreeReport:
        if (self.salvage is not None) != (self.step == "salvaged"):
            raise ValueError("salvage: goes with the step salvaged, and only with it")
        if (self.conflicts is not None) != (self.step == "checked"):
            raise ValueError("conflicts: goes with the step checked, and only with it")
        return self

    @property
    def salvage_item(self) -> dict[str, Any] | None:
        """Return the salvage as JSON."""
        return None if self.salvage is None else self.salvage.model_dump(mode="json")


class SalvageItem(ResponseModel):
    ref: str
    commit: str
    folder: str
    fingerprint: str
    at: Time


class WorktreeItem(ResponseModel):
    """One worktree. ``conflicts``: files in conflict at the last check; null: not checked yet.

    ``lock_reason``: the reason with which git locks it. ``agent_id`` null: no agent has this name yet. ``inside``: refs
    of the panes that work in it, in reads only.
    """

    worktree_id: str
    repository: str
    agent_id: str | None
    agent: str
    team: str | None
    path: str
    branch: str
    base: str
    base_commit: str
    lock_reason: str
    state: Literal["adding", "active", "removing", "removed"]
    conflicts: int | None
    salvage: SalvageItem | None
    created_at: Time
    updated_at: Time
    inside: list[str] | None = None


class WorktreesSummary(ResponseModel):
    worktrees: int


class WorktreesAnswer(RowsAnswer):
    """``salvage_folder``: the folder of all salvages."""

    summary: WorktreesSummary
    salvage_folder: str
    items: list[WorktreeItem]


class WorktreeAnswer(Answer):
    worktree: WorktreeItem


class CollisionAgent(ResponseModel):
    agent_id: str
    agent: str | None
    tree: str


class CollisionItem(ResponseModel):
    """A file that two agents changed. ``certain`` false: both had a turn in one tree when it was written."""

    collision_id: str
    repository: str
    path: str
    agents: list[CollisionAgent]
    certain: bool
    found_at: Time


class CollisionsSummary(ResponseModel):
    collisions: int


class CollisionsAnswer(RowsAnswer):
    summary: CollisionsSummary
    items: list[CollisionItem]


class WorktreeService(Protocol):
    """Keeps the records of worktrees."""

    envelope: Envelope

    async def listed(self, *, removed: bool) -> list[dict[str, Any]]:
        """List the records."""

    async def shown(self, worktree_id: str) -> dict[str, Any]:
        """Return one record. Raises E_NOT_FOUND."""

    async def reserve(self, actor: Actor, wanted: WorktreeRequest) -> dict[str, Any]:
        """Record a worktree that is about to be added."""

    async def report(self, actor: Actor, worktree_id: str, report: WorktreeReport) -> dict[str, Any]:
        """Take over what git did to a worktree."""

    async def collisions(self) -> list[dict[str, Any]]:
        """List the files that two agents changed."""

    def salvage_folder(self) -> str:
        """Return the folder of all salvages."""


async def listed(request: web.Request, service: WorktreeService) -> web.StreamResponse:
    query = read_query(WorktreesQuery, request.query)
    items = await service.listed(removed=query.removed)
    body = service.envelope.read(filters={"removed": query.removed}, summary={"worktrees": len(items)}, items=items)
    return reply({**body, "salvage_folder": service.salvage_folder()})


async def shown(request: web.Request, service: WorktreeService) -> web.StreamResponse:
    read_query(requests.NoQuery, request.query)
    return service.envelope.reply(worktree=await service.shown(request.match_info["worktree_id"]))


async def reserve(request: web.Request, service: WorktreeService) -> web.StreamResponse:
    wanted = WorktreeRequest.model_validate(await read_json(request))
    return service.envelope.reply(worktree=await service.reserve(await actor(request), wanted))


async def report(request: web.Request, service: WorktreeService) -> web.StreamResponse:
    wanted = WorktreeReport.model_validate(await read_json(request))
    worktree_id = request.match_info["worktree_id"]
    return service.envelope.reply(worktree=await service.report(await actor(request), worktree_id, wanted))


async def collisions(request: web.Request, service: WorktreeService) -> web.StreamResponse:
    read_query(requests.NoQuery, request.query)
    items = await service.collisions()
    return reply(service.envelope.read(filters={}, summary={"collisions": len(items)}, items=items))


ROUTES: tuple[Route[WorktreeService], ...] = (
    Route("GET", "/v1/worktrees", listed, "Worktrees of agents", WorktreesQuery, answer=WorktreesAnswer,
          access=Access.EVERYBODY),
    Route("POST", "/v1/worktrees", reserve, "Record a worktree that is about to be added", body=WorktreeRequest,
          answer=WorktreeAnswer, access=Access.AGENTS),
    Route("GET", "/v1/worktrees/{worktree_id}", shown, "One worktree", answer=WorktreeAnswer, access=Access.EVERYBODY),
    Route("POST", "/v1/worktrees/{worktree_id}/report", report, "Report what was done to a worktree",
          body=WorktreeReport, answer=WorktreeAnswer, access=Access.AGENTS),
    Route("GET", "/v1/collisions", collisions, "Files that two agents changed", answer=CollisionsAnswer,
          access=Access.EVERYBODY),
)  # fmt: skip
