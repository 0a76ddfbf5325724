"""Check between rounds, without tmux, whether a program was started in a tmux server of this machine.

Owns what the last check saw: the socket, the pids of the server's panes, and the programs below panes without an agent.
Knows no agent and decides nothing: news is only a reason for a round. If the kernel does not list a process's children,
only the socket is checked, and the next round finds the rest, later.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from agtmuxd.core.model import NS
from agtmuxd.targets.local.process_table import read_children, read_comm

DEPTH: Final = 4
"""Levels of processes checked below a pane: a shell, a wrapper, a launcher, the agent."""
WIDTH: Final = 8
"""Processes checked below one pane."""
PATIENCE: Final = (0, NS // 2, NS, 2 * NS, 4 * NS)
"""Least times (ns) between two pieces of news from one place: a build starts programs all the time."""
RESTED: Final = 10 * NS
"""Time (ns) without news after which a place starts again at the first value of ``PATIENCE``."""

_Sight = tuple[object, ...]
"""What was seen in one place: the pids of a server's panes, or the identity of processes or of the socket."""
_SOCKET: Final = 0
"""The key of the socket among the places; all other keys are pids."""


class NewProcesses:
    """Remember the last check, and find what is new."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._seen: dict[int, _Sight] = {}
        self._reported: dict[int, tuple[int, int]] = {}

    def check_for_changes(self, socket: str, server: int | None, panes: Iterable[int], now: int) -> bool:
        """Return whether something is there that the last check did not see.

        ``socket``: the server's socket, checked while there is no ``server`` (its pid). ``panes``: the pids of panes
        without an agent. ``now`` in ns.
        """
        there: dict[int, _Sight | None] = {pid: self._below(pid) for pid in panes}
        if server is not None:
            there[server] = tuple(read_children(server, self._proc) or ())
        else:
            there[_SOCKET] = _identity(socket)
        for gone in self._seen.keys() - there.keys():
            del self._seen[gone]
            self._reported.pop(gone, None)
        news = [place for place, sight in there.items() if sight is not None and self._is_new(place, sight, now)]
        return bool(news)

    def _is_new(self, place: int, sight: _Sight, now: int) -> bool:
        before = self._seen.get(place, ())
        if sight == before:
            return False
        fresh = not set(sight) <= set(before)
        if fresh:
            at, times = self._reported.get(place, (0, 0))
            if now - at >= RESTED:
                times = 0
            if now - at < PATIENCE[times]:
                return False  # not noted as seen: it is news later, if it is still there then
            self._reported[place] = (now, min(times + 1, len(PATIENCE) - 1))
        self._seen[place] = sight
        return fresh

    def _below(self, pid: int) -> _Sight | None:
        """Return pid and name of the processes below a pane's process, None if the kernel does not list them."""
        found: list[tuple[int, bytes]] = []
        level = read_children(pid, self._proc)
        if level is None:
            return None
        for _ in range(DEPTH):
            level = level[: WIDTH - len(found)]
            found += [(child, read_comm(child, self._proc)) for child in level]
            level = [below for child in level for below in read_children(child, self._proc) or ()]
        return tuple(found)


def _identity(socket: str) -> _Sight:
    try:
        found = Path(socket).stat()
    except OSError:
        return ()
    return ((found.st_ino, found.st_ctime_ns),)
