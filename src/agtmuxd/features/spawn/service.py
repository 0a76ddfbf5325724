"""Decide whether a new agent may be started, and say how its target is reached.

The daemon starts no tmux server and no agent: the command line does, so that they outlive the daemon.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.model import checked_name
from agtmuxd.api.envelopes import Envelope
from agtmuxd.core.actor import Actor
from agtmuxd.features.contract import Agents, Allow, Tmux
from agtmuxd.repository import Repository


class Spawn:
    """Implements ``SpawnService`` of ``routes``."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        repository: Repository,
        agents: Agents,
        allow: Allow,
        tmux: Tmux,
        program: Callable[[str], str | None],
    ) -> None:
        """``program(agent_type)``: the agent's program. None: there is no such agent, or none that can be started."""
        self.envelope = envelope
        self._repository = repository
        self._agents = agents
        self._allow = allow
        self._tmux = tmux
        self._program = program

    def plan(self, asker: Actor, target: str, agent: str, name: str | None) -> dict[str, Any]:
        """Return the target's name, the agent's program, and the way to its tmux server."""
        self._allow(asker, "spawn", f"target:{target}")
        program = self._program(agent)
        if program is None:
            raise AgtmuxError(
                "E_INVALID_REQUEST", f"there is no agent {agent!r} that can be started: see agtmux daemon status"
            )
        found = next((one for one in self._repository.targets.values() if one.name == target), None)
        if found is None:
            raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {target!r}: see agtmux target list")
        if name is not None:
            self._check_name(name)
        way, tmux = self._tmux.command_line(found.target_id)
        return {"target": target, "agent": agent, "program": program, "way": list(way), "tmux": list(tmux)}

    def _check_name(self, name: str) -> None:
        """Raise E_PRECONDITION_FAILED if a running agent has this name, E_INVALID_REQUEST if it is not a name."""
        checked_name(name)
        try:
            holder = self._agents.find(name)
        except AgtmuxError as error:
            if error.code == "E_AGENT_NOT_FOUND":
                return
            raise
        if holder.runtime_id is not None:
            raise AgtmuxError(
                "E_PRECONDITION_FAILED",
                f"the name {holder.name} is taken by a running agent: choose another; see agtmux agents",
            )
