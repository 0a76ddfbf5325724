"""Which runtimes are calm, and rounds that show nothing new: they are noted in memory and cost no transaction.

Owns the time at which each calm runtime was read last. When a runtime is calm is decided in ``core.calm``.
"""

from __future__ import annotations

from dataclasses import dataclass

from agtmuxd.core.model import PaneRow, Source
from agtmuxd.core.state.observation import AgentObservation, Observation
from agtmuxd.core.state.resolve import Resolution
from agtmuxd.core.state.unchanged import is_unchanged
from agtmuxd.ingest import runtimes
from agtmuxd.ingest.apply_event import refresh_levels
from agtmuxd.repository import Repository, UnitOfWork


@dataclass(slots=True)
class _Reading:
    """``wake_of``: the reading (ns) of which the runtime's wake was reckoned, None where readings do not put it off."""

    at: int
    sources: frozenset[Source]
    wake_of: int | None
    fixed_wake: int | None


@dataclass(frozen=True, slots=True)
class _Round:
    """A round that showed what is known, and the readings that it was; one with the same objects shows the same."""

    panes: tuple[PaneRow, ...]
    agents: dict[str, AgentObservation]
    readings: tuple[_Reading, ...]


class QuietRuntimes:
    """The calm runtimes. Touched by one thread at a time: the store's in a transaction, the loop's between them."""

    def __init__(self) -> None:
        self._read: dict[str, _Reading] = {}
        self._rounds: dict[str, _Round] = {}

    def stays(self, runtime_id: str, agent: AgentObservation) -> bool:
        """Whether this reading of an agent can change nothing."""
        held = self._read.get(runtime_id)
        if held is None or len(agent.levels) != len(held.sources):
            return False
        return all(settled.refreshed and source in held.sources for source, settled in agent.levels)

    def read(self, runtime_id: str, at: int) -> None:
        """Note a reading that changes nothing."""
        self._read[runtime_id].at = at

    def peek(self, unit: UnitOfWork, runtime_id: str) -> None:
        """Bring the registers of ``unit`` up to the last reading."""
        held = self._read.get(runtime_id)
        if held is not None:
            refresh_levels(unit, runtime_id, held.sources, held.at)

    def end(self, unit: UnitOfWork, runtime_id: str) -> None:
        """Something is new: bring the registers up to the last reading and watch closely again."""
        self._rounds.clear()
        self.peek(unit, runtime_id)
        self._read.pop(runtime_id, None)

    def judge(self, unit: UnitOfWork, runtime_id: str, read_at: int, resolution: Resolution, now: int) -> None:
        """See whether a runtime that was just settled, with this outcome, is calm now."""
        sources = is_unchanged(unit.registers.get(runtime_id) or {}, unit.marks.get(runtime_id) or {}, read_at, now)
        if sources is not None:
            moves = resolution.next_wake != resolution.fixed_wake
            self._read[runtime_id] = _Reading(read_at, sources, read_at if moves else None, resolution.fixed_wake)

    def put_off(self, wakes: dict[str, int], now: int) -> None:
        """Move those wakes of runtimes that are due on by what was read meanwhile: all that stands goes stale later."""
        for runtime_id, at in wakes.items():
            held = self._read.get(runtime_id)
            if at > now or held is None or held.wake_of is None:
                continue
            later = at + held.at - held.wake_of
            fixed = held.fixed_wake is not None and held.fixed_wake <= later
            wakes[runtime_id] = held.fixed_wake if fixed and held.fixed_wake is not None else later
            held.wake_of = None if fixed else held.at

    def keep(self, repository: Repository) -> None:
        """After a transaction: forget the runtimes that are no more, and what rounds were compared with."""
        self._rounds.clear()
        for gone in self._read.keys() - repository.runtimes.keys():
            del self._read[gone]

    def clear(self) -> None:
        self._read.clear()
        self._rounds.clear()

    def all_same(self, repository: Repository, seen: Observation, suspended: set[str]) -> bool:
        """Whether a round shows what is known, agent by agent and pane by pane; if so it is noted."""
        last = self._rounds.get(seen.target_id)
        if last is not None and last.panes is seen.panes and last.agents is seen.agents and not seen.gone:
            for reading in last.readings:
                reading.at = seen.at
            return True
        if seen.gone or not runtimes.same_agents(repository, seen):
            return False
        ids = [(repository.active[(seen.target_id, pane_id)], agent) for pane_id, agent in seen.agents.items()]
        for runtime_id, agent in ids:
            if agent.suspended != (runtime_id in suspended) or not self.stays(runtime_id, agent):
                return False
        if not runtimes.same_panes(repository, seen):
            return False
        for runtime_id, _ in ids:
            self.read(runtime_id, seen.at)
        self._rounds[seen.target_id] = _Round(seen.panes, seen.agents, tuple([self._read[r] for r, _ in ids]))
        return True
