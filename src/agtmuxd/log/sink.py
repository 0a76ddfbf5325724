"""Write log lines to a file that is rotated at its size limit, or to standard error. Never raises and never waits.

Owns the queue between callers and the writing thread, the file's size limit, and the count of lost lines. Knows only
lines.
"""

from __future__ import annotations

import logging
import os
import queue
from contextlib import suppress
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Final

WAITING: Final = 1000
"""The most lines that may wait to be written. Further lines are lost."""
AGAIN: Final = 1.0
"""Seconds between attempts while nothing can be written."""
STOP_WITHIN: Final = 1.0
"""Seconds to write the last lines when the daemon stops."""


class LogCounts:
    """Counts lines that were not written.

    ``trouble``: why the last line was not written; None after a successful write.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.left_out = 0
        """Lines of a flood: the same event came more often than ``log.flood`` allows."""
        self.trouble: str | None = None
        self._unreported = 0

    def failed(self, why: object) -> None:
        """Count one lost line, and remember why."""
        self.lost += 1
        self._unreported += 1
        self.trouble = str(why)

    def unreported(self) -> tuple[int, bytes]:
        """Return how many lost lines the log does not mention yet, and the line that mentions them."""
        lost = self._unreported
        return lost, b"%d log lines were lost here\n" % lost if lost else b""

    def written(self, reported: int) -> None:
        """Note a successful write, which mentioned this many lost lines."""
        self.trouble = None
        self._unreported -= reported


class _NoLock:
    """A lock that does nothing: only one thread writes.

    A real lock would keep the interpreter from exiting while a write to a full pipe waits.
    """

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return None

    def __enter__(self) -> _NoLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        return None


class _Lines:
    """Writes whole lines to a file descriptor, unbuffered.

    A line that a full disk cut off is ended before the next one.
    """

    def __init__(self, losses: LogCounts) -> None:
        self._losses = losses
        self._torn = False

    def put(self, fd: int, record: logging.LogRecord) -> None:
        """Write a record, or an empty one to report lost lines. Raises OSError."""
        line = record.getMessage().encode("utf-8", "backslashreplace")
        lost, notice = self._losses.unreported()
        data = (b"\n" if self._torn else b"") + notice + (line + b"\n" if line else b"")
        whole = len(data)
        try:
            while data:
                data = data[os.write(fd, data) :]
        except OSError:
            self._torn = self._torn or len(data) < whole
            raise
        self._torn = False
        self._losses.written(lost)


class _Stream(logging.Handler):
    """Writes lines to a file descriptor, unbuffered."""

    def __init__(self, fd: int, losses: LogCounts) -> None:
        super().__init__()
        self._fd = fd
        self._losses = losses
        self._lines = _Lines(losses)

    def createLock(self) -> None:  # noqa: N802 logging's name
        self.lock: Any = _NoLock()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put(self._fd, record)
        except OSError as error:
            self._losses.failed(error.strerror)


class _File(RotatingFileHandler):
    """Writes lines to its own file.

    At half the limit the file becomes ``PATH.1``, so that both together stay within the limit.

    Standard output and error use the same descriptor, so that messages of the interpreter are in the file too.
    """

    def __init__(self, path: str, most: int, losses: LogCounts) -> None:
        self._losses = losses
        self._lines = _Lines(losses)
        super().__init__(path, maxBytes=max(1, most // 2), backupCount=1, encoding="utf-8", delay=True)

    def createLock(self) -> None:  # noqa: N802 logging's name
        self.lock: Any = _NoLock()

    def bound(self, most: int) -> None:
        self.maxBytes = max(1, most // 2)

    def _open(self) -> Any:
        fd = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        for standard in (1, 2):
            os.dup2(fd, standard)
        return open(fd, "ab", buffering=0)

    def shouldRollover(self, record: logging.LogRecord) -> int:  # noqa: N802 logging's name
        size = os.fstat(self._descriptor()).st_size
        return int(size > 0 and size + len(record.getMessage()) > self.maxBytes)

    def _descriptor(self) -> int:
        """Return the descriptor of the current file. Open the file if it is not open."""
        if self.stream is None:
            self.stream = self._open()
        return int(self.stream.fileno())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self.stream is not None and not self._is_there():
                self.stream.close()
                self.stream = None
            if self.shouldRollover(record):
                self.doRollover()
            self._lines.put(self._descriptor(), record)
        except OSError as error:
            self._losses.failed(error.strerror)

    def _is_there(self) -> bool:
        """Return whether the open file still has its name: somebody may have removed it."""
        try:
            return os.path.samestat(Path(self.baseFilename).stat(), os.fstat(self._descriptor()))
        except FileNotFoundError:
            return False


class _Queue(QueueHandler):
    def __init__(self, waiting: queue.Queue[Any], losses: LogCounts) -> None:
        super().__init__(waiting)
        self._losses = losses

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 logging's signature
        self._losses.failed("the log's reader is gone")


class _Writer(QueueListener):
    """Writes the waiting lines. While nothing can be written, it tries again every ``AGAIN`` seconds."""

    def __init__(self, waiting: queue.Queue[Any], handler: logging.Handler, losses: LogCounts) -> None:
        super().__init__(waiting, handler)
        self._waiting = waiting
        self._losses = losses

    def dequeue(self, block: bool) -> Any:
        while True:
            try:
                return self._waiting.get(block, AGAIN if self._losses.trouble is not None else None)
            except queue.Empty:
                self.handle(_record(""))


def _record(line: str) -> logging.LogRecord:
    return logging.LogRecord("agtmuxd", logging.INFO, "", 0, line, None, None)


class Sink:
    """Takes lines at once and writes them on its own thread. ``path`` None: to standard error."""

    def __init__(self, path: str | None = None, most: int = 0) -> None:
        """``most``: the most bytes of the file and the one before it together."""
        self.path = path
        self.most = most
        self.losses = LogCounts()
        self._waiting: queue.Queue[Any] = queue.Queue(WAITING)
        self._queue = _Queue(self._waiting, self.losses)
        self._file = None if path is None else _File(path, most, self.losses)
        self._listener = _Writer(self._waiting, self._file or _Stream(2, self.losses), self.losses)
        self._listener.start()

    @property
    def waiting(self) -> int:
        """How many lines wait to be written."""
        return self._waiting.qsize()

    def bound(self, most: int) -> None:
        """Change the size limit."""
        self.most = most
        if self._file is not None:
            self._file.bound(most)

    def write(self, line: str) -> None:
        """Queue a line. Lines that do not fit in the queue are counted as lost."""
        self._queue.handle(_record(line))

    def close(self) -> None:
        """Write what waits, for at most ``STOP_WITHIN`` seconds. Idempotent."""
        thread = self._listener._thread
        if thread is None:
            return
        with suppress(queue.Full):
            self._listener.enqueue_sentinel()
        thread.join(STOP_WITHIN)
        self._listener._thread = None
        if self._file is not None and not thread.is_alive():
            self._file.close()
