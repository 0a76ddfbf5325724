"""A machine reached by SSH as a target: programs, processes and files, by the one contract.

Owns the running of one program on one channel. How it is reached is the link's, what is said to its shell is in
``remote``. Imported only when the first ssh target appears: asyncssh is not small.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import asyncssh

from agtmuxd.core.model import NS, Proc
from agtmuxd.targets import remote
from agtmuxd.targets.executor import Completed, ExecutorError, Machine
from agtmuxd.targets.sshlink import SshLink
from agtmuxd.targets.sshroute import Dialling

_NOISE: Final = 256 * 1024
"""What rc files may print before the program's own output begins."""
_AFTER_EXIT: Final = 0.5
"""How long (s) after the exit status its output may be silent: what it left running may hold the channel for ever."""
_TABLE_MOST: Final = 64 * 1024 * 1024
_PATHS_AT_ONCE: Final = 64


class _Session(asyncssh.SSHClientSession[bytes]):
    """One program: its output as it comes, bounded, and ``ended`` when it is over."""

    def __init__(self, most: int) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status: int | None = None
        self.truncated = False
        self._pieces: tuple[list[bytes], list[bytes]] = ([], [])
        self._room = [most + _NOISE, most + _NOISE]
        self._silent: asyncio.TimerHandle | None = None
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        which = 0 if datatype is None else 1
        if len(data) > self._room[which]:
            self.truncated = True
        if self._room[which]:
            self._pieces[which].append(data[: self._room[which]])
            self._room[which] -= len(self._pieces[which][-1])
        if self.status is not None:
            self._wait_for_silence()

    def exit_status_received(self, status: int) -> None:
        self.status = status
        self._wait_for_silence()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        told = self._channel.get_returncode() if self._channel is not None else None
        self.status = -1 if told is None else told
        self._wait_for_silence()

    def connection_lost(self, exc: Exception | None) -> None:
        self.end()

    def _wait_for_silence(self) -> None:
        if self._silent is not None:
            self._silent.cancel()
        self._silent = asyncio.get_running_loop().call_later(_AFTER_EXIT, self.end)

    def end(self) -> None:
        """Take what there is as all there is."""
        if self._silent is not None:
            self._silent.cancel()
        if not self.ended.done():
            self.ended.set_result(None)

    def output(self, which: int) -> bytes:
        return b"".join(self._pieces[which])


