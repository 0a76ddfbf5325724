"""Find the processes of a pane, and which of them are agents.

Owns the walk over one process table. Knows no agent by name: the caller says what a process is. Reads nothing. Only
``candidates`` need their argv, so the caller reads it for those and passes it in through ``identify``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from agtmuxd.core.model import Proc
from agtmuxd.core.state.event_sender import SERVERS

T = TypeVar("T")
_ENDED: Final = frozenset("ZXx")
SHELLS: Final = frozenset({
    "sh", "bash", "zsh", "fish", "dash", "ash", "busybox", "ksh", "ksh93", "mksh", "tcsh", "csh", "nu", "elvish",
    "xonsh", "pwsh", "osh", "ysh", "rc", "login", "su",
})  # fmt: skip
"""Programs in a pane that hide no agent: they wait for the user's next command, or start a shell."""


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """What the caller says a process is.

    - ``innermost``: of a shim and the program that it starts, the program counts.
    - ``gives_way``: if another agent runs below this one and ``takes_over``, that other agent counts.
    """

    agent_type: str
    innermost: bool
    value: T
    gives_way: bool = False
    takes_over: bool = True


@dataclass(frozen=True, slots=True)
class AgentProcess(Generic[T]):
    """One agent of a pane.

    ``chain`` lists the shim and the program, outermost first; ``proc`` is the one that counts. A suspended agent has
    ``proc.state == "T"``.
    """

    proc: Proc
    match: Match[T]
    chain: tuple[Proc, ...]
    foreground: bool


class ProcessIndex:
    """One process table, indexed so that many panes can be looked up. Leaves out zombies (ended but not reaped)."""

    def __init__(self, table: Iterable[Proc]) -> None:
        self.by_pid: dict[int, Proc] = {}
        self._children: dict[int, list[Proc]] = {}
        self._by_tty: dict[int, list[Proc]] = {}
        for proc in table:
            if proc.state in _ENDED:
                continue
            self.by_pid[proc.pid] = proc
            self._children.setdefault(proc.ppid, []).append(proc)
            if proc.tty:
                self._by_tty.setdefault(proc.tty, []).append(proc)

    def children(self, pid: int) -> list[Proc]:
        """Return the children of a process. A tmux server has none here: its children belong to its own panes."""
        proc = self.by_pid.get(pid)
        return [] if proc is not None and proc.comm in SERVERS else self._children.get(pid, [])

    def roots(self, pane_pid: int) -> list[Proc]:
        """Return the pane's own process, and those on its terminal that do not descend from it (reparented ones)."""
        pane = self.by_pid.get(pane_pid)
        if pane is None:
            return []
        above = {proc.pid for proc in self._ancestors(pane)}  # what started the pane is not part of it
        on_tty = self._by_tty.get(pane.tty, []) if pane.tty else []
        alone = (proc for proc in on_tty if proc.pid not in above and self._stands_alone(proc, pane, above))
        return [pane, *alone]

    def candidates(self, pane_pid: int) -> list[Proc]:
        """Return every process of a pane, parents before their children."""
        found: dict[int, Proc] = {}
        stack = self.roots(pane_pid)[::-1]
        while stack:
            proc = stack.pop()
            if proc.pid not in found:
                found[proc.pid] = proc
                stack.extend(reversed(self.children(proc.pid)))
        return list(found.values())

    def _stands_alone(self, proc: Proc, pane: Proc, outside: set[int]) -> bool:
        """Return whether neither the pane's process nor another process of its terminal is an ancestor of this one."""
        return proc.pid != pane.pid and not any(
            link.pid == pane.pid or (link.tty == pane.tty and link.pid not in outside) for link in self._ancestors(proc)
        )

    def is_below(self, proc: Proc, above: Proc) -> bool:
        """Return whether ``above`` is an ancestor of ``proc``."""
        return any(link.pid == above.pid for link in self._ancestors(proc))

    def _ancestors(self, proc: Proc) -> Iterator[Proc]:
        seen = {proc.pid}  # the table is not read at one instant: a reused pid could make a loop
        above = self.by_pid.get(proc.ppid)
        while above is not None and above.pid not in seen:
            seen.add(above.pid)
            yield above
            above = self.by_pid.get(above.ppid)


