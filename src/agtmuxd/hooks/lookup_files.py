"""Write the two files in the state folder that hooks of this machine read, and keep them up to date.

Owns the file with the socket's path, for hooks of a tmux server without XDG_RUNTIME_DIR. Owns the file with the
configured redaction patterns, for hooks that write events into the spool. Retries a failed write every 2 s.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from agtmux.protocol import paths
from agtmux.protocol.regular import open_regular
from agtmuxd.ingest.redactor import Redactor

_LOG = structlog.get_logger("agtmuxd")
EVERY: Final = 2.0
"""Seconds until a failed write is tried again."""


class LookupFiles:
    """Write one file each by ``write_socket_path`` and ``write_patterns``. ``run`` retries failed ones."""

    def __init__(self, redact: Redactor, report: Callable[[str, str | None], None]) -> None:
        """``report`` is called with a topic and its current error (None: no error), for the daemon's health."""
        self._redact = redact
        self._report_problem = report
        self._socket = ""
        self._wrong: dict[str, str] = {}

    def write_socket_path(self, socket: str) -> None:
        """Write the path of the socket at which the daemon listens. Reports an OSError through ``report``."""
        self._socket = socket
        pointer = Path(paths.pointer_path())
        fresh = pointer.with_name(pointer.name + ".new")
        try:
            fresh.unlink(missing_ok=True)
            with open(open_regular(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8") as file:
                file.write(socket + "\n")
            fresh.replace(pointer)
        except OSError as error:  # most hooks find the socket without it
            if self._failed("pointer", f"{pointer} could not be written: {error.strerror}"):
                _LOG.error("the socket's path could not be written for hooks", path=str(pointer), error=error.strerror)
        else:
            self._cleared("pointer")

    def write_patterns(self) -> None:
        """Write the redaction patterns. Reports an OSError through ``report``."""
        path = paths.patterns_path()
        try:
            self._redact.write_patterns(path)
        except OSError as error:
            if self._failed(
                "patterns", f"{path} could not be written: {error.strerror}: hooks cannot use redaction.patterns"
            ):
                _LOG.warning("redaction.patterns could not be written for hooks", error=str(error))
        else:
            self._cleared("patterns")

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            if "pointer" in self._wrong:
                self.write_socket_path(self._socket)
            if "patterns" in self._wrong:
                self.write_patterns()

    def _failed(self, topic: str, wrong: str) -> bool:
        """Report an error. Return whether it is new."""
        new = self._wrong.get(topic) != wrong
        self._wrong[topic] = wrong
        self._report_problem(topic, wrong)
        return new

    def _cleared(self, topic: str) -> None:
        self._wrong.pop(topic, None)
        self._report_problem(topic, None)
