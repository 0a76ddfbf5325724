"""Run a program once with text on its standard input, within a time limit. Knows no channel.

The program gets a process group of its own. Its standard output is dropped, and the end of its errors is kept.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from agtmux.protocol.text import one_line

MOST_INPUT: Final = 60_000
"""Bytes that a program gets on standard input. They fit into a pipe, so writing them never waits."""
KEPT: Final = 300
"""Characters of the program's errors that are kept."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended. ``status``: its exit status, negative for a signal; None: it was ended for being late."""

    status: int | None
    errors: str
    output: str = ""


async def run_program(
    argv: Sequence[str], environ: Mapping[str, str], given: bytes, seconds: float, *, output: bool = False
) -> Ran:
    """Run ``argv`` and wait for its end, at most ``seconds``. Raises OSError if it cannot be started, and ValueError
    for more than ``MOST_INPUT`` bytes."""
    if len(given) > MOST_INPUT:
        raise ValueError(f"more than {MOST_INPUT} bytes for a program")
    stdin, feed = os.pipe()
    os.write(feed, given)
    os.close(feed)
    errors, out = _Tail(), _Tail() if output else None
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=stdin, stdout=out.write_end if out else asyncio.subprocess.DEVNULL, stderr=errors.write_end,
            env=dict(environ), process_group=0,
        )  # fmt: skip
    except BaseException:
        for tail in filter(None, (errors, out)):
            tail.close()
        raise
    finally:
        os.close(stdin)
    for tail in filter(None, (errors, out)):
        tail.listen()
    try:
        async with asyncio.timeout(seconds):
            status: int | None = await process.wait()
    except TimeoutError:
        status = None
    finally:
        await _end(process)
        for tail in filter(None, (errors, out)):
            tail.close()
    return Ran(status, errors.text, out.text if out else "")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the program and its group if it still runs, and wait for it."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


class _Tail:
    """The end of what a program writes into a pipe."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        self._kept = b""
        self._open = True
        os.set_blocking(self._read_end, False)

    @property
    def text(self) -> str:
        lines = [one_line(line) for line in self._kept.decode("utf-8", "replace").splitlines() if line.strip()]
        return " ".join(lines[-3:])[-KEPT:]

    def listen(self) -> None:
        """Read from now on. The program has its own end of the pipe by now."""
        os.close(self.write_end)
        self.write_end = -1
        asyncio.get_running_loop().add_reader(self._read_end, self._read)

    def _read(self) -> bool:
        try:
            data = os.read(self._read_end, 65_536)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(self._read_end)
        self._kept = (self._kept + data)[-4096:]
        return bool(data)

    def close(self) -> None:
        """Read what is left, and close. What the program's own children write later is dropped."""
        if not self._open:
            return
        self._open = False
        if self.write_end >= 0:
            os.close(self.write_end)
        else:
            for _ in range(16):
                if not self._read():
                    break
            asyncio.get_running_loop().remove_reader(self._read_end)
        os.close(self._read_end)