def find_agents(
    index: ProcessIndex, pane_pid: int, identify: Callable[[Proc], Match[T] | None]
) -> list[AgentProcess[T]]:
    """Return the agents of a pane, the most likely first.

    Agents in the foreground of their terminal come first, then the outermost. What runs below an agent is that agent's
    tool and is skipped, unless the agent gives way. Example: ``claude -p`` in a shell of Codex is no agent of the pane.
    A shim and the program that it starts in its own process group are one agent.
    """
    found: list[tuple[int, AgentProcess[T]]] = []
    seen: set[int] = set()
    stack = [(proc, 0) for proc in reversed(index.roots(pane_pid))]
    while stack:
        proc, depth = stack.pop()
        if proc.pid in seen:
            continue
        seen.add(proc.pid)
        match = identify(proc)
        if match is None:
            stack.extend((child, depth + 1) for child in reversed(index.children(proc.pid)))
        else:
            agent = single_agent(proc, match) if match.gives_way else _follow(index, proc, match, identify, seen)
            found.append((depth, agent))
            if match.gives_way:
                stack.extend((child, depth + 1) for child in reversed(index.children(agent.chain[-1].pid)))
    found = [entry for entry in found if not _is_covered(index, entry[1], [other for _, other in found])]
    found.sort(key=lambda entry: (not entry[1].foreground, entry[0], entry[1].chain[0].pid))
    return [entry for _, entry in found]


def hidden_by(index: ProcessIndex, pane_pid: int) -> Proc | None:
    """Return the program that hides an agent from the process table: a container's client, ssh, a terminal multiplexer.

    That is the foreground job of the pane's shell, or else a stopped job, or what runs in the pane without a shell.
    None if only shells run: the hidden program has ended.
    """
    jobs = [p for p in index.candidates(pane_pid) if p.pid == p.pgid and p.comm.lstrip("-") not in SHELLS]
    pane = index.by_pid.get(pane_pid)
    jobs = [p for p in jobs if pane is not None and p.tty == pane.tty]
    in_front = [p for p in jobs if p.pgid == p.tpgid]
    return next(iter(in_front or [p for p in jobs if p.state == "T"]), None)


def _is_covered(index: ProcessIndex, one: AgentProcess[T], all_of_pane: list[AgentProcess[T]]) -> bool:
    """Return whether another agent of the pane counts instead of this one.

    That is so if this one gave way to the other, or the other did not give way to this one.
    """
    if one.match.gives_way and any(
        other.match.takes_over and not other.match.gives_way and index.is_below(other.proc, one.proc)
        for other in all_of_pane
    ):
        return True
    stays = one.match.gives_way or not one.match.takes_over
    return stays and any(
        other is not one and other.match.gives_way and index.is_below(one.proc, other.proc) for other in all_of_pane
    )


def single_agent(proc: Proc, match: Match[T]) -> AgentProcess[T]:
    """Return one process that is an agent by itself."""
    return AgentProcess(proc, match, (proc,), proc.pgid == proc.tpgid)


def _follow(
    index: ProcessIndex,
    outermost: Proc,
    match: Match[T],
    identify: Callable[[Proc], Match[T] | None],
    seen: set[int],
) -> AgentProcess[T]:
    """Walk down from the first process of an agent while the direct child is the same agent. Adds to ``seen``."""
    chain = [(outermost, match)]
    while True:
        proc, _ = chain[-1]
        for child in sorted(index.children(proc.pid), key=lambda child: child.pid):
            if child.pid in seen or child.pgid != outermost.pgid:
                continue
            if match.innermost and child.comm == proc.comm:
                continue  # a fork that has not called exec yet
            inner = identify(child)
            if inner is not None and inner.agent_type == match.agent_type:
                chain.append((child, inner))
                seen.add(child.pid)
                break
        else:
            break
    proc, chosen = chain[-1] if match.innermost else chain[0]
    return AgentProcess(proc, chosen, tuple(link for link, _ in chain), proc.pgid == proc.tpgid)
