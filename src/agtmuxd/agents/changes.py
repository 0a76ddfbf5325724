"""Change agents as people ask: create, rename, bind, retire. Each request is done once.

Owns the rules of these changes. The directory owns the agents and the order of every change.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents import store as rows
from agtmuxd.agents.directory import AgentDirectory, ChangeSet
from agtmuxd.agents.model import Agent, Team, checked_name, named
from agtmuxd.core.ids import uuid7

Run = Callable[[sqlite3.Connection], None]


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """Who asks for a change (``person``, ``device:phone``), and the caller's name for the request."""

    by: str
    request_ref: str


@dataclass(frozen=True, slots=True)
class Step:
    """One decided change: what to write, what it changes, and the answer to the request."""

    run: Run
    changed: ChangeSet
    answer: dict[str, Any]


class AgentChanges:
    """Changes agents by the directory."""

    def __init__(self, directory: AgentDirectory, clock: Callable[[], int]) -> None:
        self._directory = directory
        self._clock = clock

    async def create(
        self, asked: ChangeRequest, name: str, *, team: str | None, role: str | None, tags: tuple[str, ...]
    ) -> dict[str, Any]:
        """Add an agent without a runtime. Raises E_INVALID_REQUEST, E_NOT_FOUND, E_PRECONDITION_FAILED."""

        def decide() -> Step:
            checked_name(name, self._directory.reserved())
            group = None if team is None else self.team(team)
            self._check_free(name, group.name if group is not None else None)
            now = self._clock()
            agent = Agent(uuid7(now), name, now, group.name if group is not None else None, role=role, tags=tags)
            team_id = group.team_id if group is not None else None
            return Step(lambda c: rows.add_agent(c, agent, team_id), ChangeSet([agent]), agent.item())

        return await self.once(asked, {"create": [name, team, role, tags]}, decide)

    async def rename(self, asked: ChangeRequest, agent_id: str, name: str) -> dict[str, Any]:
        """Give an agent a name of a person's choice. Raises E_INVALID_REQUEST, E_PRECONDITION_FAILED."""

        def decide() -> Step:
            before = self._known(agent_id)
            checked_name(name, self._directory.reserved())
            self._check_free(name, before.team, but=agent_id)
            return self._saved(replace(before, name=name, automatic=False))

        return await self.once(asked, {"rename": [agent_id, name]}, decide)

    async def retire(self, asked: ChangeRequest, agent_id: str) -> dict[str, Any]:
        """Take an agent out of use. Its name is free again. Raises E_PRECONDITION_FAILED if it has a runtime."""

        def decide() -> Step:
            before = self._known(agent_id)
            if before.runtime_id is not None:
                raise AgtmuxError(
                    "E_PRECONDITION_FAILED",
                    f"{before.full_name} still runs: end it first, or bind another agent to its pane",
                    {"reason": "runs", "runtime_id": before.runtime_id},
                )
            return self._saved(replace(before, retired_at=self._clock()))

        return await self.once(asked, {"retire": agent_id}, decide)

    async def bind(
        self, asked: ChangeRequest, agent_id: str, runtime_id: str, *, take: bool, confirmed: bool
    ) -> dict[str, Any]:
        """Make an agent the one that a runtime is.

        ``take``: also from another runtime that still runs, or from another agent with a name; a person must have
        ``confirmed`` that. Raises E_PRECONDITION_FAILED.
        """

        def decide() -> Step:
            before, now = self._known(agent_id), self._clock()
            if before.runtime_id == runtime_id:
                return Step(lambda _c: None, ChangeSet(), before.item())
            other = self._directory.of_runtime(runtime_id)
            displaces = _displaced(before, other)
            if displaces is not None and not (take and confirmed):
                raise AgtmuxError(
                    "E_PRECONDITION_FAILED",
                    f"{displaces}: {'confirm that you take its place with yes' if take else 'add --take to take over'}",
                    {"reason": "bound", "agent_id": agent_id, "runtime_id": runtime_id},
                )
            how = "take" if displaces is not None else "operator"
            after = replace(
                before, runtime_id=runtime_id, epoch=before.epoch + 1, bound_at=now, bound_by=asked.by, ended_at=None,
                session=None, automatic=False,
            )  # fmt: skip
            changed = [after]
            if other is not None:
                changed.insert(0, replace(other, runtime_id=None, bound_at=None, ended_at=now, session=None))
            team = self._directory.team(after.team)

            def run(connection: sqlite3.Connection) -> None:
                for agent in (before, other):
                    if agent is not None:
                        rows.end_binding(connection, agent.agent_id, now)
                rows.save_agent(connection, after, team.team_id if team is not None else None)
                rows.add_binding(connection, uuid7(now), agent_id, runtime_id, after.epoch, now, how, asked.by)

            return Step(run, ChangeSet(changed), after.item())

        answer = await self.once(asked, {"bind": [agent_id, runtime_id, take, confirmed]}, decide)
        await self._directory.refresh()  # a runtime that lost its agent gets another one
        return answer

    # ---------------------------------------------------------------- shared with ``teams``

    def team(self, name: str) -> Team:
        """Return a team. Raises E_NOT_FOUND, with all teams."""
        found = self._directory.team(name)
        if found is None:
            known = [team.name for team in self._directory.teams()]
            raise AgtmuxError(
                "E_NOT_FOUND",
                f"there is no team {name[:80]!r}: {'use ' + ', '.join(known) if known else 'see agtmux team apply'}",
                {"candidates": known},
            )
        return found

    async def once(
        self, asked: ChangeRequest, payload: Mapping[str, Any], decide: Callable[[], Step]
    ) -> dict[str, Any]:
        """Decide and commit, or return the answer to an earlier request with this name.

        Raises E_IDEMPOTENCY_CONFLICT if that request was another one, and what ``decide`` raises.
        """
        text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        async with self._directory.lock:
            earlier = await self._directory.write(lambda c, _publish: rows.find_request(c, asked.request_ref))
            if earlier is not None:
                if earlier[0] != digest:
                    raise AgtmuxError(
                        "E_IDEMPOTENCY_CONFLICT",
                        f"request_ref {asked.request_ref} was already used for another change: use a new one",
                    )
                found: dict[str, Any] = json.loads(earlier[1])
                return found
            step, now = decide(), self._clock()

            def work(connection: sqlite3.Connection) -> ChangeSet:
                step.run(connection)
                rows.save_request(connection, asked.request_ref, digest, json.dumps(step.answer), now)
                return step.changed

            await self._directory.commit(work)
            return step.answer

    def _saved(self, agent: Agent) -> Step:
        team = self._directory.team(agent.team)
        team_id = team.team_id if team is not None else None
        return Step(lambda c: rows.save_agent(c, agent, team_id), ChangeSet([agent]), agent.item())

    def _known(self, agent_id: str) -> Agent:
        found = self._directory.get(agent_id)
        if found is None or found.retired_at is not None:
            raise AgtmuxError("E_AGENT_NOT_FOUND", f"there is no agent {agent_id} any more: see agtmux agents")
        return found

    def _check_free(self, name: str, team: str | None, but: str | None = None) -> None:
        """Raise E_PRECONDITION_FAILED if another agent of the team has the name, in any case of letters."""
        for agent in named(self._directory.all(), name):
            if agent.agent_id != but and (agent.team or "").casefold() == (team or "").casefold():
                state = "it runs" if agent.runtime_id is not None else f"bind it with agtmux agent bind {name} REF"
                raise AgtmuxError(
                    "E_PRECONDITION_FAILED",
                    f"there is already an agent {agent.full_name}: {state}, or choose another name",
                    {"reason": "name", "agent_id": agent.agent_id},
                )


def _displaced(agent: Agent, other: Agent | None) -> str | None:
    """Return what a new binding of ``agent`` would end that somebody wanted. ``other``: the agent that is there now."""
    if agent.runtime_id is not None:
        return f"{agent.full_name} still runs elsewhere"
    if other is not None and not other.automatic:
        return f"the pane's agent is {other.full_name}"
    return None
