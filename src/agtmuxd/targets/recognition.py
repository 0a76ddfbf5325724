"""Which agent, if any, runs in a pane: by its processes, their command lines, and what the user declares of the pane.

Owns what is remembered of processes between two tables. Knows no agent by name (adapters do).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Protocol

from agtmuxd.adapters.contract import Adapter, Identity
from agtmuxd.core.model import NS, PaneRow, Proc
from agtmuxd.core.process_tree import AgentProcess, Match, ProcessIndex, alone, find_agents, hidden_by
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.executor import TargetExecutor

YOUNG: Final = 2 * NS
"""How long a process's command line is not yet taken for its last."""

Choice = tuple[Adapter, Identity]
_Life = tuple[int, str, str]
"""Pid, start and name of a process."""


class AgentAdapters(Protocol):
    """The adapters, as they are asked here."""

    def identify(self, proc: Proc) -> Choice | None: ...

    def declared(self, agent_type: str) -> Choice | None: ...


class Recognition:
    """``find`` the agents of all panes in one process table, then ``forget`` the processes that were not in it."""

    def __init__(self, executor: TargetExecutor, known: AgentAdapters) -> None:
        self._executor = executor
        self._known = known
        self._argv: dict[_Life, tuple[str, ...]] = {}
        self._matches: dict[_Life, tuple[tuple[str, ...], Match[Choice] | None]] = {}
        self._met: dict[_Life, int] = {}
        self._widows: set[_Life] = set()
        self._used: set[_Life] = set()

    async def find(
        self, panes: Iterable[PaneRow], index: ProcessIndex, current: Callable[[str], Agent | None], now: int
    ) -> dict[str, AgentProcess[Choice] | None]:
        """The agent of each pane. ``current``: the one that was known there. Raises ExecutorError."""
        self._used = set()
        out: dict[str, AgentProcess[Choice] | None] = {}
        for row in panes:
            found = None
            if not row.dead:
                await self._fetch_argv(index.candidates(row.pid), now)
                found = next(iter(find_agents(index, row.pid, self._match)), None)
                if row.declared_agent and (found is None or found.match.gives_way):
                    found = self._declared(row, index) or found
            out[row.pane_id] = None if self._is_widow(current(row.pane_id), found, index) else found
        return out

    def forget(self) -> None:
        """What was remembered of processes that the last ``find`` did not meet."""
        used = self._used
        self._widows = {key for key in self._widows if key in used}
        self._argv = {key: argv for key, argv in self._argv.items() if key in used}
        self._met = {key: at for key, at in self._met.items() if key in used}
        self._matches = {key: held for key, held in self._matches.items() if key in used}

    def forget_matches(self) -> None:
        """The adapters know others than before."""
        self._matches.clear()

    def argv(self, proc: Proc) -> tuple[str, ...]:
        return self._argv.get(_life(proc), ())

    def is_released(self, agent: Agent, index: ProcessIndex) -> bool:
        """Whether the program runs on as it was, and only those who knew it as an agent are gone: its rules file."""
        proc = index.by_pid.get(agent.proc.pid)
        if proc is None or not same_life(proc, agent.proc) or proc.comm != agent.proc.comm or proc.state in "ZX":
            return False
        return self._match(proc) is None

    def _declared(self, row: PaneRow, index: ProcessIndex) -> AgentProcess[Choice] | None:
        """The agent that the pane's option names, while a program runs there that can hide it."""
        chosen, proc = self._known.declared(row.declared_agent), hidden_by(index, row.pid)
        if chosen is None or proc is None:
            return None
        return alone(proc, chosen[1].match(chosen[0].innermost, chosen))

    def _is_widow(self, current: Agent | None, found: AgentProcess[Choice] | None, index: ProcessIndex) -> bool:
        """Whether this is what is left of the shim of an agent that has ended: for an instant, and no agent itself."""
        if found is None:
            return False
        key = _life(found.proc)
        if current is not None and found.proc.pid == current.proc.ppid and current.proc.pid not in index.by_pid:
            self._widows.add(key)
        return key in self._widows

    async def _fetch_argv(self, procs: Iterable[Proc], now: int) -> None:
        """A young process may still rewrite its command line, or be in the middle of an exec: ask it again."""
        for proc in procs:
            key = _life(proc)
            self._used.add(key)
            if not self._argv.get(key) or now - self._met.setdefault(key, now) < YOUNG:
                argv = proc.argv or await self._executor.argv(proc.pid, proc.start)
                if argv:
                    self._argv[key] = argv

    def _match(self, proc: Proc) -> Match[Choice] | None:
        key = _life(proc)
        argv = self._argv.get(key, ())
        held = self._matches.get(key)
        if held is not None and held[0] == argv:
            return held[1]
        chosen = self._known.identify(replace(proc, argv=argv) if argv else proc)
        match = None if chosen is None else chosen[1].match(chosen[0].innermost, chosen)
        self._matches[key] = argv, match
        return match


def same_life(a: Proc, b: Proc) -> bool:
    return a.pid == b.pid and a.start == b.start


def _life(proc: Proc) -> _Life:
    return proc.pid, proc.start, proc.comm
