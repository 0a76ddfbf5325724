"""Which new session file is which agent's, where nothing names it: by the folder it works in and the moment it began.

Owns that judgement, and the little that has to be read for it. Blocks: for threads, not for the loop. A file belongs to
an agent only if it began in that agent's folder, just as that agent's screen began to show a turn, and no other process
of the same agent on this machine could have begun it. Anything less says nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from agtmuxd.adapters.base import Opening, Transcribed
from agtmuxd.core.model import MS, NS, Claim, Proc, Source
from agtmuxd.targets import proctable
from agtmuxd.targets.roster import Agent
from agtmuxd.targets.tail import NotAllowedError, files_since, first_line

BEFORE: Final = 1500 * MS
"""How long before the screen was seen to show the turn the file may have begun."""
AFTER: Final = 3000 * MS
PATIENCE: Final = 1000 * MS
"""How old a file has to be where another pane of the same agent works in that folder."""
KEPT: Final = 256
"""Openings remembered, so that no file's first line is read twice."""


def began_with(agent: Agent) -> int | None:
    """When the screen began to show the turn that it shows now (ns); None where it shows none."""
    steady = agent.steady.get(Source.POLLER)
    told = steady.told if steady is not None else None
    if steady is None or told is None or told.claim is not Claim.RUNNING:
        return None
    return steady.told_since


class Seeker:
    """Finds; remembers what it read of files."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._openings: dict[str, Opening | None] = {}

    def seek(
        self, agent: Agent, rivals: Iterable[Agent], reader: Transcribed, tree: tuple[Path, int], taken: set[str],
        turn: int,
    ) -> tuple[str, Opening] | None:  # fmt: skip
        """The path and the opening of the one file that is this agent's, ``turn`` being when its turn began."""
        if not -AFTER <= self._clock() - turn <= 10 * NS:
            return None
        fitting = [
            (path, opening)
            for path in files_since(str(tree[0]), tree[1], turn - BEFORE)
            if path not in taken and (opening := self._opening(agent, reader, path)) is not None
            and turn - BEFORE <= opening.at <= turn + AFTER and opening.at >= agent.started_at
        ]  # fmt: skip
        if not fitting:
            return None
        cwd = _cwd(agent.proc)
        mine = [(path, opening) for path, opening in fitting if cwd is not None and _same(opening.cwd, cwd)]
        if len(mine) != 1:
            return None
        near = [other for other in rivals if not other.identity.headless and _cwd(other.proc) in (None, cwd)]
        if near and self._clock() - mine[0][1].at < PATIENCE:
            return None  # the screen of the one that began it may not have been read yet
        if any(_began_too(other, mine[0][1]) for other in near) or self._is_elsewhere(agent, near, cwd):
            return None
        return mine[0]

    def _opening(self, agent: Agent, reader: Transcribed, path: str) -> Opening | None:
        if path in self._openings:
            return self._openings[path]
        try:
            line = first_line(str(agent.home), path)
        except (NotAllowedError, OSError):
            return None
        if line is None:
            return None  # not whole yet
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            data = None
        found = reader.read_opening(data) if isinstance(data, dict) else None
        while len(self._openings) >= KEPT:
            del self._openings[next(iter(self._openings))]
        self._openings[path] = found
        return found

    def _is_elsewhere(self, agent: Agent, near: Iterable[Agent], cwd: str | None) -> bool:
        """Whether a process of this agent that is in no pane works in the same folder."""
        known = {0, agent.proc.tty, *(other.proc.tty for other in near)}
        for proc in proctable.read_table():
            if proc.tty in known:
                continue  # a shim of one that is known; what has no terminal shows no turn to anybody
            argv = proctable.read_argv(proc.pid, proc.start)
            found = agent.adapter.identify(replace(proc, argv=argv)) if argv else None
            if found is not None and not found.headless and _cwd(proc) in (None, cwd):
                return True
        return False


def _began_too(other: Agent, opening: Opening) -> bool:
    turn = began_with(other)
    return turn is not None and turn - BEFORE <= opening.at <= turn + AFTER


def _cwd(proc: Proc) -> str | None:
    """The folder that a process works in; None where that may not be known."""
    try:
        return str(Path(f"/proc/{proc.pid}/cwd").readlink())
    except OSError:
        return None


def _same(a: str, b: str) -> bool:
    return a == b or os.path.realpath(a) == os.path.realpath(b)
