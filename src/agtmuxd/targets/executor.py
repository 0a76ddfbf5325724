"""Define the contract for running programs and reading files on a target.

Every read and write on a target goes through it. Owns the protocol and its result types. ``local`` and ``ssh`` behave
the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agtmuxd.core.model import Proc


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """A program that ran to its end. ``stdout``/``stderr`` in bytes, cut at ``max_output`` (then ``truncated``)."""

    returncode: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine. ``home``: the user's home folder. ``booted_at``: ns by the daemon's clock, None if not known.

    ``identity``: unique to this boot of this machine and, for containers, to this pid namespace; None if the system
    does not name it. Linux: ``/proc/sys/kernel/random/boot_id`` and ``/proc/self/ns/pid``.
    """

    home: str
    booted_at: int | None
    identity: str | None = None


class ExecutorError(Exception):
    """The program did not run to its end, so there is no result.

    ``reason`` is one of timeout, refused, auth, host_key, no_tmux, channel_limit, lost, too_large.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TargetExecutor(Protocol):
    """Run programs on one machine. Uses no shell on this machine, and is never interactive."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,  # noqa: ASYNC109 - the contract kills the program, which asyncio.timeout cannot
        max_output: int = 16 * 1024 * 1024,
    ) -> ProgramResult:
        """Run one program by argv. Raises ExecutorError on timeout (the program is killed) or when it cannot start."""

    async def process_table(self) -> Sequence[Proc]:
        """Return all processes of the machine, with argv only if it is cheap. Raises ExecutorError."""

    async def machine(self) -> Machine:
        """Return the facts about the machine. Costs nothing after a process table. Raises ExecutorError."""

    async def argv(self, pid: int, start: str) -> tuple[str, ...] | None:
        """Return the command line of a process, None if it ended, empty during an exec: then ask again."""

    async def process_states(self, processes: Sequence[tuple[int, str]]) -> dict[int, str]:
        """Return the state letters of processes ``(pid, start)`` by pid, ``X`` if ended; empty if it is not cheap."""

    async def environs(self, processes: Sequence[tuple[int, str]], names: Sequence[str]) -> dict[int, dict[str, str]]:
        """Return the named environment variables of processes ``(pid, start)``, by pid. Raises ExecutorError."""

    async def read_file(self, path: str, *, max_bytes: int = 65536) -> bytes | None:
        """Return a small file's content, None if there is no file. Raises ExecutorError."""

    async def read_files(self, paths: Sequence[str], *, max_bytes: int = 65536) -> dict[str, bytes | None]:
        """Return the contents of small files at once, by path: None for a missing file, left out if not readable.

        Raises ExecutorError if the machine could not be asked.
        """

    async def mark(self, path: str) -> object | None:
        """Return a value that changes with each write to the file; None if it costs as much as reading the file."""

    async def which(self, program: str) -> str:
        """Return the path of a program. Raises ExecutorError."""

    async def dial_steps(self) -> list[dict[str, Any]]:
        """Connect once more, and return the steps ``{"step", "ok", "message"}`` in order; none for this machine."""

    def terminal(self) -> tuple[str, ...]:
        """Return the argv prefix that runs a command line (its last word) there in a terminal; empty for local."""

    async def close(self) -> None:
        """Release connections. Idempotent."""
