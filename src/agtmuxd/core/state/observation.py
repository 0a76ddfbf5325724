"""Define what one round of one target found, as the observer passes it to the pipeline.

Pure values. Decides nothing: the adapter's rules have already turned samples into claims.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agtmuxd.core.model import PaneRow, Source
from agtmuxd.core.state.debounce import DebounceResult


@dataclass(frozen=True, slots=True)
class AgentObservation:
    """The agent in one pane. ``levels``: what its screen and its status file showed this time, by source."""

    agent_type: str
    agent_version: str | None
    headless: bool
    pid: int
    process_start: str
    process_started_at: int  # ns
    suspended: bool
    levels: tuple[tuple[Source, DebounceResult], ...] = ()
    declared: bool = False  # the user named the agent; the process in the pane hides it


@dataclass(frozen=True, slots=True)
class AgentExit:
    """An agent's process that has ended. ``in_order``: whether it exited normally; None if unknown."""

    pane_id: str
    pid: int
    process_start: str
    in_order: bool | None


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of one good round.

    ``agents``: by pane id, all agents that are known to be there. ``at``: when the round began (ns).
    """

    target_id: str
    at: int
    boot_id: str | None  # None: no server runs there, which is healthy and empty
    server_pid: int | None
    socket_path: str | None
    panes: tuple[PaneRow, ...]
    agents: dict[str, AgentObservation]
    gone: tuple[AgentExit, ...] = ()
    looked_at: frozenset[str] = field(default_factory=frozenset)  # panes that a client has shown for 2 s
    unread: frozenset[str] = field(
        default_factory=frozenset
    )  # panes that exist but could not be read; "": it may be any pane

    def may_exist(self, pane_id: str) -> bool:
        """Return whether this pane may exist although ``panes`` does not list it."""
        return "" in self.unread or pane_id in self.unread


@dataclass(frozen=True, slots=True)
class HealthChange:
    """How well a target can be reached, and why not better."""

    target_id: str
    health: str  # ok | degraded | down
    reason: str | None
    at: int
    tmux_version: str | None = None
