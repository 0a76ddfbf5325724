"""Let features reach the tmux servers of connected targets: user options, attached clients, and commands of their own.

Owns when that is refused. It never starts a server, and hands out nothing that a pane shows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from agtmux.protocol import tmux_quote
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.actions.access import TargetAccess
from agtmuxd.core.model import ServerInfo, TmuxClient
from agtmuxd.target_manager.watches import Watches
from agtmuxd.targets.executor import ExecutorError, ProgramResult
from agtmuxd.tmux.batch import build_batch, read_boot_id
from agtmuxd.tmux.clients import list_clients, read_clients
from agtmuxd.tmux.round import RoundFailure

_MOST_BYTES = 64 * 1024
"""Of a reply: clients are few, and what commands print is not read."""


class TmuxServers:
    """Implements ``Tmux`` of ``features.contract``."""

    def __init__(self, watches: Watches) -> None:
        self._watches = watches

    def targets(self) -> tuple[str, ...]:
        return tuple([name for name, observer in self._watches.observers() if observer.server is not None])

    def options(self, target_id: str) -> Mapping[str, str]:
        observer = self._watches.observer(target_id)
        return {} if observer is None or observer.server is None else observer.options

    async def clients(self, target_id: str) -> tuple[TmuxClient, ...]:
        server, access = self._connected(target_id)
        nonce = os.urandom(6).hex()
        done = await _run(access, list_clients(nonce))
        found = read_clients(nonce, server.version, done.stdout, done.stderr, done.returncode)
        if isinstance(found, RoundFailure):
            raise AgtmuxError("E_TARGET_UNREACHABLE", f"{access.name}: {one_line(found.message)[:200]}")
        return found

    async def run(self, target_id: str, commands: Sequence[Sequence[str]]) -> None:
        server, access = self._connected(target_id)
        nonce = os.urandom(6).hex()
        done = await _run(access, ["source-file", "-"], build_batch(nonce, server, commands))
        silent = not done.stdout and not done.stderr and done.returncode == 0  # such a tmux prints no replies
        who = read_boot_id(nonce, done.stdout)
        if who != server.boot_id and not silent:
            why = "its tmux server was restarted" if who else _complaint(done)
            raise AgtmuxError("E_TARGET_UNREACHABLE", f"{access.name}: {why}; nothing was done")
        if done.returncode:
            raise AgtmuxError("E_PRECONDITION_FAILED", f"{access.name}: tmux refused a command: {_complaint(done)}")

    def command_line(self, target_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        access = self._watches.reach(target_id)
        tmux = access.tmux
        target = self._watches.target(target_id)
        if target is not None and target.kind == "local" and not {"-S", "-L"} & set(tmux):
            tmux = (*tmux, "-S", self._watches.socket(target))  # the caller's TMUX_TMPDIR may be another one
        return tuple(access.executor.terminal()), tmux

    def message(self, text: str) -> str:
        return tmux_quote.message(one_line(text))

    def _connected(self, target_id: str) -> tuple[ServerInfo, TargetAccess]:
        access = self._watches.reach(target_id)
        observer = self._watches.observer(target_id)
        if observer is None or observer.server is None:
            raise AgtmuxError("E_TARGET_UNREACHABLE", f"{access.name}: no tmux server runs there, or it cannot be read")
        return observer.server, access


async def _run(access: TargetAccess, arguments: Sequence[str], stdin: bytes = b"") -> ProgramResult:
    try:
        return await access.executor.run(
            [*access.tmux, *arguments], stdin=stdin, timeout=access.timeout, max_output=_MOST_BYTES
        )
    except ExecutorError as error:
        raise AgtmuxError("E_TARGET_UNREACHABLE", f"{access.name}: {error}") from error


def _complaint(done: ProgramResult) -> str:
    line = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
    return one_line(line)[:200] or f"tmux printed nothing (exit status {done.returncode})"
