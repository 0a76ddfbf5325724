"""Define an agent with its name, and a team of agents. Pure. Times are in ns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.json_codec import stamp, stamp_or_none

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
"""A name: a letter, then letters, digits, dots, dashes and underscores, at most 64 characters."""
FULL_NAME: Final = re.compile(rf"(?:(?:{NAME.pattern})?/)?{NAME.pattern}")
"""``NAME``, ``TEAM/NAME``, or ``/NAME`` for one without a team. No other form of a ref looks like this."""
PERSON: Final = "person"
"""The word for a person where the name of an agent could stand."""

Deliver = Literal["pane", "pull"]
"""Where messages of other agents go: into the agent's pane when it can take input, or only into its inbox."""

Level = Literal["alive", "stale", "gone"]
ALIVE: Final = 60.0
"""Seconds for which an agent counts as alive after it was seen: two beats of 30 s."""
STALE: Final = 300.0
"""Seconds after which an agent counts as gone, unless its process still runs."""


class SessionKey(NamedTuple):
    """The session of an agent's program: on which target, of which type, with which id."""

    target_id: str
    agent_type: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent. It outlives its runtimes: ``runtime_id`` is the one that it is now, None while it has none.

    ``automatic``: agtmux gave the name. ``epoch`` counts its bindings. ``bound_by``: who bound it last. ``ended_at``:
    when its last binding ended, if it has none now. ``session``: of the runtime that ended then, if that is known.
    ``scopes``: globs of the files that it may change. ``deliver`` None: as its team.
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
    owner: str | None = None
    scopes: tuple[str, ...] = ()
    deliver: Deliver | None = None
    bound_by: str | None = None
    ended_at: int | None = None
    session: SessionKey | None = None

    @property
    def full_name(self) -> str:
        """Return ``TEAM/NAME``, or ``NAME`` without a team."""
        return f"{self.team}/{self.name}" if self.team else self.name

    def item(self) -> dict[str, Any]:
        """Convert to the item of answers and of the stream."""
        return {
            "agent_id": self.agent_id,
            "name": self.name,
            "team": self.team,
            "automatic": self.automatic,
            "role": self.role,
            "owner": self.owner,
            "tags": list(self.tags),
            "scopes": list(self.scopes),
            "deliver": self.deliver,
            "runtime_id": self.runtime_id,
            "epoch": self.epoch,
            "bound_at": stamp_or_none(self.bound_at),
            "bound_by": self.bound_by,
            "ended_at": stamp_or_none(self.ended_at),
            "created_at": stamp(self.created_at),
            "retired_at": stamp_or_none(self.retired_at),
        }


@dataclass(frozen=True, slots=True)
class Team:
    """Agents that work together. ``escalate_to``: the agent of the team that is asked next; None: a person."""

    team_id: str
    name: str
    created_at: int
    deliver: Deliver = "pull"
    escalate_to: str | None = None
    agents: tuple[Agent, ...] = ()

    def deliver_to(self, agent: Agent) -> Deliver:
        """Return where messages of other agents go: as the agent's own setting says, else as the team's."""
        return agent.deliver or self.deliver

    def item(self) -> dict[str, Any]:
        """Convert to the item of answers and of the stream."""
        return {
            "team_id": self.team_id,
            "name": self.name,
            "deliver": self.deliver,
            "escalate_to": self.escalate_to,
            "created_at": stamp(self.created_at),
            "agents": [agent.item() for agent in self.agents],
        }


def checked_name(text: str, reserved: Collection[str] = ()) -> str:
    """Return the name if it is well-formed, and none of ``reserved`` in any case. Raises E_INVALID_REQUEST."""
    if NAME.fullmatch(text) is None:
        raise AgtmuxError(
            "E_INVALID_REQUEST",
            f"{text[:80]!r} is not a name: begin with a letter, then use letters, digits, ., - or _ (at most 64)",
        )
    if text.casefold() in {word.casefold() for word in reserved}:
        raise AgtmuxError(
            "E_INVALID_REQUEST",
            f"{text!r} cannot be a name, because refs and commands use this word: add to it, like {text}-web",
        )
    return text


def named(agents: Iterable[Agent], text: str) -> list[Agent]:
    """Return the agents with this name, in any case of letters: ``NAME``, ``TEAM/NAME``, ``/NAME`` without a team."""
    team, slash, name = text.casefold().rpartition("/")
    return [
        agent
        for agent in agents
        if agent.name.casefold() == name and (not slash or (agent.team or "").casefold() == team)
    ]


def level(age: float | None, living: bool | None) -> Level:
    """Return how sure it is that an agent is there. ``age``: seconds since it was seen; None: it has no runtime.

    ``living``: whether its process runs; None: unknown. That counts more than the age.
    """
    if age is None or living is False:
        return "gone"
    if age <= ALIVE:
        return "alive"
    return "stale" if age <= STALE or living else "gone"
