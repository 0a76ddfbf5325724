"""Run programs and read processes and files on this machine, by the executor contract.

Owns the environment of the programs and the search for tmux. Knows no tmux command and no agent.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import stat
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from agtmuxd.core.model import NS, Proc
from agtmuxd.targets.executor import ExecutorError, Machine, ProgramResult
from agtmuxd.targets.local import process_table as proctable
from agtmuxd.targets.local.child_process import Child

_KEPT: Final = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TMUX_TMPDIR", "USER", "XDG_RUNTIME_DIR")
_USUAL_PLACES: Final = (
    "/usr/bin",
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "/bin",
    "~/.local/bin",
    "~/bin",
    "~/.nix-profile/bin",
    "/run/current-system/sw/bin",
    "/nix/var/nix/profiles/default/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/opt/local/bin",
    "/snap/bin",
)
_PS_TIMEOUT: Final = 5.0
_COARSE: Final = 1_000_000_000
"""A file written less than this (ns) ago is always read: far more than the clock step of any file system but FAT."""
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


class LocalExecutor:
    """TargetExecutor for this machine."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """``environ``: the daemon's own environment. Programs get only the variables that they need."""
        self._env = child_environment(environ)
        self._children: set[Child] = set()
        self._have_proc = proctable.have_proc()

    def find_tmux(self, override: str | None = None) -> str:
        """Return tmux's path: ``override``, or found on PATH or in a usual place. Raises ExecutorError (no_tmux)."""
        home = self._env.get("HOME", "~")
        wanted = "tmux" if override is None else f"{home}{override[1:]}" if override.startswith("~/") else override
        found = shutil.which(wanted, path=search_path(self._env))
        if found is None:
            where = (
                ("on PATH or in the usual places: install it, or set tmux_path")
                if override is None
                else f"at {override}"
            )
            raise ExecutorError("no_tmux", f"no tmux {where}")
        return found

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,  # noqa: ASYNC109 - the contract kills the program, which asyncio.timeout cannot
        max_output: int = 16 * 1024 * 1024,
    ) -> ProgramResult:
        """Run one program by argv. Raises ExecutorError on timeout (the program is killed) or when it cannot start."""
        program = argv[0] if "/" in argv[0] else shutil.which(argv[0], path=self._env["PATH"])
        if program is None:
            raise ExecutorError("refused", f"{argv[0]}: no such program")
        loop = asyncio.get_running_loop()
        try:
            child = Child(loop, [program, *argv[1:]], self._env, stdin, max_output)
        except (OSError, ValueError) as error:
            raise ExecutorError("refused", f"{program} cannot be started: {error}") from error
        self._children.add(child)
        child.reaped.add_done_callback(lambda _: self._children.discard(child))
        timer = loop.call_later(timeout, child.expire, f"{program} did not end within {timeout:g} s")
        try:
            return await child.done
        finally:
            timer.cancel()
            child.kill()  # it still runs only if this wait was cancelled

    async def process_table(self) -> Sequence[Proc]:
        """Return all processes of this machine, with argv only if they come from ps. Raises ExecutorError."""
        if self._have_proc:
            return await asyncio.to_thread(proctable.read_table)
        done = await self.run(proctable.PS_ARGV, timeout=_PS_TIMEOUT)
        table = proctable.parse_ps(os.fsdecode(done.stdout))
        if not table:
            raise ExecutorError("lost", f"ps listed no process (exit status {done.returncode})")
        return table

    async def argv(self, pid: int, start: str) -> tuple[str, ...] | None:
        """Return the command line of a process, None if it ended."""
        if self._have_proc:
            return proctable.read_argv(pid, start)
        found = next((proc for proc in await self.process_table() if proc.pid == pid and proc.start == start), None)
        return found.argv if found else None

    async def process_states(self, processes: Sequence[tuple[int, str]]) -> dict[int, str]:
        """Return the state letters of processes ``(pid, start)`` by pid, ``X`` if ended; empty without ``/proc``."""
        if not self._have_proc:
            return {}
        read = [(pid, start, proctable.read_one(pid)) for pid, start in processes]
        return {pid: "X" if proc is None or proc.start != start else proc.state for pid, start, proc in read}

    async def machine(self) -> Machine:
        """Return the daemon's own home folder, and on Linux the boot time and identity."""
        stat_file = await self.read_file("/proc/stat", max_bytes=1024 * 1024) if self._have_proc else None
        found = [line for line in (stat_file or b"").split(b"\n") if line.startswith(b"btime ")]
        home = self._env.get("HOME") or str(Path.home())
        return Machine(home, int(found[0][6:]) * NS if found else None, proctable.read_identity())

    async def environs(self, processes: Sequence[tuple[int, str]], names: Sequence[str]) -> dict[int, dict[str, str]]:
        """Return the named environment variables by pid; processes that may not be read are left out."""
        if not self._have_proc:
            return {}
        read = {pid: proctable.read_environ(pid, start, names) for pid, start in processes}
        return {pid: found for pid, found in read.items() if found}

    async def read_file(self, path: str, *, max_bytes: int = 65536) -> bytes | None:
        """Return the first ``max_bytes`` of a regular file, None if there is no file. Raises ExecutorError."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # do not block on a FIFO
            try:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise ExecutorError("refused", f"{path} is not a regular file")
                return proctable.read_up_to(fd, max_bytes)
            finally:
                os.close(fd)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in _GONE:
                return None
            raise ExecutorError("refused", f"{path} cannot be read: {error}") from error

    async def read_files(self, paths: Sequence[str], *, max_bytes: int = 65536) -> dict[str, bytes | None]:
        """Return small regular files by path: None for a missing file, left out if it may not be read."""
        out: dict[str, bytes | None] = {}
        for path in paths:
            with suppress(ExecutorError):
                out[path] = await self.read_file(path, max_bytes=max_bytes)
        return out

    async def mark(self, path: str) -> object | None:
        """Return inode, size and times of a file; None if it is missing or was written less than 1 s ago.

        File times have coarse steps, so another write within one step would not show.
        """
        try:
            found = os.stat(path)  # noqa: PTH116 four times a second per agent
        except (OSError, ValueError):
            return None
        if abs(time.time_ns() - found.st_mtime_ns) < _COARSE:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    async def which(self, program: str) -> str:
        """Return the path of a program. Raises ExecutorError."""
        found = shutil.which(program, path=search_path(self._env))
        if found is None:
            raise ExecutorError("refused", f"{program}: no such program")
        return found

    async def dial_steps(self) -> list[dict[str, Any]]:
        """Return no steps: this machine needs no connection."""
        return []

    def terminal(self) -> tuple[str, ...]:
        """Return an empty prefix: a command line runs here as it is."""
        return ()

    async def close(self) -> None:
        """Kill all running programs, and wait up to 1 s for them. Idempotent."""
        children = tuple(self._children)
        for child in children:
            child.expire("the daemon is stopping")
        if children:
            await asyncio.wait([child.reaped for child in children], timeout=1)


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return a program's environment: no TMUX (so tmux uses its default server), UTF-8, dates and messages in C.

    Keeps few variables: tmux sends each one to its server separately.
    """
    env = {name: environ[name] for name in _KEPT if name in environ}
    env.setdefault("PATH", os.defpath)
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    utf8 = locale.upper().endswith(("UTF-8", "UTF8"))
    return env | {"LC_CTYPE": locale if utf8 else "C.UTF-8", "LC_TIME": "C", "LC_MESSAGES": "C"}


def search_path(env: Mapping[str, str]) -> str:
    """Return PATH followed by the usual places: tmux must be found even with the short PATH of a non-login shell."""
    home = env.get("HOME", "")
    usual = [place.replace("~", home, 1) for place in _USUAL_PLACES if home or "~" not in place]
    return os.pathsep.join([env.get("PATH", os.defpath), *usual])
