"""A ProxyCommand that runs: by the user's shell, as ssh does, with a socket to it and the last that it complained of.

Owns the process, and a thread that hears it out and reaps it. Knows nothing of what is said over the socket.
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

_SAID_MOST: Final = 2048
_PATIENCE: Final = 2.0
"""Seconds that it has to end by itself when it is no longer wanted."""


class Proxy:
    """The process behind one connection."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._said = b""
        self._thread = threading.Thread(target=self._hear, name="proxy command", daemon=True)
        self._thread.start()

    @classmethod
    def start(cls, command: str, environ: Mapping[str, str]) -> tuple[Proxy, socket.socket]:
        """Run it, and give the socket that is its standard input and output. Raises OSError, ValueError."""
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

    def _hear(self) -> None:
        """Keep the end of its standard error until that is closed; then wait for its end."""
        if self._process.stderr is not None:
            with self._process.stderr as complaints:
                while data := os.read(complaints.fileno(), 4096):
                    self._said = (self._said + data)[-_SAID_MOST:]
        self._process.wait()

    async def why(self) -> str:
        """The last line that it printed to complain; what it prints within 0.2 s is waited for."""
        await asyncio.to_thread(self._thread.join, 0.2)
        lines = [line.strip() for line in self._said.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""

    def abort(self) -> None:
        """End it and what it started: asked first, then killed. Idempotent."""
        if self._process.returncode is None:
            self._signal(signal.SIGHUP)
            timer = threading.Timer(_PATIENCE, self._signal, (signal.SIGKILL,))
            timer.daemon = True
            timer.start()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:  # not reaped: the number is still its own
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
