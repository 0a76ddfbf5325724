"""Keeps the daemon where its clients look for it: the socket's file and the locks are looked at, and put back.

A logout empties ``$XDG_RUNTIME_DIR`` while tmux lives on. Owns the choice between the usual path and the spare one.
Knows nothing of HTTP.
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
"""Seconds between two looks."""
BELIEVED: Final = 3
"""Looks in a row at which another daemon holds a lock of this one, until this one ends: a daemon that only tries to
start holds one for an instant."""

_LOG = structlog.get_logger("agtmuxd")


class SocketRepair:
    """The addresses of one daemon. ``look`` puts back what is missing; ``run`` looks now and then until cancelled."""

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
        tell: Callable[[str | None], None],
        give_way: Callable[[str], None],
    ) -> None:
        """``first``: where it listens from the start. ``usual``: where clients look first; ``spare``: a path to listen
        at while the usual one cannot be used.

        ``listen`` and ``leave`` begin and end to accept on a socket; ``moved`` is told each new path, ``tell`` what is
        wrong now (None: nothing), ``give_way`` why this daemon has to end.
        """
        self._usual, self._spare, self._locks = usual, spare, locks
        self._folder = str(Path(usual).parent)
        self._real = os.path.realpath(self._folder)
        self._first, self._at = first, first
        self._listen, self._leave, self._moved, self._tell, self._give_way = listen, leave, moved, tell, give_way
        self._rivals = 0
        self._told: str | None = None

    async def run(self) -> None:
        while True:
            await coalesced_sleep(EVERY)
            await self.look()

    async def look(self) -> None:
        """Put back what is missing. Never raises for what lies at these paths: that is told."""
        if self._is_whole():
            self._rivals = 0
            self._say(None)
            return
        wrong: list[str] = []
        rival = self._keep_locks(wrong)
        if rival is not None:
            self._rivals += 1
            if self._rivals >= BELIEVED:
                self._give_way(rival)
            return
        self._rivals = 0
        if not (self._at.path == self._usual and self._at.stands()):
            await self._restore(wrong)
        self._say("; ".join(wrong) or None)

    def close(self) -> None:
        """Leave every address. Idempotent."""
        for one in {self._at, self._first}:
            one.close()

    def _is_whole(self) -> bool:
        return self._at.path == self._usual and self._at.stands() and all(lock.stands() for lock in self._locks)

    def _keep_locks(self, wrong: list[str]) -> str | None:
        """Take the locks again whose files are gone; who holds one instead, in words."""
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
        """Bind at the usual path again, else at the spare one."""
        for path in (self._usual, self._spare):
            if self._at.path == path and self._at.stands():
                return
            try:
                self._ensure(str(Path(path).parent))
                made = BoundSocket.bind(path)
            except (AgtmuxError, OSError) as error:
                said = error.message if isinstance(error, AgtmuxError) else f"cannot listen at {path}: {error.strerror}"
                if said not in wrong:
                    wrong.append(said)
                continue
            await self._move(made)
            return

    async def _move(self, made: BoundSocket) -> None:
        before, self._at = self._at, made
        await self._listen(made.sock)
        if before.own:  # one that systemd passed is left at the end: systemd may put its file back
            self._leave(before.sock)
            before.close()
        self._moved(made.path)
        _LOG.warning("the socket was gone and is bound again", socket=made.path)

    def _ensure(self, folder: str) -> None:
        """Make a private folder again. Raises E_FORBIDDEN, also where the usual one leads somewhere else now."""
        paths.ensure_private_dir(folder)
        if folder == self._folder and os.path.realpath(folder) != self._real:
            where = os.path.realpath(folder)
            raise AgtmuxError(
                "E_FORBIDDEN", f"{folder} leads to {where} since this daemon started: run agtmux daemon restart"
            )

    def _say(self, wrong: str | None) -> None:
        if wrong != self._told:
            self._told = wrong
            self._tell(wrong)
            if wrong is not None:
                _LOG.error("clients may not find this daemon", why=wrong, socket=self._at.path)
