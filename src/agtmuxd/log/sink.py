"""Where log lines go: a file that is turned over at its bound, or standard error. Never raises and never waits.

Owns the queue between who logs and what is written, the file's bound, and the count of what was lost. Knows lines only.
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
"""Lines that may wait to be written; more are lost."""
AGAIN: Final = 1.0
"""Seconds between tries while nothing can be written."""
STOP_WITHIN: Final = 1.0
"""Seconds for the last lines when the daemon ends."""


class LogCounts:
    """What became of the lines. ``trouble``: why the last one was not written; None once one was."""

    def __init__(self) -> None:
        self.lost = 0
        self.left_out = 0
        """Lines of a flood: the same event more often than ``log.flood`` lets through."""
        self.trouble: str | None = None
        self._untold = 0

    def failed(self, why: object) -> None:
        self.lost += 1
        self._untold += 1
        self.trouble = str(why)

    def to_tell(self) -> tuple[int, bytes]:
        """How many lines were lost that the log does not tell of yet, and the line that does."""
        untold = self._untold
        return untold, b"%d log lines were lost here\n" % untold if untold else b""

    def written(self, told: int) -> None:
        """One write went well, which told of so many lost lines."""
        self.trouble = None
        self._untold -= told


class _NoLock:
    """One thread writes. A lock would keep the interpreter from ending while a write to a full pipe waits."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return None

    def __enter__(self) -> _NoLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        return None


class _Lines:
    """Whole lines to a file descriptor, unbuffered; one that a full disk cut off is ended before the next."""

    def __init__(self, losses: LogCounts) -> None:
        self._losses = losses
        self._torn = False

    def put(self, fd: int, record: logging.LogRecord) -> None:
        """Write a record, or an empty one to tell what was lost. Raises OSError."""
        line = record.getMessage().encode("utf-8", "backslashreplace")
        untold, told = self._losses.to_tell()
        data = (b"\n" if self._torn else b"") + told + (line + b"\n" if line else b"")
        whole = len(data)
        try:
            while data:
                data = data[os.write(fd, data) :]
        except OSError:
            self._torn = self._torn or len(data) < whole
            raise
        self._torn = False
        self._losses.written(untold)


class _Stream(logging.Handler):
    """Lines to a file descriptor, unbuffered."""

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
    """Lines to a file of its own, which is set aside as ``PATH.1`` at half the bound: both together keep it.

    Its descriptor stands for standard output and error too, so that what the interpreter says is found there.
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
        """Of the file as it is now; opened where it is not."""
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
        """Whether the open file still has its name: somebody may have removed it."""
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
    """Writes what waits; while nothing can be written, asks now and then, for else nobody would know that it can."""

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
    """Takes lines at once and writes them on a thread of its own. ``path`` None: to standard error."""

    def __init__(self, path: str | None = None, most: int = 0) -> None:
        """``most``: bytes that the file and the one set aside before it may have together."""
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
        """Lines that wait to be written."""
        return self._waiting.qsize()

    def bound(self, most: int) -> None:
        """Take another bound over."""
        self.most = most
        if self._file is not None:
            self._file.bound(most)

    def write(self, line: str) -> None:
        self._queue.handle(_record(line))

    def close(self) -> None:
        """Write what waits, for ``STOP_WITHIN`` at most. Idempotent."""
        thread = self._listener._thread
        if thread is None:
            return
        with suppress(queue.Full):
            self._listener.enqueue_sentinel()
        thread.join(STOP_WITHIN)
        self._listener._thread = None
        if self._file is not None and not thread.is_alive():
            self._file.close()
