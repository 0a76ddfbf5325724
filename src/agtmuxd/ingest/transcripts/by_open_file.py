"""Which session file is whose by what the agent's process holds open: the system's own word, asked now and then.

Owns how often it is asked. What the names mean is the adapter's. Blocks: for threads, not for the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from agtmuxd.adapters.contract import OpenFileAdapter, TranscriptOwner
from agtmuxd.core.model import NS
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.local import process_table

AGAIN: Final = 1 * NS
"""How old an answer may be: a session that a process goes over to is written to only at its next prompt."""
QUIET: Final = 3 * NS
"""The same of a process that is at rest and holds as many files open as before: 3 us to ask, 0.3 ms for all names."""
UNMOVED: Final = 15 * NS
"""The same where its screen stays as it is, too: nobody goes over to another session without a word of it there."""


@dataclass(frozen=True, slots=True)
class _Answer:
    held: tuple[TranscriptOwner, ...]
    count: int  # of all files that were open; 0: not told
    screen: object  # what the agent showed before their names were read; None: not known
    unmoved: bool  # that is what it had shown at the reading before, too
    read_at: int  # ns; when that was
    asked_at: int  # ns


class OpenFileIndex:
    """Remembers what it was answered."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._known: dict[tuple[int, str], _Answer] = {}

    def known(self, agent: Agent) -> tuple[TranscriptOwner, ...]:
        """What was answered last."""
        answer = self._known.get(_life(agent))
        return () if answer is None else answer.held

    def anybody_due(self) -> bool:
        """Whether somebody of those who were asked is to be asked again."""
        now = self._clock()
        return any(not 0 <= now - answer.asked_at < AGAIN for answer in self._known.values())

    def due(self, agents: Iterable[Agent]) -> list[Agent]:
        """Those who are to be asked (again); of all others nothing is kept."""
        now, kept, due = self._clock(), {}, []
        for agent in agents:
            life = _life(agent)
            if life in self._known:
                kept[life] = self._known[life]
            if life not in kept or not 0 <= now - kept[life].asked_at < AGAIN:
                due.append(agent)
        self._known = kept
        return due

    def ask(self, agents: Iterable[tuple[Agent, OpenFileAdapter]]) -> bool:
        """What the processes of these agents hold open now; whether that is something else than before."""
        moved = [self._ask(agent, reader) for agent, reader in agents]
        return any(moved)

    def _ask(self, agent: Agent, reader: OpenFileAdapter) -> bool:
        before, now, count = self._known.get(_life(agent)), self._clock(), process_table.count_open(agent.proc.pid)
        screen = agent.screen
        calm = before is not None and before.held and not agent.works and count == before.count > 0
        if before is not None and calm:
            rest = UNMOVED if before.unmoved and screen == before.screen else QUIET
            if 0 <= now - before.read_at < rest:
                self._known[_life(agent)] = replace(before, asked_at=now)
                return False
        held = tuple(reader.open_transcripts(process_table.read_open(agent.proc.pid), agent.home))
        still = process_table.read_one(agent.proc.pid)
        if still is None or still.start != agent.proc.start:
            held = ()  # what was read is of nobody, or of the next process of that number
        unmoved = before is not None and screen is not None and screen == before.screen
        self._known[_life(agent)] = _Answer(held, count, screen, unmoved, now, now)
        return held != (() if before is None else before.held)


def _life(agent: Agent) -> tuple[int, str]:
    return agent.proc.pid, agent.proc.start
