"""Find an agent's session file by its working folder and the time its turn began, if nothing names the file.

A file belongs to an agent only if all of this holds: its session is of the agent's working folder, a turn began in it
when the agent's screen began to show one, and no other process of the same agent type on this machine could have begun
that turn. Otherwise nothing is found. Blocks: call it in a thread, not in the event loop.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.contract import HASHED, SessionHeader, TranscriptAdapter
from agtmuxd.core.json_codec import decode
from agtmuxd.core.model import MS, NS, Claim, Source
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.local import process_table
from agtmuxd.targets.local.file_tail import NotAllowedError, Tail, files_since, first_line

BEFORE: Final = 1500 * MS
"""The turn may have begun in the file up to so long (ns) before the screen showed it."""
AFTER: Final = 3000 * MS
"""The same, after the screen showed it."""
MIN_AGE: Final = 1000 * MS
"""How long ago (ns) the turn must have begun if another pane of the same agent type works in that folder."""
AGAIN: Final = 500 * MS
"""ns between two searches for the same agent's file."""
KEPT: Final = 256
"""Session headers that are remembered, so that no file's first line is read twice."""


def turn_start(agent: Agent) -> int | None:
    """Give the time (ns) at which the screen began to show the current turn; None if it shows none."""
    steady = agent.steady.get(Source.POLLER)
    shown = steady.current if steady is not None else None
    if steady is None or shown is None or shown.claim is not Claim.RUNNING:
        return None
    return steady.current_since


def parse_object(line: bytes) -> Mapping[str, Any] | None:
    """Parse a line that is a JSON object; None for anything else."""
    try:
        data = decode(line)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


class TranscriptFinder:
    """Find session files. Remembers the session headers that it read."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._openings: dict[str, SessionHeader | None] = {}
        self._tried_at: dict[tuple[int, str], int] = {}  # by process

    def find(
        self, agent: Agent, rivals: Iterable[Agent], reader: TranscriptAdapter, tree: tuple[Path, int], taken: set[str],
        turn: int,
    ) -> tuple[str, SessionHeader] | None:  # fmt: skip
        """Give the path and session header of the one file that belongs to this agent; None if there is no such file.

        ``rivals``: other agents of the same type. ``tree``: a folder and how deep to search it. ``taken``: paths that
        belong to other agents. ``turn``: when the agent's turn began (ns). The header's ``at`` is the turn's start.
        """
        now, process = self._clock(), (agent.proc.pid, agent.proc.start)
        if not -AFTER <= now - turn <= 10 * NS or now - self._tried_at.get(process, now - AGAIN) < AGAIN:
            return None
        self._tried_at = {k: at for k, at in self._tried_at.items() if now - at < AGAIN} | {process: now}
        cwd = process_table.read_cwd(agent.proc.pid)
        if cwd is None:
            return None
        mine = [
            (path, replace(opening, at=began))
            for path in files_since(str(tree[0]), tree[1], turn - BEFORE)
            if path not in taken and (opening := self._opening(agent, reader, path)) is not None
            and _is_same_folder(opening.cwd, cwd) and (began := _last_turn(agent, reader, path)) is not None
            and turn - BEFORE <= began <= turn + AFTER and began >= agent.started_at
        ]  # fmt: skip
        if len(mine) != 1:
            return None
        neighbours = [
            other
            for other in rivals
            if not other.identity.headless and process_table.read_cwd(other.proc.pid) in (None, cwd)
        ]
        if neighbours and self._clock() - mine[0][1].at < MIN_AGE:
            return None  # the screen of the agent that began it may not have been read yet
        if any(_began_same_turn(other, mine[0][1]) for other in neighbours) or self._runs_outside_panes(
            agent, neighbours, cwd
        ):
            return None
        return mine[0]

    def _opening(self, agent: Agent, reader: TranscriptAdapter, path: str) -> SessionHeader | None:
        if path in self._openings:
            return self._openings[path]
        try:
            line = first_line(str(agent.home), path)
        except (NotAllowedError, OSError):
            return None
        if line is None:
            return None  # the line is not complete yet
        data = parse_object(line)
        found = reader.read_opening(data) if data is not None else None
        while len(self._openings) >= KEPT:
            del self._openings[next(iter(self._openings))]
        self._openings[path] = found
        return found

    def _runs_outside_panes(self, agent: Agent, neighbours: Iterable[Agent], cwd: str | None) -> bool:
        """Whether a process of the same agent that runs in no pane works in the same folder."""
        known = {0, agent.proc.tty, *(other.proc.tty for other in neighbours)}
        for proc in process_table.read_table():
            if proc.tty in known:
                continue  # on a known agent's terminal, or without a terminal, so that it shows no turn
            argv = process_table.read_argv(proc.pid, proc.start)
            found = agent.adapter.identify(replace(proc, argv=argv)) if argv else None
            if found is not None and not found.headless and process_table.read_cwd(proc.pid) in (None, cwd):
                return True
        return False


def _last_turn(agent: Agent, reader: TranscriptAdapter, path: str) -> int | None:
    """Give the time (ns) at which the last turn in the file began; None if the end of the file holds no start."""
    try:
        piece = Tail(str(agent.home), path).read()
    except (NotAllowedError, OSError):
        return None
    for _, line in reversed(piece.lines if piece is not None else ()):
        data = parse_object(line)
        event = reader.read_line(data) if data is not None else None
        if event is not None and event.begins:
            return event.at
    return None


def _began_same_turn(other: Agent, opening: SessionHeader) -> bool:
    turn = turn_start(other)
    return turn is not None and turn - BEFORE <= opening.at <= turn + AFTER


def _is_same_folder(a: str, b: str) -> bool:
    """Whether a session's folder ``a`` is ``b``. ``a`` is a path, or ``HASHED`` and the SHA-256 of a path."""
    kind, colon, digest = a.partition(":")
    if colon and kind == HASHED:
        return digest in (hashlib.sha256(os.fsencode(path)).hexdigest() for path in (b, os.path.realpath(b)))
    return a == b or os.path.realpath(a) == os.path.realpath(b)
