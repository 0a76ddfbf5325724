"""Find the agent in a pane by its processes, their command lines and the user's declaration for the pane.

Owns what is remembered about processes between two process tables. Knows no agent by name: adapters do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, Protocol

from agtmuxd.adapters.contract import Adapter, Identity
from agtmuxd.core.model import NS, PaneRow, Proc
from agtmuxd.core.process_tree import AgentProcess, Match, ProcessIndex, find_agents, hidden_by, single_agent
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.executor import TargetExecutor

YOUNG: Final = 2 * NS
"""Time (ns) for which a new process may still change its command line."""

Choice = tuple[Adapter, Identity]
_Life = tuple[int, str, str]
"""Pid, start and name of a process."""


class AgentAdapters(Protocol):
    """The adapter registry, as used here."""

    def identify(self, proc: Proc) -> Choice | None: ...

    def declared_identity(self, agent_type: str) -> Choice | None: ...


class Recognition:
    """Find agents in process tables. Call ``find`` for each table, then ``forget``."""

    def __init__(self, executor: TargetExecutor, known: AgentAdapters) -> None:
        self._executor = executor
        self._known = known
        self._argv: dict[_Life, tuple[str, ...]] = {}
        self._matches: dict[_Life, tuple[tuple[str, ...], Match[Choice] | None]] = {}
        self._first_seen: dict[_Life, int] = {}
        self._shims: set[_Life] = set()
        self._used: set[_Life] = set()

    async def find(
        self, panes: Iterable[PaneRow], index: ProcessIndex, current: Callable[[str], Agent | None], now: int
    ) -> dict[str, AgentProcess[Choice] | None]:
        """Find the agent of each pane. ``current`` returns the agent known so far. Raises ExecutorError."""
        self._used = set()
        out: dict[str, AgentProcess[Choice] | None] = {}
        for row in panes:
            found = None
            if not row.dead:
                await self._fetch_argv(index.candidates(row.pid), now)
                found = next(iter(find_agents(index, row.pid, self._match)), None)
                if row.declared_agent and (found is None or found.match.gives_way):
                    found = self._declared(row, index) or found
            out[row.pane_id] = None if self._is_left_shim(current(row.pane_id), found, index) else found
        return out

    def forget(self) -> None:
        """Forget the processes that the last ``find`` did not see."""
        used = self._used
        self._shims = {key for key in self._shims if key in used}
        self._argv = {key: argv for key, argv in self._argv.items() if key in used}
        self._first_seen = {key: at for key, at in self._first_seen.items() if key in used}
        self._matches = {key: cached for key, cached in self._matches.items() if key in used}

    def forget_matches(self) -> None:
        """Ask the adapters again about every process: their rules changed."""
        self._matches.clear()

    def argv(self, proc: Proc) -> tuple[str, ...]:
        return self._argv.get(_life(proc), ())

    def is_released(self, agent: Agent, index: ProcessIndex) -> bool:
        """Return whether the agent's program still runs, but no adapter recognises it: its rules file was removed."""
        proc = index.by_pid.get(agent.proc.pid)
        if proc is None or not same_life(proc, agent.proc) or proc.comm != agent.proc.comm or proc.state in "ZX":
            return False
        return self._match(proc) is None

    def _declared(self, row: PaneRow, index: ProcessIndex) -> AgentProcess[Choice] | None:
        """Return the agent that the pane's option names, if a program that can hide it runs there."""
        chosen, proc = self._known.declared_identity(row.declared_agent), hidden_by(index, row.pid)
        if chosen is None or proc is None:
            return None
        return single_agent(proc, chosen[1].match(chosen[0].innermost, chosen))

    def _is_left_shim(self, current: Agent | None, found: AgentProcess[Choice] | None, index: ProcessIndex) -> bool:
        """Return whether ``found`` is the shim of an agent that has ended. It runs a moment longer, and is no agent."""
        if found is None:
            return False
        key = _life(found.proc)
        if current is not None and found.proc.pid == current.proc.ppid and current.proc.pid not in index.by_pid:
            self._shims.add(key)
        return key in self._shims

    async def _fetch_argv(self, procs: Iterable[Proc], now: int) -> None:
        """Read the command lines of processes. Those of new processes are read again: they may still change."""
        for proc in procs:
            key = _life(proc)
            self._used.add(key)
            if not self._argv.get(key) or now - self._first_seen.setdefault(key, now) < YOUNG:
                argv = proc.argv or await self._executor.argv(proc.pid, proc.start)
                if argv:
                    self._argv[key] = argv

    def _match(self, proc: Proc) -> Match[Choice] | None:
        key = _life(proc)
        argv = self._argv.get(key, ())
        cached = self._matches.get(key)
        if cached is not None and cached[0] == argv:
            return cached[1]
        chosen = self._known.identify(replace(proc, argv=argv) if argv else proc)
        match = None if chosen is None else chosen[1].match(chosen[0].innermost, chosen)
        self._matches[key] = argv, match
        return match


def same_life(a: Proc, b: Proc) -> bool:
    """Return whether both are the same process: the same pid and the same start."""
    return a.pid == b.pid and a.start == b.start


def _life(proc: Proc) -> _Life:
    return proc.pid, proc.start, proc.comm