class SshExecutor:
    """TargetExecutor for a machine behind ssh."""

    def __init__(
        self,
        alias: str,
        *,
        config_file: str = "~/.ssh/config",
        tmux: str = "tmux",
        connect_timeout: float = 3.0,
        command_timeout: float = 5.0,
    ) -> None:
        """``alias``: a host of the ssh config. ``tmux``: that program missing is ``no_tmux``, any other ``refused``."""
        self.link = SshLink(alias, config_file, connect_timeout=connect_timeout)
        self.alias = alias
        self._tmux = tmux
        self._timeout = command_timeout
        self._home: str | None = None
        self._booted_at: int | None = None
        self._procs: dict[int, Proc] = {}

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,  # noqa: ASYNC109 - the contract kills the program, which asyncio.timeout cannot
        max_output: int = 16 * 1024 * 1024,
    ) -> Completed:
        """Run one program by argv. Raises ExecutorError on timeout (the program is killed) or when it cannot start."""
        marker = _marker()
        try:
            command = remote.exec_string(argv, marker)
        except ValueError as error:
            raise ExecutorError("refused", f"{argv[0]} cannot be started: {error}") from error
        session = _Session(max_output)
        try:
            async with asyncio.timeout(timeout), self.link.channel(command, session) as channel:
                await _converse(channel, session, stdin)
        except TimeoutError as error:
            raise ExecutorError("timeout", f"{argv[0]} on {self.alias} did not end within {timeout:g} s") from error
        return self._completed(session, argv[0], marker.encode(), max_output)

    def _completed(self, session: _Session, program: str, marker: bytes, most: int) -> Completed:
        if session.status is None:
            raise ExecutorError("lost", f"the connection to {self.alias} was lost while {program} ran")
        stdout = remote.after_marker(session.output(0), marker)
        stderr = remote.after_marker(session.output(1), marker)
        if stdout is None:
            said = Completed(session.status, session.output(0), session.output(1))
            raise ExecutorError(
                "refused", f"the login shell of {self.alias} does not run commands: {remote.first_line(said)}"
            )
        if stderr is None:
            if stdout == remote.NOT_FOUND.encode() and session.status == 127:
                where = f"no {program} on {self.alias}: not on PATH, not in the usual places; set tmux_path"
                raise ExecutorError("no_tmux" if program == self._tmux else "refused", where)
            stderr = session.output(1)
        truncated = session.truncated or len(stdout) > most or len(stderr) > most
        return Completed(session.status, stdout[:most], stderr[:most], truncated)

    async def which(self, program: str) -> str:
        """Where a program is there. Raises ExecutorError."""
        done = await self.run(["sh", "-c", 'command -v "$0"', program], timeout=self._timeout)
        found = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode != 0 or not found:
            where = f"no {program} on {self.alias}: not on PATH, not in the usual places; set tmux_path"
            raise ExecutorError("no_tmux" if program == self._tmux else "refused", where)
        return found

    async def dial(self, dialling: Dialling) -> None:
        """Connect once more from the beginning, beside the connection in use, and hang up. Raises LinkError."""
        conn, jumps = await self.link.dial(dialling)
        for one in (conn, *jumps):
            one.abort()

    # ---------------------------------------------------------------- processes and files

    async def process_table(self) -> Sequence[Proc]:
        """All processes of that machine with their command lines, in one go. Raises ExecutorError."""
        marker = _marker()
        done = await self._script(remote.TABLE, marker, max_output=_TABLE_MOST)
        table = remote.parse_table(done, marker)
        self._home = table.home or self._home
        self._booted_at = None if table.uptime is None else time.time_ns() - int(table.uptime * NS)
        self._procs = {proc.pid: proc for proc in table.procs}
        return table.procs

    async def machine(self) -> Machine:
        """The home folder there, and when it was started by our own clock. Raises ExecutorError."""
        if self._home is None:
            await self.process_table()
        return Machine(self._home or "/", self._booted_at)

    async def argv(self, pid: int, start: str) -> tuple[str, ...] | None:
        """Command line of one process, as the last process table brought it: no round trip per process."""
        found = self._procs.get(pid)
        return found.argv if found is not None and found.start == start else None

    async def peek(self, processes: Sequence[tuple[int, str]]) -> dict[int, str]:
        """Nothing: it would be a round trip of its own."""
        return {}

    async def environs(self, processes: Sequence[tuple[int, str]], names: Sequence[str]) -> dict[int, dict[str, str]]:
        """Those of the named variables that each process has, by pid; nothing of the others leaves that machine."""
        if not processes:
            return {}
        marker = _marker()
        done = await self._script(remote.ENVIRON, marker, "|".join(names), *[str(pid) for pid, _ in processes])
        return remote.parse_environ(done, marker, processes)

    async def read_file(self, path: str, *, max_bytes: int = 65536) -> bytes | None:
        """A small regular file's content, its first ``max_bytes``; None if there is none. Raises ExecutorError."""
        found = await self.read_files([path], max_bytes=max_bytes)
        if path not in found:
            raise ExecutorError("refused", f"{path} on {self.alias} cannot be read or is not a regular file")
        return found[path]

    async def read_files(self, paths: Sequence[str], *, max_bytes: int = 65536) -> dict[str, bytes | None]:
        """Small files in one go, by path: None where there is none, left out where it may not be read."""
        out: dict[str, bytes | None] = {}
        for first in range(0, len(paths), _PATHS_AT_ONCE):
            some = paths[first : first + _PATHS_AT_ONCE]
            marker = _marker()
            most = len(some) * (max_bytes + 8192) + 65536
            done = await self._script(remote.FILES, marker, str(max_bytes), *some, max_output=most)
            out |= remote.parse_files(done, marker, some)
        return out

    async def mark(self, path: str) -> object | None:
        """Nothing: to ask costs as much as to read."""
        return None

    async def _script(self, script: str, *arguments: str, max_output: int = 1024 * 1024) -> Completed:
        return await self.run(["sh", "-c", script, "sh", *arguments], timeout=self._timeout, max_output=max_output)

    async def close(self) -> None:
        """Hang up. Idempotent."""
        await self.link.close()


async def _converse(channel: asyncssh.SSHClientChannel[bytes], session: _Session, stdin: bytes) -> None:
    """Feed a program and wait for its end; one that is not waited for any longer is killed."""
    try:
        with suppress(OSError):  # it has ended already and does not want to know
            channel.write(stdin)
            channel.write_eof()
        await session.ended
    finally:
        if session.status is None and not channel.is_closing():
            channel.send_signal("KILL")  # the whole process group; sshd made one for it


def _marker() -> str:
    return f"agt{secrets.token_hex(8)}"
