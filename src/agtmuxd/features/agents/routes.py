"""The routes of agents and teams, their models, and what they need from the service.

Anybody may read. What changes something asks who sends it: only people may, unless a policy lets an agent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import BeforeValidator, Field, StrictBool

from agtmuxd.api import requests
from agtmuxd.api.callers import actor
from agtmuxd.api.envelopes import Envelope, reply
from agtmuxd.api.parsing import given, read_json, read_query
from agtmuxd.api.responses.base import Answer, ResponseModel, RowsAnswer, Time
from agtmuxd.api.route import Access, Route, WebScope
from agtmuxd.core.actor import Actor
from agtmuxd.core.model import State
from agtmuxd.features.agents.model import AgentFilter

RequestRef = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")]
RuntimeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{16,128}$")]
Line = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _states(values: list[str]) -> list[str]:
    return [word for value in values for word in value.split(",")]


class AgentQuery(requests.Model):
    """``q``: part of a name, role, owner or tag. ``all``: also agents that ended and that nobody named."""

    q: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    team: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    state: Annotated[list[State], BeforeValidator(_states), Field(default_factory=list)]
    all: requests.Flag = False


class Change(requests.Model):
    request_ref: RequestRef


class NewAgent(Change):
    """An agent without a runtime. ``team``: one that is there."""

    name: str
    team: str | None = None
    role: Line | None = None
    tags: Annotated[list[Line], Field(max_length=32, default_factory=list)]


class NewName(Change):
    name: str


class NewBinding(Change):
    """``take``: also from a runtime that still runs, or in place of an agent with a name. ``yes``: a person agreed."""

    ref: str
    if_runtime: RuntimeId | None = None
    take: StrictBool = False
    yes: StrictBool = False


class TeamText(Change):
    """``text``: the team file, in TOML. ``plan``: change nothing, only say what would change."""

    text: str
    plan: StrictBool = False


class AgentItem(ResponseModel):
    """An agent. Without a runtime, the fields of its pane are null. ``last_seen``: how sure it is that it is there."""

    agent_id: str
    name: str
    team: str | None
    automatic: bool
    role: str | None
    owner: str | None
    tags: list[str]
    scopes: list[str]
    deliver: Literal["pane", "pull"] | None
    runtime_id: str | None
    epoch: int
    bound_at: Time | None
    bound_by: str | None
    ended_at: Time | None
    created_at: Time
    retired_at: Time | None


class ListedAgent(AgentItem):
    target: str | None
    ref: str | None
    agent_type: str | None
    agent_session_id: str | None
    state: State | None
    accepts_input: bool | None
    since: Time | None
    attention: str | None
    last_seen: Literal["alive", "stale", "gone"]
    last_seen_at: Time | None
    cwd: str | None


class Total(ResponseModel):
    total: int


class AgentsAnswer(RowsAnswer):
    summary: Total
    items: list[ListedAgent]


class AgentAnswer(Answer):
    generated_at: Time
    item: ListedAgent


class ChangedAgent(Answer):
    generated_at: Time
    item: AgentItem


class CardAnswer(Answer):
    generated_at: Time
    card: dict[str, Any]


class WhoamiAnswer(Answer):
    generated_at: Time
    kind: Literal["agent", "person", "device"]
    label: str
    agent: ListedAgent | None


class TeamItem(ResponseModel):
    team_id: str
    name: str
    deliver: Literal["pane", "pull"]
    escalate_to: str | None
    created_at: Time
    agents: list[AgentItem]


class TeamsAnswer(RowsAnswer):
    summary: Total
    items: list[TeamItem]


class ListedTeam(TeamItem):
    agents: list[ListedAgent]  # type: ignore[assignment]


class TeamAnswer(Answer):
    generated_at: Time
    item: ListedTeam


class TeamStep(ResponseModel):
    """``op``: what happens to the team or agent ``name``. ``fields``: what changes of it."""

    op: str
    name: str
    fields: list[str]


class AppliedTeam(Answer):
    generated_at: Time
    team: TeamItem
    steps: list[TeamStep]


class AgentService(Protocol):
    """Lists and changes agents and teams."""

    envelope: Envelope

    def listing(self, wanted: AgentFilter) -> list[dict[str, Any]]:
        """List agents, oldest first."""

    async def one(self, text: str) -> dict[str, Any]:
        """Return the agent that a name, an id or a ref names. Raises E_AGENT_*, E_REF_*."""

    async def card(self, text: str) -> dict[str, Any]:
        """Return its card."""

    def whoami(self, actor: Actor) -> dict[str, Any]:
        """Describe who asks."""

    async def create(
        self, actor: Actor, request_ref: str, name: str, *, team: str | None, role: str | None, tags: tuple[str, ...]
    ) -> dict[str, Any]:
        """Add an agent without a runtime."""

    async def rename(self, actor: Actor, request_ref: str, text: str, name: str) -> dict[str, Any]:
        """Name an agent."""

    async def retire(self, actor: Actor, request_ref: str, text: str) -> dict[str, Any]:
        """Take an agent out of use."""

    async def bind(
        self, actor: Actor, request_ref: str, text: str, ref: str, *, if_runtime: str | None, take: bool, yes: bool
    ) -> dict[str, Any]:
        """Make an agent the one in a pane."""

    def teams(self) -> list[dict[str, Any]]:
        """List teams."""

    def team(self, name: str) -> dict[str, Any]:
        """Return a team. Raises E_NOT_FOUND."""

    def plan(self, text: str) -> dict[str, Any]:
        """Say what applying a team file would change."""

    async def apply(self, actor: Actor, request_ref: str, text: str) -> dict[str, Any]:
        """Make a team as its file wants it."""

    async def remove_team(self, actor: Actor, request_ref: str, name: str) -> dict[str, Any]:
        """Remove a team."""


async def listing(request: web.Request, service: AgentService) -> web.StreamResponse:
    query = read_query(AgentQuery, request.query)
    states = tuple(str(state) for state in query.state)
    items = service.listing(AgentFilter(query.q, query.team, states, query.all))
    filters = given(query, "q", "team", "state", "all")
    return reply(service.envelope.read(filters=filters, summary={"total": len(items)}, items=items))


async def one(request: web.Request, service: AgentService) -> web.StreamResponse:
    return service.envelope.reply(item=await service.one(request.match_info["name"]))


async def card(request: web.Request, service: AgentService) -> web.StreamResponse:
    return service.envelope.reply(card=await service.card(request.match_info["name"]))


async def whoami(request: web.Request, service: AgentService) -> web.StreamResponse:
    return service.envelope.reply(**service.whoami(await actor(request)))


async def create(request: web.Request, service: AgentService) -> web.StreamResponse:
    who, new = await actor(request), NewAgent.model_validate(await read_json(request))
    item = await service.create(who, new.request_ref, new.name, team=new.team, role=new.role, tags=tuple(new.tags))
    return service.envelope.reply(item=item)


async def rename(request: web.Request, service: AgentService) -> web.StreamResponse:
    who, new = await actor(request), NewName.model_validate(await read_json(request))
    item = await service.rename(who, new.request_ref, request.match_info["name"], new.name)
    return service.envelope.reply(item=item)


async def retire(request: web.Request, service: AgentService) -> web.StreamResponse:
    who, wanted = await actor(request), Change.model_validate(await read_json(request))
    return service.envelope.reply(item=await service.retire(who, wanted.request_ref, request.match_info["name"]))


async def bind(request: web.Request, service: AgentService) -> web.StreamResponse:
    who, wanted = await actor(request), NewBinding.model_validate(await read_json(request))
    item = await service.bind(
        who, wanted.request_ref, request.match_info["name"], wanted.ref, if_runtime=wanted.if_runtime, take=wanted.take,
        yes=wanted.yes,
    )  # fmt: skip
    return service.envelope.reply(item=item)


async def teams(request: web.Request, service: AgentService) -> web.StreamResponse:
    del request
    items = service.teams()
    return reply(service.envelope.read(filters={}, summary={"total": len(items)}, items=items))


async def team(request: web.Request, service: AgentService) -> web.StreamResponse:
    return service.envelope.reply(item=service.team(request.match_info["name"]))


async def apply(request: web.Request, service: AgentService) -> web.StreamResponse:
    who, wanted = await actor(request), TeamText.model_validate(await read_json(request))
    result = service.plan(wanted.text) if wanted.plan else await service.apply(who, wanted.request_ref, wanted.text)
    return service.envelope.reply(**result)


async def remove_team(request: web.Request, service: AgentService) -> web.StreamResponse:
    who, wanted = await actor(request), Change.model_validate(await read_json(request))
    return service.envelope.reply(**await service.remove_team(who, wanted.request_ref, request.match_info["name"]))


ROUTES: tuple[Route[AgentService], ...] = (
    Route("GET", "/v1/agents", listing, "Agents by name", AgentQuery, answer=AgentsAnswer, access=Access.EVERYBODY,
          web=WebScope.OBSERVE),
    Route("GET", "/v1/agents/{name}", one, "One agent, by name, id or ref", answer=AgentAnswer,
          access=Access.EVERYBODY, web=WebScope.OBSERVE),
    Route("GET", "/v1/agents/{name}/card", card, "What an agent does, as an A2A agent card", answer=CardAnswer,
          access=Access.EVERYBODY, web=WebScope.OBSERVE),
    Route("GET", "/v1/whoami", whoami, "Who asks", answer=WhoamiAnswer, access=Access.AGENTS),
    Route("POST", "/v1/agents", create, "Add an agent without a runtime", body=NewAgent, answer=ChangedAgent,
          access=Access.AGENTS),
    Route("POST", "/v1/agents/{name}/rename", rename, "Name an agent", body=NewName, answer=ChangedAgent,
          access=Access.AGENTS),
    Route("POST", "/v1/agents/{name}/retire", retire, "Take an agent out of use", body=Change, answer=ChangedAgent,
          access=Access.AGENTS),
    Route("POST", "/v1/agents/{name}/bind", bind, "Make an agent the one in a pane", body=NewBinding,
          answer=ChangedAgent, access=Access.AGENTS),
    Route("GET", "/v1/teams", teams, "Teams with their agents", answer=TeamsAnswer, access=Access.EVERYBODY,
          web=WebScope.OBSERVE),
    Route("GET", "/v1/teams/{name}", team, "One team", answer=TeamAnswer, access=Access.EVERYBODY,
          web=WebScope.OBSERVE),
    Route("POST", "/v1/teams", apply, "Make a team as its file wants it", body=TeamText, answer=AppliedTeam,
          access=Access.AGENTS),
    Route("POST", "/v1/teams/{name}/remove", remove_team, "Remove a team; its agents stay", body=Change,
          answer=AppliedTeam, access=Access.AGENTS),
)  # fmt: skip
