"""Check the socket's file and the locks from time to time, and restore them if they are gone.

They can vanish because a logout empties ``$XDG_RUNTIME_DIR`` while tmux goes on running. This module chooses between
the usual path and the spare path of the socket. Knows nothing about HTTP.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmuxd.clock import coalesced_sleep
from agtmuxd.process import BoundSocket, Lock

EVERY: Final = 2.0
"""Seconds between two checks."""
BELIEVED: Final = 3
"""This daemon stops after so many checks in a row at which another daemon holds one of its locks. A daemon that only
tries to start holds a lock for a moment."""

_LOG = structlog.get_logger("agtmuxd")


class SocketRepair:
    """Keep one daemon reachable. ``look`` checks once and restores what is missing; ``run`` repeats that forever."""

    def __init__(
        self,
        first: BoundSocket,
        locks: Sequence[Lock],
        usual: str,
        spare: str,
        *,
        listen: Callable[[socket.socket], Awaitable[None]],
        leave: Callable[[socket.socket], None],
        moved: Callable[[str], None],
        report: Callable[[str | None], None],
        give_way: Callable[[str], None],
    ) -> None:
        """``first``: the socket from the start. ``usual``: the path where clients look first. ``spare``: a path to
        listen on while the usual one cannot be used.

        ``listen`` and ``leave`` start and stop accepting on a socket. ``moved`` gets each new path. ``report`` gets the
        current problem (None: none). ``give_way`` gets the reason why this daemon has to stop.
        """
        self._usual, self._spare, self._locks = usual, spare, locks
        self._folder = str(Path(usual).parent)
        self._real = os.path.realpath(self._folder)
        self._first, self._current = first, first
        self._listen, self._leave, self._moved = listen, leave, moved
        self._report_problem, self._give_way = report, give_way
        self._rival_checks = 0
        self._reported: str | None = None

    async def run(self) -> None:
        """Check every ``EVERY`` seconds until cancelled."""
        while True:
            await coalesced_sleep(EVERY)
            await self.look()

    async def look(self) -> None:
        """Restore what is missing. A problem with these paths is reported, never raised."""
        if self._is_whole():
            self._rival_checks = 0
            self._report(None)
            return
        wrong: list[str] = []
        rival = self._keep_locks(wrong)
        if rival is not None:
            self._rival_checks += 1
            if self._rival_checks >= BELIEVED:
                self._give_way(rival)
            return
        self._rival_checks = 0
        if not (self._current.path == self._usual and self._current.is_intact()):
            await self._restore(wrong)
        self._report("; ".join(wrong) or None)

    def close(self) -> None:
        """Close every socket. Idempotent."""
        for bound in {self._current, self._first}:
            bound.close()

    def _is_whole(self) -> bool:
        return (
            self._current.path == self._usual
            and self._current.is_intact()
            and all(lock.is_intact() for lock in self._locks)
        )

    def _keep_locks(self, wrong: list[str]) -> str | None:
        """Take the locks again whose files are gone. If another daemon holds one, return a text that names it."""
        for lock in self._locks:
            try:
                self._ensure(str(Path(lock.path).parent))
                holder = lock.keep()
            except AgtmuxError as error:
                wrong.append(error.message)
                continue
            if holder is not None:
                return f"the daemon with pid {holder} holds {lock.path} now"
        return None

    async def _restore(self, wrong: list[str]) -> None:
        """Bind the socket at the usual path again, or else at the spare one."""
        for path in (self._usual, self._spare):
            if self._current.path == path and self._current.is_intact():
                return
            try:
                self._ensure(str(Path(path).parent))
                made = BoundSocket.bind(path)
            except (AgtmuxError, OSError) as error:
                text = error.message if isinstance(error, AgtmuxError) else f"cannot listen at {path}: {error.strerror}"
                if text not in wrong:
                    wrong.append(text)
                continue
            await self._move(made)
            return

    async def _move(self, made: BoundSocket) -> None:
        before, self._current = self._current, made
        await self._listen(made.sock)
        if before.own:  # keep a socket that systemd passed: systemd may restore its file
            self._leave(before.sock)
            before.close()
        self._moved(made.path)
        _LOG.warning("the socket was gone and is bound again", socket=made.path)

    def _ensure(self, folder: str) -> None:
        """Create a private folder again. Raises E_FORBIDDEN, also if the usual one now leads to another folder."""
        paths.ensure_private_dir(folder)
        if folder == self._folder and os.path.realpath(folder) != self._real:
            where = os.path.realpath(folder)
            raise AgtmuxError(
                "E_FORBIDDEN", f"{folder} leads to {where} since this daemon started: run agtmux daemon restart"
            )

    def _report(self, wrong: str | None) -> None:
        if wrong != self._reported:
            self._reported = wrong
            self._report_problem(wrong)
            if wrong is not None:
                _LOG.error("clients may not find this daemon", why=wrong, socket=self._current.path)
