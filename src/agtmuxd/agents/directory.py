"""Keep the directory of agents: every runtime in a pane is an agent with a name, and keeps it while it runs.

Owns the agents and teams in memory. All changes go through ``commit``: the database first, then the memory, then the
stream. A runtime that nobody named gets ``<agent type>-<number>``. When it ends, the agent stays, without a runtime. A
new runtime that continues the same session is the same agent again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents import store as rows
from agtmuxd.agents.model import FULL_NAME, PERSON, Agent, SessionKey, Team, named
from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor
from agtmuxd.core.ids import uuid7
from agtmuxd.core.model import NS, Ancestor
from agtmuxd.core.ref import format_runtime
from agtmuxd.ingest.feature_write import PublishChange
from agtmuxd.repository import Repository, Runtime
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync
from agtmuxd.targets.apart import is_alive

Write = Callable[[Callable[[sqlite3.Connection, PublishChange], Any]], Awaitable[Any]]
Annotate = Callable[[str, str, Any], Awaitable[bool]]
FORGET_AFTER: Final = 7 * 86_400 * NS
"""How long (ns) an agent is kept that has no runtime, no name from a person, and no messages or the like."""
FIELD: Final = "agent"
"""The field of a pane's row with the name that a person gave to its agent."""
_CANDIDATES: Final = 20


