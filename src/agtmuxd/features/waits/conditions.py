"""Define the conditions ``state:`` and ``agent:``. Both survive a restart, and name agents by ids that never change."""

from __future__ import annotations

from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.store import read_binding
from agtmuxd.core.actor import Actor
from agtmuxd.features.contract import Agents, Allow
from agtmuxd.features.waits.model import states_of
from agtmuxd.repository import Repository
from agtmuxd.store.db import Store
from agtmuxd.stream.published import PublishedRows, pane_key

_BINDINGS: Final = ("bound", "gone")


class StateCondition:
    """``state:REF=waiting,idle``: an agent is in one of these states.

    A REF of a pane or runtime is pinned to the runtime that is there now: a later one in that pane never counts. A
    name stands for the agent, whichever runtime it is.
    """

    wakes_on = frozenset({"panes", "agent"})

    def __init__(
        self, *, view: PublishedRows, repository: Repository, agents: Agents, store: Store, allow: Allow
    ) -> None:
        self._view = view
        self._repository = repository
        self._agents = agents
        self._store = store
        self._allow = allow

    async def prepare(self, operand: str, actor: Actor) -> str:
        """Return ``runtime:ID=STATES`` or ``agent:ID=STATES``. Raises E_INVALID_REQUEST, E_REF_*, E_AGENT_*,
        E_RUNTIME_STALE.
        """
        ref, sign, words = operand.rpartition("=")
        if not sign or not ref:
            raise AgtmuxError("E_INVALID_REQUEST", "a state condition is written like state:REF=waiting,idle")
        states = ",".join(states_of(words))
        if not ref.startswith(("pane:", "runtime:")):
            agent = self._agents.find(ref.removeprefix("agent:"))
            self._allow(actor, "read", f"agent:{agent.name}")
            return f"agent:{agent.agent_id}={states}"
        row = self._view.panes[self._view.resolve(ref)]
        self._allow(actor, "read", f"target:{row['identity']['target']}")
        if row.get("runtime_id") is None:
            raise AgtmuxError(
                "E_RUNTIME_STALE", f"no agent runs in {row['identity']['pane_id']}: run agtmux ls to see agents"
            )
        return f"runtime:{row['runtime_id']}={states}"

    async def check(self, operand: str, agent_id: str | None) -> dict[str, Any] | None:
        """Return the state, if it is one of these. Raises E_NOT_FOUND if the agent is gone."""
        del agent_id
        ref, _, words = operand.rpartition("=")
        kind, _, name = ref.partition(":")
        if kind == "runtime":
            return self._of_runtime(name, words.split(","))
        binding = await self._store.read(lambda connection: read_binding(connection, name))
        if binding.is_retired:
            raise AgtmuxError("E_NOT_FOUND", "gone: this agent was retired")
        if binding.runtime_id is None or binding.runtime_id not in self._repository.runtimes:
            return None  # it may come back
        try:
            return self._of_runtime(binding.runtime_id, words.split(","))
        except AgtmuxError:
            return None

    def _of_runtime(self, runtime_id: str, states: list[str]) -> dict[str, Any] | None:
        runtime = self._repository.runtimes.get(runtime_id)
        if runtime is None:
            raise AgtmuxError("E_NOT_FOUND", "gone: this agent has ended")
        target = self._repository.targets.get(runtime.target_id)
        row = None if target is None else self._view.panes.get(pane_key(target.name, runtime.pane_id))
        is_there = row is not None and row.get("runtime_id") == runtime_id
        if row is not None and is_there and row["state"] in states:
            return {
                "state": row["state"], "reason_code": row.get("reason_code"), "since": row.get("since"),
                "ref": row["ref"], "runtime_id": runtime_id,
            }  # fmt: skip
        if runtime.ended_at is not None:
            raise AgtmuxError(
                "E_NOT_FOUND", "gone: this agent has crashed" if is_there else "gone: this agent has ended"
            )
        return None


class AgentCondition:
    """``agent:NAME=bound`` or ``agent:NAME=gone``: an agent has a runtime, or has none."""

    wakes_on = frozenset({"agent"})

    def __init__(self, *, agents: Agents, store: Store, allow: Allow) -> None:
        self._agents = agents
        self._store = store
        self._allow = allow

    async def prepare(self, operand: str, actor: Actor) -> str:
        """Return ``ID=bound`` or ``ID=gone``. Raises E_INVALID_REQUEST, E_AGENT_NOT_FOUND, E_AGENT_AMBIGUOUS."""
        name, _, word = operand.rpartition("=")
        if word not in _BINDINGS or not name:
            raise AgtmuxError(
                "E_INVALID_REQUEST", "an agent condition is written like agent:NAME=bound or agent:NAME=gone"
            )
        agent = self._agents.find(name)
        self._allow(actor, "read", f"agent:{agent.name}")
        return f"{agent.agent_id}={word}"

    async def check(self, operand: str, agent_id: str | None) -> dict[str, Any] | None:
        """Return the agent, if that is so. Raises E_NOT_FOUND if it was retired."""
        del agent_id
        name, _, word = operand.rpartition("=")
        binding = await self._store.read(lambda connection: read_binding(connection, name))
        if word == "gone":
            return {"agent_id": name} if binding.runtime_id is None else None
        if binding.is_retired:
            raise AgtmuxError("E_NOT_FOUND", "gone: this agent was retired")
        return None if binding.runtime_id is None else {"agent_id": name, "runtime_id": binding.runtime_id}
