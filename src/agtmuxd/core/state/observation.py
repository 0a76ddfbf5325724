"""What one round of one target showed, as the observer hands it to the one door in.

Pure values. Owns no judgement: which claims a sample makes was decided by the adapter's rules before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agtmuxd.core.model import PaneRow, Source
from agtmuxd.core.state.debounce import DebounceResult


@dataclass(frozen=True, slots=True)
class AgentObservation:
    """The agent in one pane. ``levels``: what its screen and its status said this time, by source."""

    agent_type: str
    agent_version: str | None
    headless: bool
    pid: int
    process_start: str
    process_started_at: int  # ns
    suspended: bool
    levels: tuple[tuple[Source, DebounceResult], ...] = ()
    declared: bool = False  # by its user; the process only hides it


@dataclass(frozen=True, slots=True)
class AgentExit:
    """An agent's process that is no more. ``in_order`` None: nothing tells."""

    pane_id: str
    pid: int
    process_start: str
    in_order: bool | None


@dataclass(frozen=True, slots=True)
class Observation:
    """One good round. ``agents`` by pane id is all that is known to be there; ``at``: when the round began (ns)."""

    target_id: str
    at: int
    boot_id: str | None  # None: no server runs there, healthy and empty
    server_pid: int | None
    socket_path: str | None
    panes: tuple[PaneRow, ...]
    agents: dict[str, AgentObservation]
    gone: tuple[AgentExit, ...] = ()
    looked_at: frozenset[str] = field(default_factory=frozenset)  # panes a client has had before it for 2 s
    unread: frozenset[str] = field(default_factory=frozenset)  # panes that are there and could not be read; "": any may

    def cannot_tell(self, pane_id: str) -> bool:
        """Whether this pane may be there though ``panes`` has none of its name."""
        return "" in self.unread or pane_id in self.unread


@dataclass(frozen=True, slots=True)
class HealthChange:
    """How well a target can be reached, and why not."""

    target_id: str
    health: str  # ok | degraded | down
    reason: str | None
    at: int
    tmux_version: str | None = None
