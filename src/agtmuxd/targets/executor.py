"""The one contract for reaching a machine: every read and write on a target goes through it.

Owns the protocol and its result types. The same behaviour for ``local`` and ``ssh`` is the promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agtmuxd.core.model import Proc


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ran to its end. ``stdout``/``stderr`` in bytes, cut at ``max_output`` (then ``truncated``)."""

    returncode: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """``home``: the user's folder there. ``booted_at``: ns by the daemon's clock, None where it is not known.

    ``identity``: tells this start of this machine (and, of containers, this space of process numbers) from all others;
    None where the system does not tell. Linux: ``/proc/sys/kernel/random/boot_id`` and ``/proc/self/ns/pid``.
    """

    home: str
    booted_at: int | None
    identity: str | None = None


class ExecutorError(Exception):
    """The program could not be run to its end: it proves nothing about what it would have said.

    ``reason`` is one of timeout, refused, auth, host_key, no_tmux, channel_limit, lost, too_large.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TargetExecutor(Protocol):
    """Runs programs on one machine. Never through a shell locally; never interactive."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,  # noqa: ASYNC109 - the contract kills the program, which asyncio.timeout cannot
        max_output: int = 16 * 1024 * 1024,
    ) -> Completed:
        """Run one program by argv. Raises ExecutorError on timeout (the program is killed) or when it cannot start."""

    async def process_table(self) -> Sequence[Proc]:
        """All processes of that machine, argv only where cheap. Raises ExecutorError."""

    async def machine(self) -> Machine:
        """What is to be known of the machine as a whole; costs nothing after a process table. Raises ExecutorError."""

    async def argv(self, pid: int, start: str) -> tuple[str, ...] | None:
        """Command line of one process, None if that life of it is over; empty in the middle of an exec: ask again."""

    async def peek(self, processes: Sequence[tuple[int, str]]) -> dict[int, str]:
        """State letters of these lives of processes by pid, ``X`` for one that is over; empty where it is not cheap."""

    async def environs(self, processes: Sequence[tuple[int, str]], names: Sequence[str]) -> dict[int, dict[str, str]]:
        """Those of the named variables that each life of a process has, by pid. Raises ExecutorError."""

    async def read_file(self, path: str, *, max_bytes: int = 65536) -> bytes | None:
        """A small file's content, None if there is none. Raises ExecutorError."""

    async def read_files(self, paths: Sequence[str], *, max_bytes: int = 65536) -> dict[str, bytes | None]:
        """Small files in one go, by path: None where there is none, left out where it may not be read.

        Raises ExecutorError where nothing could be asked.
        """

    async def mark(self, path: str) -> object | None:
        """What differs whenever that file was written in between, where this costs less than to read it; else None."""

    async def which(self, program: str) -> str:
        """Where a program is. Raises ExecutorError."""

    async def dial_steps(self) -> list[dict[str, Any]]:
        """The way there, gone once more: ``{"step", "ok", "message"}`` in order. Nothing for this machine."""

    def terminal(self) -> tuple[str, ...]:
        """What a person's terminal runs with a command line as its last word, to have it run there; empty for here."""

    async def close(self) -> None:
        """Release connections. Idempotent."""
