"""Run a ProxyCommand by the user's shell, as ssh does, with a socket as its input and output.

Owns the process, and a thread that reads its standard error and reaps it. Knows nothing about the data on the socket.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

_ERRORS_MOST: Final = 2048
_PATIENCE: Final = 2.0
"""Seconds between SIGHUP and SIGKILL."""


class Proxy:
    """The ProxyCommand process of one connection."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._errors = b""
        self._thread = threading.Thread(target=self._read_errors, name="proxy command", daemon=True)
        self._thread.start()

    @classmethod
    def start(cls, command: str, environ: Mapping[str, str]) -> tuple[Proxy, socket.socket]:
        """Run a command. Return it and the other end of its standard input and output. Raises OSError, ValueError."""
        ours, theirs = socket.socketpair()
        try:
            process = subprocess.Popen(
                (environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"),
                stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.PIPE,
                start_new_session=True, env=environ,
            )  # fmt: skip
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        return cls(process), ours

    def _read_errors(self) -> None:
        """Keep the last bytes of its standard error until that is closed, then reap the process."""
        if self._process.stderr is not None:
            with self._process.stderr as stderr:
                while data := os.read(stderr.fileno(), 4096):
                    self._errors = (self._errors + data)[-_ERRORS_MOST:]
        self._process.wait()

    async def why(self) -> str:
        """Return the last line of its standard error. Waits up to 0.2 s for it."""
        await asyncio.to_thread(self._thread.join, 0.2)
        lines = [line.strip() for line in self._errors.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""

    def abort(self) -> None:
        """End the process group: SIGHUP first, SIGKILL 2 s later. Idempotent."""
        if self._process.returncode is None:
            self._signal(signal.SIGHUP)
            timer = threading.Timer(_PATIENCE, self._signal, (signal.SIGKILL,))
            timer.daemon = True
            timer.start()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:  # not reaped: the pid is still its own
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
