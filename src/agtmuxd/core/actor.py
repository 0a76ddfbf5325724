"""Name who sends a request of coordination: a person, a device, or an agent in a pane. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from agtmuxd.core.action.request import Caller


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, as the daemon found out by the sender's process. Nothing of it comes from the request.

    ``runtime_id``, ``agent_id``, ``name`` and ``team``: of the agent that asks; None for a person. ``team`` is also
    None for an agent without one.
    """

    caller: Caller = field(default_factory=Caller)
    runtime_id: str | None = None
    agent_id: str | None = None
    name: str | None = None
    team: str | None = None

    @property
    def is_agent(self) -> bool:
        """Whether an agent asks, and not a person."""
        return self.agent_id is not None

    @property
    def label(self) -> str:
        """Return one word for lists and the audit: ``agent:NAME``, ``device:NAME`` or ``person``."""
        if self.name is not None:
            return f"agent:{self.name}"
        return self.caller.actor or "person"
