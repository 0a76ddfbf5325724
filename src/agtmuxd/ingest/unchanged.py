"""Skip transactions for rounds that show nothing new.

A runtime is quiet if a reading with the same claims changes nothing; ``core.state.unchanged`` decides that. This module
keeps the time at which each quiet runtime was read last, in memory only.
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
    """The last reading of a quiet runtime, at ``at`` (ns).

    ``wake_of``: the reading (ns) from which the runtime's wake was computed; None if readings do not delay the wake.
    ``fixed_wake``: the wake (ns) that no reading delays.
    """

    at: int
    sources: frozenset[Source]
    wake_of: int | None
    fixed_wake: int | None


@dataclass(frozen=True, slots=True)
class _Round:
    """A round that showed nothing new, and its readings. A later round with the same objects shows nothing new."""

    panes: tuple[PaneRow, ...]
    agents: dict[str, AgentObservation]
    readings: tuple[_Reading, ...]


class QuietRuntimes:
    """The quiet runtimes.

    One thread uses it at a time: the store's thread in a transaction, the event loop's between transactions.
    """

    def __init__(self) -> None:
        self._read: dict[str, _Reading] = {}
        self._rounds: dict[str, _Round] = {}

    def is_unchanged(self, runtime_id: str, agent: AgentObservation) -> bool:
        """Whether this reading of an agent changes nothing."""
        reading = self._read.get(runtime_id)
        if reading is None or len(agent.levels) != len(reading.sources):
            return False
        return all(settled.refreshed and source in reading.sources for source, settled in agent.levels)

    def read(self, runtime_id: str, at: int) -> None:
        """Note a reading at ``at`` (ns) that changes nothing."""
        self._read[runtime_id].at = at

    def update_registers(self, unit: UnitOfWork, runtime_id: str) -> None:
        """Update the registers in ``unit`` to the last reading; the runtime stays quiet."""
        reading = self._read.get(runtime_id)
        if reading is not None:
            refresh_levels(unit, runtime_id, reading.sources, reading.at)

    def end(self, unit: UnitOfWork, runtime_id: str) -> None:
        """End a runtime's quiet time because something is new. Updates its registers to the last reading."""
        self._rounds.clear()
        self.update_registers(unit, runtime_id)
        self._read.pop(runtime_id, None)

    def decide(self, unit: UnitOfWork, runtime_id: str, read_at: int, resolution: Resolution, now: int) -> None:
        """Decide whether a runtime that was just resolved is quiet now."""
        sources = is_unchanged(unit.registers.get(runtime_id) or {}, unit.marks.get(runtime_id) or {}, read_at, now)
        if sources is not None:
            moves = resolution.next_wake != resolution.fixed_wake
            self._read[runtime_id] = _Reading(read_at, sources, read_at if moves else None, resolution.fixed_wake)

    def delay_wakes(self, wakes: dict[str, int], now: int) -> None:
        """Delay the due wakes of quiet runtimes by the time of their later readings: claims go stale later too."""
        for runtime_id, at in wakes.items():
            reading = self._read.get(runtime_id)
            if at > now or reading is None or reading.wake_of is None:
                continue
            later = at + reading.at - reading.wake_of
            fixed = reading.fixed_wake is not None and reading.fixed_wake <= later
            wakes[runtime_id] = reading.fixed_wake if fixed and reading.fixed_wake is not None else later
            reading.wake_of = None if fixed else reading.at

    def drop_ended(self, repository: Repository) -> None:
        """Forget runtimes that no longer exist, and all remembered rounds. Call it after each transaction."""
        self._rounds.clear()
        for gone in self._read.keys() - repository.runtimes.keys():
            del self._read[gone]

    def clear(self) -> None:
        """Forget everything."""
        self._read.clear()
        self._rounds.clear()

    def shows_nothing_new(self, repository: Repository, seen: Observation, suspended: set[str]) -> bool:
        """Whether a round shows nothing new for each agent and each pane. If so, note its time."""
        last = self._rounds.get(seen.target_id)
        if last is not None and last.panes is seen.panes and last.agents is seen.agents and not seen.gone:
            for reading in last.readings:
                reading.at = seen.at
            return True
        if seen.gone or not runtimes.same_agents(repository, seen):
            return False
        ids = [(repository.active[(seen.target_id, pane_id)], agent) for pane_id, agent in seen.agents.items()]
        for runtime_id, agent in ids:
            if agent.suspended != (runtime_id in suspended) or not self.is_unchanged(runtime_id, agent):
                return False
        if not runtimes.same_panes(repository, seen):
            return False
        for runtime_id, _ in ids:
            self.read(runtime_id, seen.at)
        self._rounds[seen.target_id] = _Round(seen.panes, seen.agents, tuple([self._read[r] for r, _ in ids]))
        return True
