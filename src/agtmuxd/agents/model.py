"""Define an agent with its name. Pure. Times are in ns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.json_codec import stamp, stamp_or_none

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
"""A name: a letter, then letters, digits, dots, dashes and underscores, at most 64 characters."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent. It outlives its runtimes: ``runtime_id`` is the one that it is now, None while it has none.

    ``automatic``: agtmux gave the name. ``epoch`` counts its bindings.
    """

    agent_id: str
    name: str
    created_at: int
    team: str | None = None
    automatic: bool = False
    role: str | None = None
    tags: tuple[str, ...] = ()
    runtime_id: str | None = None
    epoch: int = 0
    bound_at: int | None = None
    retired_at: int | None = None

    def item(self) -> dict[str, Any]:
        """Convert to the item of answers and of the stream."""
        return {
            "agent_id": self.agent_id,
            "name": self.name,
            "team": self.team,
            "automatic": self.automatic,
            "role": self.role,
            "tags": list(self.tags),
            "runtime_id": self.runtime_id,
            "bound_at": stamp_or_none(self.bound_at),
            "created_at": stamp(self.created_at),
            "retired_at": stamp_or_none(self.retired_at),
        }


def checked_name(text: str) -> str:
    """Return the name if it is well-formed. Raises E_INVALID_REQUEST."""
    if NAME.fullmatch(text) is None:
        raise AgtmuxError(
            "E_INVALID_REQUEST",
            f"{text[:80]!r} is not a name: begin with a letter, then use letters, digits, ., - or _ (at most 64)",
        )
    return text


def named(agents: Iterable[Agent], text: str) -> list[Agent]:
    """Return the agents with this name, in any case of letters: ``NAME`` or ``TEAM/NAME``."""
    team, _, name = text.rpartition("/")
    return [
        agent
        for agent in agents
        if agent.name.casefold() == name.casefold() and (not team or (agent.team or "").casefold() == team.casefold())
    ]