class FoundCaller(Protocol):
    """What ``actions.callers`` finds out about a sender. ``why``: why it is not a person's program."""

    @property
    def caller(self) -> Caller: ...
    @property
    def why(self) -> str | None: ...
    @property
    def runtime(self) -> Runtime | None: ...


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What one transaction changed."""

    agents: Sequence[Agent] = ()
    removed: Sequence[str] = ()
    """Ids of agents that are forgotten."""
    teams: Sequence[Team] = ()
    removed_teams: Sequence[str] = ()


class AgentDirectory:
    """All agents by id. Use it in the event loop."""

    def __init__(
        self,
        agents: Iterable[Agent],
        *,
        repository: Repository,
        write: Write,
        find_caller: Callable[[int | None, int | None], Awaitable[FoundCaller]],
        clock: Callable[[], int],
        teams: Iterable[Team] = (),
        types: Callable[[], Collection[str]] = tuple,
        annotate: Annotate | None = None,
    ) -> None:
        """``agents``, ``teams``: as stored. ``write``: ``Pipeline.write``. ``find_caller``: ``Callers.identify_agent``.

        ``types``: all agent types. ``annotate``: ``Pipeline.annotate``.
        """
        self._agents = {agent.agent_id: agent for agent in agents}
        self._by_runtime = {a.runtime_id: a.agent_id for a in self._agents.values() if a.runtime_id is not None}
        self._teams = {team.team_id: team for team in teams}
        self._repository = repository
        self._write = write
        self._find_caller = find_caller
        self._clock = clock
        self._types = types
        self._annotate = annotate
        self._compared: dict[str, SessionKey | None] = {}
        """The session of each runtime that was compared with those of lost agents."""
        self.lock = asyncio.Lock()
        """Hold it from a decision to its ``commit``."""

    # ---------------------------------------------------------------- reads

    def all(self) -> Sequence[Agent]:
        """Return all agents that are not retired, oldest first."""
        return [agent for agent in self._agents.values() if agent.retired_at is None]

    def get(self, agent_id: str) -> Agent | None:
        """Return an agent by its id, also a retired one."""
        return self._agents.get(agent_id)

    def of_runtime(self, runtime_id: str) -> Agent | None:
        """Return the agent that this runtime is now."""
        return self._agents.get(self._by_runtime.get(runtime_id, ""))

    def find(self, text: str) -> Agent:
        """Return the agent that ``text`` names: ``NAME``, ``TEAM/NAME``, ``/NAME`` (without a team) or an agent's id.

        Raises E_AGENT_NOT_FOUND, and E_AGENT_AMBIGUOUS if two teams have one of that name; both list candidates.
        """
        known = self.all()
        exact = self._agents.get(text)
        found = [exact] if exact is not None else named(known, text)
        if len(found) == 1:
            return found[0]
        if not found:
            raise AgtmuxError(
                "E_AGENT_NOT_FOUND",
                f"there is no agent {text[:80]!r}: see agtmux agents",
                {"candidates": self._running_names()},
            )
        names = sorted(agent.full_name if agent.team else f"/{agent.name}" for agent in found)
        raise AgtmuxError(
            "E_AGENT_AMBIGUOUS", f"{text!r} matches {len(names)} agents: use {', '.join(names)}", {"candidates": names}
        )

    def full_ref(self, text: str) -> str:
        """Return the ref of the runtime that the agent ``text`` is now. What is no name is returned unchanged.

        Raises as ``find``, and E_REF_NOT_FOUND if the agent has no runtime.
        """
        if FULL_NAME.fullmatch(text) is None:
            return text
        agent = self.find(text)
        if agent.runtime_id is None:
            raise AgtmuxError(
                "E_REF_NOT_FOUND",
                f"{text} has no runtime now: start it, then run agtmux agent bind {text} REF",
                {"reason": "unbound", "agent_id": agent.agent_id, "candidates": self._running_names()},
            )
        return format_runtime(agent.runtime_id)

    def team(self, name: str | None) -> Team | None:
        """Return the team of that name, in any case of letters, with its agents. None: there is none."""
        found = next(
            (t for t in self._teams.values() if name is not None and t.name.casefold() == name.casefold()), None
        )
        return None if found is None else self._with_agents(found)

    def teams(self) -> Sequence[Team]:
        """Return all teams with their agents, oldest first."""
        return [self._with_agents(team) for team in self._teams.values()]

    def lives(self, agent: Agent) -> bool | None:
        """Return whether the process of an agent's runtime runs. None: it has none, or it is on another machine."""
        runtime = self._repository.runtimes.get(agent.runtime_id or "")
        target = None if runtime is None else self._repository.targets.get(runtime.target_id)
        if runtime is None or target is None or target.kind != "local" or runtime.pid is None:
            return None
        return is_alive(Ancestor(runtime.pid, runtime.process_start or ""))

    def reserved(self) -> frozenset[str]:
        """Return the words that cannot be names: agent types are refs, and a person is no agent."""
        return frozenset({PERSON, *self._types()})

    def _with_agents(self, team: Team) -> Team:
        return replace(team, agents=tuple(agent for agent in self.all() if agent.team == team.name))

    def _running_names(self) -> list[str]:
        return sorted(agent.full_name for agent in self.all() if agent.runtime_id is not None)[:_CANDIDATES]

    async def identify(self, caller: Caller) -> Actor:
        """Find out who sends a request. Raises E_FORBIDDEN for an agent that has no runtime here."""
        found = await self._find_caller(caller.uid, caller.pid)
        if found.why is None:
            return Actor(found.caller)
        if found.runtime is None:
            raise AgtmuxError("E_FORBIDDEN", f"the sender is unknown ({found.why})", {"reason": "agent"})
        return await self.actor_of(found.runtime.runtime_id, found.caller, found.why)

    async def actor_of(self, runtime_id: str, caller: Caller, why: str) -> Actor:
        """Return the agent that a runtime is, as who sends a request. Raises E_FORBIDDEN if it has just ended."""
        named = await self.name_runtime(runtime_id)
        if named is None:
            raise AgtmuxError("E_FORBIDDEN", f"the sender has just ended ({why})", {"reason": "agent"})
        return replace(named, caller=caller)

    async def name_runtime(self, runtime_id: str) -> Actor | None:
        """Return the agent that a runtime is now, as one who asks; None if it has ended."""
        await self.refresh()
        agent = self.of_runtime(runtime_id)
        return None if agent is None else Actor(Caller(), runtime_id, agent.agent_id, agent.name, agent.team)

    # ---------------------------------------------------------------- changes

    async def write(self, work: Callable[[sqlite3.Connection, PublishChange], Any]) -> Any:
        """Run ``work`` in a transaction of the pipeline."""
        return await self._write(work)

    async def commit(self, work: Callable[[sqlite3.Connection], ChangeSet]) -> None:
        """Store changes, publish them, and keep them in memory. Hold ``lock``. Raises what ``work`` raises."""

        def whole(connection: sqlite3.Connection, publish: PublishChange) -> ChangeSet:
            changed = work(connection)
            for agent in changed.agents:
                publish("agent", agent.agent_id, agent.item())
            for agent_id in changed.removed:
                publish("agent", agent_id, None)
            for team in changed.teams:
                publish("team", team.team_id, team.item())
            for team_id in changed.removed_teams:
                publish("team", team_id, None)
            return changed

        changed: ChangeSet = await self._write(whole)
        self._apply(changed)
        await self._show(changed.agents)

    def _apply(self, changed: ChangeSet) -> None:
        """Change the memory. All bindings end before new ones begin: a runtime may go from one agent to another."""
        for agent_id in (*(agent.agent_id for agent in changed.agents), *changed.removed):
            before = self._agents.get(agent_id)
            if before is not None and self._by_runtime.get(before.runtime_id or "") == agent_id:
                del self._by_runtime[before.runtime_id or ""]
        for agent_id in changed.removed:
            self._agents.pop(agent_id, None)
        for agent in changed.agents:
            self._agents[agent.agent_id] = agent
            if agent.runtime_id is not None:
                self._by_runtime[agent.runtime_id] = agent.agent_id
        for team in changed.teams:
            self._teams[team.team_id] = replace(team, agents=())
        for team_id in changed.removed_teams:
            self._teams.pop(team_id, None)

    async def _show(self, agents: Iterable[Agent]) -> None:
        """Show the names that people gave in the rows of panes."""
        if self._annotate is None:
            return
        for agent in agents:
            if agent.runtime_id is None:
                continue
            name = None
            if not agent.automatic:
                name = {"agent_id": agent.agent_id, "name": agent.name, "team": agent.team}
            if self._repository.annotations.get(agent.runtime_id, {}).get(FIELD) != name:
                await self._annotate(agent.runtime_id, FIELD, name)

    # ---------------------------------------------------------------- follows the runtimes

    async def on_changes(self, batch: Batch) -> None:
        """Bind the runtimes that are new, and end the bindings of those that ended."""
        if batch.changes.get("panes"):
            await self.refresh()

    async def on_resync(self, reason: Resync) -> None:
        """Compare all runtimes with the bindings, and their rows with the names."""
        del reason
        await self.refresh()
        async with self.lock:
            await self._show(self.all())

    async def refresh(self) -> None:
        """Bind every runtime that is not bound, and end the bindings of runtimes that ended."""
        async with self.lock:
            live = {
                runtime_id: self._repository.runtimes[runtime_id]
                for runtime_id in self._repository.active.values()
                if runtime_id in self._repository.runtimes
            }
            new = [runtime for runtime_id, runtime in live.items() if runtime_id not in self._by_runtime]
            gone = [self._agents[self._by_runtime[one]] for one in self._by_runtime if one not in live]
            late = self._newly_known(live)
            if new or gone or late:
                lost = self._lost_sessions()
                await self.commit(lambda connection: self._rebind(connection, new, gone, late, lost))

    def _newly_known(self, live: Mapping[str, Runtime]) -> list[Runtime]:
        """Return the runtimes with an automatic name whose session became known, once for each session."""
        before, self._compared = self._compared, {one: session_key(runtime) for one, runtime in live.items()}
        return [
            live[one]
            for one, key in self._compared.items()
            if key is not None and key != before.get(one) and self._bound_automatic(one)
        ]

    def _bound_automatic(self, runtime_id: str) -> bool:
        agent = self.of_runtime(runtime_id)
        return agent is not None and agent.automatic

    def _lost_sessions(self) -> dict[SessionKey | None, list[Agent]]:
        """Return the agents without a runtime, by the session of the runtime that they were last."""
        lost: dict[SessionKey | None, list[Agent]] = {}
        for agent in self._agents.values():
            if agent.session is not None and agent.runtime_id is None and agent.retired_at is None:
                lost.setdefault(agent.session, []).append(agent)
        return lost

    def _rebind(
        self,
        connection: sqlite3.Connection,
        new: Sequence[Runtime],
        gone: Sequence[Agent],
        late: Sequence[Runtime],
        before: Mapping[SessionKey | None, list[Agent]],
    ) -> ChangeSet:
        """Write the bindings. ``late``: runtimes with an automatic name whose session may be that of a lost agent."""
        now = self._clock()
        changed: dict[str, Agent] = {}
        removed: list[str] = []
        lost = {key: list(agents) for key, agents in before.items()}
        for agent in gone:
            session = rows.session_of(connection, agent.runtime_id or "")
            rows.end_binding(connection, agent.agent_id, now, session)
            ended = replace(agent, runtime_id=None, bound_at=None, ended_at=now, session=session)
            changed[agent.agent_id] = ended
            if session is not None:
                lost.setdefault(session, []).append(ended)

        def bind(agent: Agent, runtime: Runtime, how: str) -> None:
            epoch = agent.epoch + 1
            rows.add_binding(connection, uuid7(now), agent.agent_id, runtime.runtime_id, epoch, now, how)
            changed[agent.agent_id] = replace(
                agent, runtime_id=runtime.runtime_id, epoch=epoch, bound_at=now, bound_by="agtmux", ended_at=None,
                session=None,
            )  # fmt: skip

        for runtime in late:
            same = lost.get(session_key(runtime), [])
            stand_in = self._agents[self._by_runtime[runtime.runtime_id]]
            if len(same) == 1 and not rows.is_used(connection, stand_in.agent_id):
                rows.remove_agent(connection, stand_in.agent_id)
                removed.append(stand_in.agent_id)
                bind(same.pop(), runtime, "resume")
        for runtime in new:
            same = lost.get(session_key(runtime), [])
            if len(same) == 1:
                bind(same.pop(), runtime, "resume")
                continue
            agent = Agent(uuid7(now), rows.free_name(connection, runtime.agent_type), now, automatic=True)
            rows.add_agent(connection, agent)
            bind(agent, runtime, "auto")
        removed += self._forget(connection, now, changed)
        return ChangeSet(list(changed.values()), removed)

    def _forget(self, connection: sqlite3.Connection, now: int, changed: Mapping[str, Agent]) -> list[str]:
        """Remove agents that nobody named or used, some time after they ended. Return their ids."""
        old = [
            agent.agent_id
            for agent in self._agents.values()
            if agent.automatic and agent.ended_at is not None and agent.ended_at < now - FORGET_AFTER
            and agent.agent_id not in changed
        ]  # fmt: skip
        unused = [agent_id for agent_id in old if not rows.is_used(connection, agent_id)]
        for agent_id in unused:
            rows.remove_agent(connection, agent_id)
        return unused


def session_key(runtime: Runtime) -> SessionKey | None:
    """Return the session of a runtime, by which an agent is known again. None: unknown, or it has no screen."""
    if runtime.agent_session_id is None or runtime.headless:
        return None
    return SessionKey(runtime.target_id, runtime.agent_type, runtime.agent_session_id)
