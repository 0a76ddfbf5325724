"""Keep the directory of agents: every runtime in a pane is an agent with a name, and keeps it while it runs.

Owns the agents in memory. All changes go through ``_write``: the database first, then the memory, then the stream. A
runtime that nobody named gets ``<agent type>-<number>``. When it ends, the agent stays, without a runtime.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents import store as rows
from agtmuxd.agents.model import Agent, named
from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor
from agtmuxd.core.ids import uuid7
from agtmuxd.ingest.feature_write import PublishChange
from agtmuxd.repository import Repository, Runtime
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync

Write = Callable[[Callable[[sqlite3.Connection, PublishChange], Any]], Awaitable[Any]]


class FoundCaller(Protocol):
    """What ``actions.callers`` finds out about a sender. ``why``: why it is not a person's program."""

    @property
    def caller(self) -> Caller: ...
    @property
    def why(self) -> str | None: ...
    @property
    def runtime(self) -> Runtime | None: ...


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
    ) -> None:
        """``agents``: as stored. ``write``: ``Pipeline.write``. ``find_caller``: ``Callers.identify_agent``."""
        self._agents = {agent.agent_id: agent for agent in agents}
        self._by_runtime = {a.runtime_id: a.agent_id for a in self._agents.values() if a.runtime_id is not None}
        self._repository = repository
        self._write = write
        self._find_caller = find_caller
        self._clock = clock
        self._binding = asyncio.Lock()

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
        """Return the agent that ``text`` names: ``NAME``, ``TEAM/NAME`` or an agent's id.

        Raises E_AGENT_NOT_FOUND, and E_AGENT_AMBIGUOUS if two teams have one of that name; both list candidates.
        """
        known = self.all()
        exact = self._agents.get(text)
        found = [exact] if exact is not None else named(known, text)
        if len(found) == 1:
            return found[0]
        if not found:
            near = sorted(agent.name for agent in known if agent.runtime_id is not None)[:20]
            raise AgtmuxError(
                "E_AGENT_NOT_FOUND", f"there is no agent {text[:80]!r}: see agtmux agents", {"candidates": near}
            )
        names = sorted(f"{agent.team}/{agent.name}" if agent.team else agent.name for agent in found)
        raise AgtmuxError(
            "E_AGENT_AMBIGUOUS", f"{text!r} matches {len(names)} agents: use {', '.join(names)}", {"candidates": names}
        )

    async def identify(self, caller: Caller) -> Actor:
        """Find out who sends a request. Raises E_FORBIDDEN for an agent that has no runtime here."""
        found = await self._find_caller(caller.uid, caller.pid)
        if found.why is None:
            return Actor(found.caller)
        if found.runtime is None:
            raise AgtmuxError("E_FORBIDDEN", f"the sender is unknown ({found.why})", {"reason": "agent"})
        await self._bind_all()
        agent = self.of_runtime(found.runtime.runtime_id)
        if agent is None:
            raise AgtmuxError("E_FORBIDDEN", f"the sender has just ended ({found.why})", {"reason": "agent"})
        return Actor(found.caller, found.runtime.runtime_id, agent.agent_id, agent.name, agent.team)

    # ---------------------------------------------------------------- follows the runtimes

    async def on_changes(self, batch: Batch) -> None:
        """Bind the runtimes that are new, and end the bindings of those that ended."""
        if batch.changes.get("panes"):
            await self._bind_all()

    async def on_resync(self, reason: Resync) -> None:
        """Compare all runtimes with the bindings."""
        del reason
        await self._bind_all()

    async def _bind_all(self) -> None:
        async with self._binding:
            live = {
                runtime_id: self._repository.runtimes[runtime_id]
                for runtime_id in self._repository.active.values()
                if runtime_id in self._repository.runtimes
            }
            new = [runtime for runtime_id, runtime in live.items() if runtime_id not in self._by_runtime]
            gone = [self._agents[self._by_runtime[one]] for one in self._by_runtime if one not in live]
            if new or gone:
                self._apply(await self._write(lambda connection, publish: self._rebind(connection, publish, new, gone)))

    def _rebind(
        self, connection: sqlite3.Connection, publish: PublishChange, new: list[Runtime], gone: list[Agent]
    ) -> list[Agent]:
        """Write the bindings. Return the agents that changed."""
        now, changed = self._clock(), []
        for agent in gone:
            rows.end_binding(connection, agent.agent_id, now)
            changed.append(replace(agent, runtime_id=None, bound_at=None))
        for runtime in new:
            name = f"{runtime.agent_type}-{rows.next_number(connection, runtime.agent_type)}"
            agent = Agent(uuid7(now), name, now, automatic=True)
            rows.add_agent(connection, agent)
            rows.add_binding(connection, uuid7(now), agent.agent_id, runtime.runtime_id, 1, now, "auto")
            changed.append(replace(agent, runtime_id=runtime.runtime_id, epoch=1, bound_at=now))
        for agent in changed:
            publish("agent", agent.agent_id, agent.item())
        return changed

    def _apply(self, changed: list[Agent]) -> None:
        for agent in changed:
            before = self._agents.get(agent.agent_id)
            if before is not None and before.runtime_id is not None:
                self._by_runtime.pop(before.runtime_id, None)
            self._agents[agent.agent_id] = agent
            if agent.runtime_id is not None:
                self._by_runtime[agent.runtime_id] = agent.agent_id
