"""Which session file is which agent's, where nothing names it: by the folder it works in and the moment its turn began.

Owns that judgement, and the little that has to be read for it. Blocks: for threads, not for the loop. A file belongs to
an agent only if its session is of that agent's folder, a turn began in it just as that agent's screen began to show
one, and no other process of the same agent on this machine could have begun that turn. Anything less says nothing.
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
"""How long before the screen was seen to show the turn it may have begun in the file."""
AFTER: Final = 3000 * MS
PATIENCE: Final = 1000 * MS
"""How long ago it has to have begun where another pane of the same agent works in that folder."""
AGAIN: Final = 500 * MS
"""How soon the same agent's file is looked for again."""
KEPT: Final = 256
"""Openings remembered, so that no file's first line is read twice."""


def began_with(agent: Agent) -> int | None:
    """When the screen began to show the turn that it shows now (ns); None where it shows none."""
    steady = agent.steady.get(Source.POLLER)
    told = steady.told if steady is not None else None
    if steady is None or told is None or told.claim is not Claim.RUNNING:
        return None
    return steady.told_since


def parsed(line: bytes) -> Mapping[str, Any] | None:
    """A line that is a JSON object; None for anything else."""
    try:
        data = decode(line)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


class TranscriptFinder:
    """Finds; remembers what it read of files."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._openings: dict[str, SessionHeader | None] = {}
        self._sought: dict[tuple[int, str], int] = {}  # by process

    def seek(
        self, agent: Agent, rivals: Iterable[Agent], reader: TranscriptAdapter, tree: tuple[Path, int], taken: set[str],
        turn: int,
    ) -> tuple[str, SessionHeader] | None:  # fmt: skip
        """The path of the one file that is this agent's, with its opening as of that turn; ``turn``: when it began."""
        now, process = self._clock(), (agent.proc.pid, agent.proc.start)
        if not -AFTER <= now - turn <= 10 * NS or now - self._sought.get(process, now - AGAIN) < AGAIN:
            return None
        self._sought = {k: at for k, at in self._sought.items() if now - at < AGAIN} | {process: now}
        cwd = process_table.read_cwd(agent.proc.pid)
        if cwd is None:
            return None
        mine = [
            (path, replace(opening, at=began))
            for path in files_since(str(tree[0]), tree[1], turn - BEFORE)
            if path not in taken and (opening := self._opening(agent, reader, path)) is not None
            and _same(opening.cwd, cwd) and (began := _last_turn(agent, reader, path)) is not None
            and turn - BEFORE <= began <= turn + AFTER and began >= agent.started_at
        ]  # fmt: skip
        if len(mine) != 1:
            return None
        near = [
            other
            for other in rivals
            if not other.identity.headless and process_table.read_cwd(other.proc.pid) in (None, cwd)
        ]
        if near and self._clock() - mine[0][1].at < PATIENCE:
            return None  # the screen of the one that began it may not have been read yet
        if any(_began_too(other, mine[0][1]) for other in near) or self._is_elsewhere(agent, near, cwd):
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
            return None  # not whole yet
        data = parsed(line)
        found = reader.read_opening(data) if data is not None else None
        while len(self._openings) >= KEPT:
            del self._openings[next(iter(self._openings))]
        self._openings[path] = found
        return found

    def _is_elsewhere(self, agent: Agent, near: Iterable[Agent], cwd: str | None) -> bool:
        """Whether a process of this agent that is in no pane works in the same folder."""
        known = {0, agent.proc.tty, *(other.proc.tty for other in near)}
        for proc in process_table.read_table():
            if proc.tty in known:
                continue  # a shim of one that is known; what has no terminal shows no turn to anybody
            argv = process_table.read_argv(proc.pid, proc.start)
            found = agent.adapter.identify(replace(proc, argv=argv)) if argv else None
            if found is not None and not found.headless and process_table.read_cwd(proc.pid) in (None, cwd):
                return True
        return False


def _last_turn(agent: Agent, reader: TranscriptAdapter, path: str) -> int | None:
    """When the last turn in the file began (ns); None where its end tells of none."""
    try:
        piece = Tail(str(agent.home), path).read()
    except (NotAllowedError, OSError):
        return None
    for _, line in reversed(piece.lines if piece is not None else ()):
        data = parsed(line)
        told = reader.read_line(data) if data is not None else None
        if told is not None and told.begins:
            return told.at
    return None


def _began_too(other: Agent, opening: SessionHeader) -> bool:
    turn = began_with(other)
    return turn is not None and turn - BEFORE <= opening.at <= turn + AFTER


def _same(a: str, b: str) -> bool:
    """Whether a session's folder ``a``, or the one whose hash it is, is ``b``."""
    kind, colon, digest = a.partition(":")
    if colon and kind == HASHED:
        return digest in (hashlib.sha256(os.fsencode(path)).hexdigest() for path in (b, os.path.realpath(b)))
    return a == b or os.path.realpath(a) == os.path.realpath(b)
