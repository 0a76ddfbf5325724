"""List agents and teams, say who asks, and pass changes on to the room ``agents``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.changes import AgentChanges, ChangeRequest
from agtmuxd.agents.model import Agent, Team
from agtmuxd.agents.team_file import read
from agtmuxd.agents.teams import Teams
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.requests import moment
from agtmuxd.core.actor import Actor
from agtmuxd.core.model import NS
from agtmuxd.features.agents.model import AgentFilter, agent_item, card
from agtmuxd.features.contract import Agents, Allow
from agtmuxd.repository import Repository
from agtmuxd.stream.published import PublishedRows


class AgentBook:
    """Implements ``AgentService`` of ``routes``."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        view: PublishedRows,
        repository: Repository,
        agents: Agents,
        changes: AgentChanges,
        teams: Teams,
        allow: Allow,
        clock: Callable[[], int],
    ) -> None:
        self.envelope = envelope
        self._view = view
        self._repository = repository
        self._agents = agents
        self._changes = changes
        self._teams = teams
        self._allow = allow
        self._clock = clock

    # ---------------------------------------------------------------- reads

    def listing(self, wanted: AgentFilter) -> list[dict[str, Any]]:
        """List agents, oldest first."""
        rows = {row["runtime_id"]: row for row in self._view.panes.values() if row.get("runtime_id")}
        items = (self._item(agent, rows.get(agent.runtime_id)) for agent in self._agents.all())
        return [item for item in items if wanted.matches(item)]

    async def one(self, text: str) -> dict[str, Any]:
        """Return the item of the agent that a name, an id or a ref names. Raises E_AGENT_*, E_REF_*."""
        agent = await self._agent(text)
        return self._item(agent, self._row(agent))

    async def card(self, text: str) -> dict[str, Any]:
        """Return the card of an agent. Raises as ``one``."""
        return card(await self.one(text))

    def whoami(self, actor: Actor) -> dict[str, Any]:
        """Describe who asks: ``kind`` is ``agent``, ``person`` or ``device``."""
        if actor.agent_id is not None:
            agent = self._agents.get(actor.agent_id)
            item = None if agent is None else self._item(agent, self._row(agent))
            return {"kind": "agent", "label": actor.label, "agent": item}
        return {"kind": "device" if actor.caller.actor else "person", "label": actor.label, "agent": None}

    def teams(self) -> list[dict[str, Any]]:
        """List teams with their agents, oldest first."""
        return [team.item() for team in self._agents.teams()]

    def team(self, name: str) -> dict[str, Any]:
        """Return a team, each agent with its pane. Raises E_NOT_FOUND."""
        team: Team = self._changes.team(name)
        agents = [{**self._item(agent, self._row(agent)), "deliver": team.deliver_to(agent)} for agent in team.agents]
        return {**team.item(), "agents": agents}

    # ---------------------------------------------------------------- changes

    async def create(
        self, actor: Actor, request_ref: str, name: str, *, team: str | None, role: str | None, tags: tuple[str, ...]
    ) -> dict[str, Any]:
        """Add an agent without a runtime."""
        self._allow(actor, "admin", f"agent:{name}")
        return await self._changes.create(
            ChangeRequest(actor.label, request_ref), name, team=team, role=role, tags=tags
        )

    async def rename(self, actor: Actor, request_ref: str, text: str, name: str) -> dict[str, Any]:
        """Name an agent."""
        self._allow(actor, "admin", f"agent:{text}")
        agent = await self._agent(text)
        return await self._changes.rename(ChangeRequest(actor.label, request_ref), agent.agent_id, name)

    async def retire(self, actor: Actor, request_ref: str, text: str) -> dict[str, Any]:
        """Take an agent out of use."""
        self._allow(actor, "admin", f"agent:{text}")
        agent = await self._agent(text)
        return await self._changes.retire(ChangeRequest(actor.label, request_ref), agent.agent_id)

    async def bind(
        self, actor: Actor, request_ref: str, text: str, ref: str, *, if_runtime: str | None, take: bool, yes: bool
    ) -> dict[str, Any]:
        """Make an agent the one in the pane ``ref``. Raises E_REF_*, E_RUNTIME_STALE, E_PRECONDITION_FAILED."""
        self._allow(actor, "admin", f"agent:{text}")
        if take and actor.is_agent:
            raise AgtmuxError("E_POLICY_DENIED", "only a person may take an agent's place: leave take out")
        agent, runtime_id = await self._agent(text), self._runtime(ref)
        if if_runtime is not None and if_runtime != runtime_id:
            raise AgtmuxError("E_RUNTIME_STALE", "another agent runs in that pane now", {"reason": "runtime"})
        await self._agents.refresh()
        asked = ChangeRequest(actor.label, request_ref)
        return await self._changes.bind(asked, agent.agent_id, runtime_id, take=take, confirmed=yes)

    async def apply(self, actor: Actor, request_ref: str, text: str) -> dict[str, Any]:
        """Make a team as its file wants it."""
        wanted = read(text, self._agents.reserved())
        self._allow(actor, "admin", f"team:{wanted.name}")
        return await self._teams.apply(ChangeRequest(actor.label, request_ref), wanted)

    def plan(self, text: str) -> dict[str, Any]:
        """Say what applying a team file would change."""
        plan = self._teams.plan(read(text, self._agents.reserved()))
        return {"team": plan.team.item(), "steps": list(plan.steps)}

    async def remove_team(self, actor: Actor, request_ref: str, name: str) -> dict[str, Any]:
        """Remove a team. Its agents stay."""
        self._allow(actor, "admin", f"team:{name}")
        return await self._teams.remove(ChangeRequest(actor.label, request_ref), name)

    # ---------------------------------------------------------------- look-ups

    async def _agent(self, text: str) -> Agent:
        if not text.startswith(("pane:", "runtime:")):
            return self._agents.find(text)
        runtime_id = self._runtime(text)
        await self._agents.refresh()
        agent = self._agents.of_runtime(runtime_id)
        if agent is None:
            raise AgtmuxError("E_RUNTIME_STALE", "the agent in that pane has just ended", {"reason": "runtime"})
        return agent

    def _runtime(self, ref: str) -> str:
        """Return the id of the runtime in a pane. Raises E_REF_*, E_PRECONDITION_FAILED."""
        row = self._view.panes[self._view.resolve(ref)]
        runtime_id = row.get("runtime_id")
        if runtime_id is None or runtime_id not in self._repository.active.values():
            raise AgtmuxError(
                "E_PRECONDITION_FAILED",
                f"no agent runs in {row['identity']['pane_id']}: run agtmux ls to see agents",
                {"reason": "agent"},
            )
        return str(runtime_id)

    def _row(self, agent: Agent) -> Mapping[str, Any] | None:
        if agent.runtime_id is None:
            return None
        return next((row for row in self._view.panes.values() if row.get("runtime_id") == agent.runtime_id), None)

    def _item(self, agent: Agent, row: Mapping[str, Any] | None) -> dict[str, Any]:
        if row is not None:
            row = self._view.with_age(dict(row))
        seen = None if row is None else row.get("last_seen_at")
        age = None if seen is None else max(0.0, (self._clock() - moment(seen)) / NS)
        return agent_item(agent, row, age, self._agents.lives(agent))
