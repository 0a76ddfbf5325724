"""Run programs and read processes and files on a machine behind ssh, by the executor contract.

Owns the few shells that run the programs. ``connection`` owns the SSH connection. ``commands`` builds the commands.
Imported only with the first ssh target: asyncssh takes long to load.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from agtmuxd.core.model import NS, Proc
from agtmuxd.targets.executor import ExecutorError, Machine, ProgramResult
from agtmuxd.targets.limits import ABANDONED_MOST, MIB, OFF_LOOP, Bounds, too_large
from agtmuxd.targets.ssh import commands
from agtmuxd.targets.ssh.connection import CHANNELS, SshLink
from agtmuxd.targets.ssh.shell import Shell
from agtmuxd.targets.ssh.ssh_config import ConnectProgress, LinkError

T = TypeVar("T")

_SMALL: Final = 32 * 1024
"""Bytes. Input up to this size goes to a shell that stays; for more a new channel is opened."""
_BOUNDS: Final = Bounds()
_PATHS_AT_ONCE: Final = 64
_WHOLE: Final = 4096
"""Bytes. If fewer are wanted of several files, the beginning of each is read, not the whole files."""


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
        bounds: Bounds = _BOUNDS,
    ) -> None:
        """``alias``: a host of the ssh config. ``tmux``: if this program is missing, the error is ``no_tmux``."""
        self.link = SshLink(alias, config_file, connect_timeout=connect_timeout)
        self.alias = alias
        self._tmux = tmux
        self._bounds = bounds
        self._timeout = command_timeout
        self._home: str | None = None
        self._booted_at: int | None = None
        self._identity: str | None = None
        self._procs: dict[int, Proc] = {}
        self._slots = asyncio.Semaphore(CHANNELS)
        self._idle: list[Shell] = []
        self._abandoned: list[Shell] = []

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,  # noqa: ASYNC109 - the contract kills the program, which asyncio.timeout cannot
        max_output: int = 16 * 1024 * 1024,
    ) -> ProgramResult:
        """Run one program by argv. Raises ExecutorError on timeout (the program is killed) or when it cannot start."""
        try:
            async with asyncio.timeout(timeout), self._slots:
                if len(stdin) > _SMALL:
                    return await self._run_alone(argv, stdin, max_output, timeout)
                return await self._on_shell(argv, stdin, max_output, timeout)
        except TimeoutError as error:
            raise ExecutorError("timeout", f"{argv[0]} on {self.alias} did not end within {timeout:g} s") from error
        except ValueError as error:
            raise ExecutorError("refused", f"{argv[0]} cannot be started: {error}") from error
        except FileNotFoundError as error:
            raise self._missing(argv[0]) from error

    def _missing(self, program: str) -> ExecutorError:
        where = f"no {program} on {self.alias}, on PATH or in the usual places: install it, or set tmux_path"
        return ExecutorError("no_tmux" if program == self._tmux else "refused", where)

    async def _on_shell(self, argv: Sequence[str], stdin: bytes, most: int, seconds: float) -> ProgramResult:
        shell = await self._shell()
        try:
            return await shell.call(argv, _marker(), stdin, most, seconds)
        finally:
            if shell.usable:
                self._idle.append(shell)
            else:
                self._abandon(shell)

    async def _shell(self) -> Shell:
        while self._idle:
            shell = self._idle.pop()
            if shell.usable:
                return shell
        shell = Shell(self.alias)
        await self.link.open(commands.loop(), shell)
        return shell

    async def _run_alone(self, argv: Sequence[str], stdin: bytes, most: int, seconds: float) -> ProgramResult:
        if self._idle:
            self._abandon(self._idle.pop())  # never more than four channels
        nonce = _marker()
        shell = Shell(self.alias)
        shell.expect(nonce, most)
        await self.link.open(commands.once(argv, nonce, seconds), shell)
        try:
            return await shell.feed(argv[0], stdin)
        finally:
            self._abandon(shell)

    def _abandon(self, shell: Shell) -> None:
        """Give up a channel. If the other side leaves more than 8 of them open, drop the connection."""
        shell.give_up()
        self._abandoned = [*(one for one in self._abandoned if not one.closed), shell]
        if len(self._abandoned) > ABANDONED_MOST:
            self._abandoned.clear()
            self.link.drop()

    async def which(self, program: str) -> str:
        """Return the path of a program there. Raises ExecutorError."""
        done = await self.run(["sh", "-c", 'command -v "$0"', program], timeout=self._timeout)
        found = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode != 0 or not found:
            raise self._missing(program)
        return found

    async def dial_steps(self) -> list[dict[str, Any]]:
        """Make a second connection from the beginning, close it, and return its steps."""
        progress, failure = ConnectProgress(), []
        try:
            path = await self.link.dial(progress)
        except LinkError as error:
            failure = [{"step": error.step, "ok": False, "message": str(error)}]
        else:
            path.abort()
        return [*({"step": name, "ok": True, "message": showed} for name, showed in progress.passed), *failure]

    # ---------------------------------------------------------------- processes and files

    async def process_table(self) -> Sequence[Proc]:
        """Return all processes of the machine with their command lines, at once. Raises ExecutorError."""
        marker = _marker()
        done = await self._script(commands.TABLE, marker, max_output=self._bounds.answer)
        if done.truncated:
            raise too_large("the process table is longer", "max_answer", self._bounds.answer // MIB, " MiB")
        if done.stdout.count(b"\n") > self._bounds.processes + 16:
            raise too_large("there are more processes", "max_processes", self._bounds.processes)
        table = await self._read_out(done, lambda: commands.parse_table(done, marker))
        self._home = table.home or self._home
        self._identity = table.identity
        self._booted_at = None if table.uptime is None else time.time_ns() - int(table.uptime * NS)
        self._procs = {proc.pid: proc for proc in table.procs}
        return table.procs

    async def machine(self) -> Machine:
        """Return the home folder there, the boot time by our clock, and the identity. Raises ExecutorError."""
        if self._home is None:
            await self.process_table()
        return Machine(self._home or "/", self._booted_at, self._identity)

    async def argv(self, pid: int, start: str) -> tuple[str, ...] | None:
        """Return the command line of a process from the last process table, without a round trip."""
        found = self._procs.get(pid)
        return found.argv if found is not None and found.start == start else None

    async def process_states(self, processes: Sequence[tuple[int, str]]) -> dict[int, str]:
        """Return nothing: it would need a round trip."""
        return {}

    async def environs(self, processes: Sequence[tuple[int, str]], names: Sequence[str]) -> dict[int, dict[str, str]]:
        """Return the named environment variables by pid. No other variables leave the machine."""
        if not processes:
            return {}
        marker = _marker()
        done = await self._script(commands.ENVIRON, marker, "|".join(names), *[str(pid) for pid, _ in processes])
        return await self._read_out(done, lambda: commands.parse_environ(done, marker, processes))

    async def read_file(self, path: str, *, max_bytes: int = 65536) -> bytes | None:
        """Return the first ``max_bytes`` of a regular file, None if there is no file. Raises ExecutorError."""
        found = await self.read_files([path], max_bytes=max_bytes)
        if path not in found:
            raise ExecutorError("refused", f"{path} on {self.alias} cannot be read or is not a regular file")
        return found[path]

    async def read_files(self, paths: Sequence[str], *, max_bytes: int = 65536) -> dict[str, bytes | None]:
        """Return small text files by path, at once: None for a missing file, left out if it may not be read."""
        out: dict[str, bytes | None] = {}
        for first in range(0, len(paths), _PATHS_AT_ONCE):
            batch = list(dict.fromkeys(paths[first : first + _PATHS_AT_ONCE]))
            if len(batch) > 1 and max_bytes >= _WHOLE:
                try:
                    out |= await self._read(batch, "all", max_bytes)
                    continue
                except ExecutorError as error:
                    if error.reason != "lost" or not self.link.connected:
                        raise  # otherwise one of them is too large: read the first bytes of each
            out |= await self._read(batch, str(max_bytes), max_bytes)
        return {path: None if data is None else data[:max_bytes] for path, data in out.items()}

    async def _read(self, paths: Sequence[str], how: str, max_bytes: int) -> dict[str, bytes | None]:
        marker = _marker()
        most = len(paths) * (max_bytes + 8192) + 65536
        done = await self._script(commands.FILES, marker, how, *paths, max_output=most)
        return await self._read_out(done, lambda: commands.parse_files(done, marker, paths))

    async def mark(self, path: str) -> object | None:
        """Return None: asking costs as much as reading the file."""
        return None

    async def _read_out(self, done: ProgramResult, parse: Callable[[], T]) -> T:
        """Parse an answer, a long one in a thread. Raises ExecutorError if it cannot be parsed."""
        try:
            return await asyncio.to_thread(parse) if len(done.stdout) > OFF_LOOP else parse()
        except (ValueError, IndexError, OverflowError) as error:
            raise ExecutorError("lost", f"{self.alias} gave an unexpected answer: {error}") from error

    async def _script(self, script: str, marker: str, *arguments: str, max_output: int = 1024 * 1024) -> ProgramResult:
        return await self.run(
            ["sh", "-c", script, "sh", *arguments],
            stdin=f"{marker}\n".encode(),
            timeout=self._timeout,
            max_output=max_output,
        )

    def terminal(self) -> tuple[str, ...]:
        """Return ``ssh`` with the same config, but without its RemoteCommand for the user's own sessions."""
        return ("ssh", *self.link.config_words(), "-t", "-o", "RemoteCommand=none", self.alias)

    async def close(self) -> None:
        """Close the connection. Idempotent."""
        await self.link.close()


def _marker() -> str:
    return f"agt{secrets.token_hex(8)}"
