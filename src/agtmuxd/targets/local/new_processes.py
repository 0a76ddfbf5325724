"""Whether something was started in a tmux server of this machine, asked between rounds and without tmux.

Owns what a glance saw: the socket, the server's panes by their processes, and the programs below the panes that have no
agent. Knows no agent and decides nothing: news is a reason for a round. Where the kernel does not list a process's
children, only the socket tells; the next round finds the rest, later.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from agtmuxd.core.model import NS
from agtmuxd.targets.local.process_table import read_children, read_comm

DEPTH: Final = 4
"""Looked at below a pane: a shell, a wrapper, a launcher, the agent."""
WIDTH: Final = 8
"""Processes looked at below one pane."""
PATIENCE: Final = (0, NS // 2, NS, 2 * NS, 4 * NS)
"""Least time between two pieces of news of one place: a build starts programs all the time."""
RESTED: Final = 10 * NS
"""After so long without news a place's patience is what it was at first."""

_Sight = tuple[object, ...]
"""What was seen in one place: the pids of a server's panes, else what tells processes or sockets from others."""
_SOCKET: Final = 0
"""The socket among the places that are looked at; all others are pids."""


class NewProcesses:
    """What was there at the last glance."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._seen: dict[int, _Sight] = {}
        self._told: dict[int, tuple[int, int]] = {}

    def check_for_changes(self, socket: str, server: int | None, panes: Iterable[int], now: int) -> bool:
        """Whether there is something that was not there at the last glance.

        ``socket``: the server's, looked at while there is no ``server`` (its pid); ``panes``: the processes of panes
        without an agent. ``now`` in ns.
        """
        there: dict[int, _Sight | None] = {pid: self._below(pid) for pid in panes}
        if server is not None:
            there[server] = tuple(read_children(server, self._proc) or ())
        else:
            there[_SOCKET] = _identity(socket)
        for gone in self._seen.keys() - there.keys():
            del self._seen[gone]
            self._told.pop(gone, None)
        news = [place for place, sight in there.items() if sight is not None and self._news(place, sight, now)]
        return bool(news)

    def _news(self, place: int, sight: _Sight, now: int) -> bool:
        before = self._seen.get(place, ())
        if sight == before:
            return False
        fresh = not set(sight) <= set(before)
        if fresh:
            at, times = self._told.get(place, (0, 0))
            if now - at >= RESTED:
                times = 0
            if now - at < PATIENCE[times]:
                return False  # not noted as seen: it is news once patience is over, if it is still there
            self._told[place] = (now, min(times + 1, len(PATIENCE) - 1))
        self._seen[place] = sight
        return fresh

    def _below(self, pid: int) -> _Sight | None:
        """Pid and name of the processes below a pane's; None where that cannot be told."""
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
