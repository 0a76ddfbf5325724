"""Make a team as its file wants it, all of it or nothing. Applying the same file again changes nothing.

Owns which agents join, change and leave. An agent keeps its id, its runtime and its messages in every case.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents import store as rows
from agtmuxd.agents.changes import AgentChanges, ChangeRequest, Step
from agtmuxd.agents.directory import AgentDirectory, ChangeSet
from agtmuxd.agents.model import Agent, Team, named
from agtmuxd.agents.team_file import Member, TeamFile
from agtmuxd.core.ids import uuid7

_FIELDS: Final = ("name", "role", "owner", "tags", "scopes", "deliver")


@dataclass(frozen=True, slots=True)
class TeamPlan:
    """What applying a file changes. ``steps``: each with ``op``, ``agent`` and ``fields``, for people."""

    team: Team
    added: tuple[Agent, ...]
    saved: tuple[tuple[Agent, bool], ...]
    """Agents that are there, and whether each is in the team afterwards."""
    steps: tuple[dict[str, Any], ...]


class Teams:
    """Changes teams by the directory."""

    def __init__(self, directory: AgentDirectory, changes: AgentChanges, clock: Callable[[], int]) -> None:
        self._directory = directory
        self._changes = changes
        self._clock = clock

    def plan(self, wanted: TeamFile) -> TeamPlan:
        """Decide what applying a file changes. Raises E_PRECONDITION_FAILED if a name is not free."""
        now, agents = self._clock(), self._directory.all()
        before = self._directory.team(wanted.name)
        team = Team(
            uuid7(now) if before is None else before.team_id, wanted.name if before is None else before.name,
            now if before is None else before.created_at, wanted.deliver, wanted.escalate_to,
        )  # fmt: skip
        steps: list[dict[str, Any]] = []
        if before is None:
            steps.append(_step("create team", team.name))
        else:
            fields = [key for key in ("deliver", "escalate_to") if getattr(before, key) != getattr(team, key)]
            if fields:
                steps.append(_step("change team", team.name, fields))
        added: list[Agent] = []
        saved: list[tuple[Agent, bool]] = []
        for member in wanted.members:
            there = _find(agents, team.name, member.name)
            after = _with(there or Agent(uuid7(now), member.name, now), member, team.name)
            if there is None:
                added.append(after)
                steps.append(_step("add", after.name))
            elif after != there:
                saved.append((after, True))
                if there.team is None:
                    steps.append(_step("join", after.name))
                else:
                    steps.append(_step("change", after.name, _differences(there, after)))
        kept = {member.name.casefold() for member in wanted.members}
        leaving = [agent for agent in (before.agents if before else ()) if agent.name.casefold() not in kept]
        for agent in self._without_team(leaving):
            saved.append((agent, False))
            steps.append(_step("leave" if agent.retired_at is None else "retire", agent.name))
        return TeamPlan(team, tuple(added), tuple(saved), tuple(steps))

    async def apply(self, asked: ChangeRequest, wanted: TeamFile) -> dict[str, Any]:
        """Apply a file. Raises as ``plan``."""

        def decide() -> Step:
            plan = self.plan(wanted)
            changed = [*plan.added, *(agent for agent, _ in plan.saved)]
            team = replace(plan.team, agents=self._members_after(plan))

            def run(connection: sqlite3.Connection) -> None:
                rows.add_team(connection, plan.team)
                for agent, inside in sorted(plan.saved, key=lambda one: one[1]):  # names get free before they are used
                    rows.save_agent(connection, agent, plan.team.team_id if inside else None)
                for agent in plan.added:
                    rows.add_agent(connection, agent, plan.team.team_id)

            answer = {"team": team.item(), "steps": list(plan.steps)}
            return Step(run, ChangeSet(changed, teams=[team] if plan.steps else []), answer)

        return await self._changes.once(asked, {"apply": repr(wanted)}, decide)

    async def remove(self, asked: ChangeRequest, name: str) -> dict[str, Any]:
        """Remove a team. Its agents stay, without a team. Raises E_NOT_FOUND, E_PRECONDITION_FAILED."""

        def decide() -> Step:
            team = self._changes.team(name)
            agents = self._without_team(team.agents)

            def run(connection: sqlite3.Connection) -> None:
                for agent in agents:
                    rows.save_agent(connection, agent, None)
                rows.remove_team(connection, team.team_id)

            steps = [_step("leave" if agent.retired_at is None else "retire", agent.name) for agent in agents]
            answer = {"team": team.item(), "steps": [_step("remove team", team.name), *steps]}
            return Step(run, ChangeSet(agents, removed_teams=[team.team_id]), answer)

        return await self._changes.once(asked, {"remove": name.casefold()}, decide)

    def _members_after(self, plan: TeamPlan) -> tuple[Agent, ...]:
        after = {agent.agent_id: (agent if inside else None) for agent, inside in plan.saved}
        there = self._directory.team(plan.team.name)
        old = [after.pop(one.agent_id, one) for one in (there.agents if there is not None else ())]
        return tuple(agent for agent in (*old, *after.values(), *plan.added) if agent is not None)

    def _without_team(self, agents: Iterable[Agent]) -> list[Agent]:
        """Return these agents as they are without their team. One that never had a runtime is retired.

        Raises E_PRECONDITION_FAILED if an agent without a team has the name of one of them.
        """
        out = []
        for agent in agents:
            after = replace(agent, team=None, scopes=(), deliver=None)
            if agent.epoch == 0:
                out.append(replace(after, retired_at=self._clock()))
                continue
            if any(one.team is None for one in named(self._directory.all(), agent.name)):
                raise AgtmuxError(
                    "E_PRECONDITION_FAILED",
                    f"{agent.full_name} would leave the team, but there is already an agent {agent.name} without a"
                    f" team: rename one of them first (agtmux agent rename)",
                    {"reason": "name", "agent_id": agent.agent_id},
                )
            out.append(after)
        return out


def _find(agents: Iterable[Agent], team: str, name: str) -> Agent | None:
    """Return the agent of the team with this name, else one without a team."""
    found = named(agents, name)
    mine = [agent for agent in found if (agent.team or "").casefold() == team.casefold()]
    return next(iter(mine or [agent for agent in found if agent.team is None]), None)


def _with(agent: Agent, member: Member, team: str) -> Agent:
    return replace(
        agent, name=member.name, team=team, automatic=False, role=member.role, owner=member.owner, tags=member.tags,
        scopes=member.scopes, deliver=member.deliver,
    )  # fmt: skip


def _differences(before: Agent, after: Agent) -> list[str]:
    return [key for key in _FIELDS if getattr(before, key) != getattr(after, key)]


def _step(op: str, name: str, fields: list[str] | None = None) -> dict[str, Any]:
    return {"op": op, "name": name, "fields": fields or []}
