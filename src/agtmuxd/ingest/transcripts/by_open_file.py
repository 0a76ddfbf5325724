"""Find an agent's session files among the files that its process holds open.

Owns how often the open files are listed. The adapter knows what the file names mean. Blocks: call it in a thread, not
in the event loop.
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
"""How old a list may be (ns). An agent that switches to another session writes to it only at the next prompt."""
QUIET: Final = 3 * NS
"""The same for an idle process with the same number of open files: counting takes 3 us, listing the names 0.3 ms."""
UNMOVED: Final = 15 * NS
"""The same if its screen did not change either: switching to another session changes the screen."""


@dataclass(frozen=True, slots=True)
class _Answer:
    held: tuple[TranscriptOwner, ...]
    count: int  # number of open files; 0: not known
    screen: object  # the agent's screen before the names were read; None: not known
    unmoved: bool  # the screen was the same at the previous reading
    read_at: int  # ns; when the names were read
    asked_at: int  # ns


class OpenFileIndex:
    """List open session files by process, and remember the last list of each."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._known: dict[tuple[int, str], _Answer] = {}

    def known(self, agent: Agent) -> tuple[TranscriptOwner, ...]:
        """Give the session files of the last list, without reading anything."""
        answer = self._known.get(_process(agent))
        return () if answer is None else answer.held

    def is_any_due(self) -> bool:
        """Whether the list of at least one known process is too old."""
        now = self._clock()
        return any(not 0 <= now - answer.asked_at < AGAIN for answer in self._known.values())

    def due(self, agents: Iterable[Agent]) -> list[Agent]:
        """Give the agents whose list is missing or too old. Forget the processes that are not in ``agents``."""
        now, kept, due = self._clock(), {}, []
        for agent in agents:
            process = _process(agent)
            if process in self._known:
                kept[process] = self._known[process]
            if process not in kept or not 0 <= now - kept[process].asked_at < AGAIN:
                due.append(agent)
        self._known = kept
        return due

    def ask(self, agents: Iterable[tuple[Agent, OpenFileAdapter]]) -> bool:
        """List the open session files of these agents' processes. Return whether one of the lists changed."""
        moved = [self._ask(agent, reader) for agent, reader in agents]
        return any(moved)

    def _ask(self, agent: Agent, reader: OpenFileAdapter) -> bool:
        before, now, count = self._known.get(_process(agent)), self._clock(), process_table.count_open(agent.proc.pid)
        screen = agent.screen
        idle = before is not None and before.held and not agent.works and count == before.count > 0
        if before is not None and idle:
            rest = UNMOVED if before.unmoved and screen == before.screen else QUIET
            if 0 <= now - before.read_at < rest:
                self._known[_process(agent)] = replace(before, asked_at=now)
                return False
        held = tuple(reader.open_transcripts(process_table.read_open(agent.proc.pid), agent.home))
        still = process_table.read_one(agent.proc.pid)
        if still is None or still.start != agent.proc.start:
            held = ()  # the process ended while it was read, and its pid may be in use again
        unmoved = before is not None and screen is not None and screen == before.screen
        self._known[_process(agent)] = _Answer(held, count, screen, unmoved, now, now)
        return held != (() if before is None else before.held)


def _process(agent: Agent) -> tuple[int, str]:
    return agent.proc.pid, agent.proc.start
