"""Read the spool: take in the events that hooks wrote while no daemon answered, once each and in order.

Owns the rename of a spool file before it is read, and the offset reached in it. Knows the lines only as JSON objects.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.paths import check_private_dir
from agtmux.protocol.regular import open_regular
from agtmuxd.core.json_codec import decode
from agtmuxd.core.numbers import INT_MOST
from agtmuxd.store.db import Store

_LOG = structlog.get_logger("spool")

BATCH = 200
"""Lines that are taken in at once, at most."""
SLICE: Final = 128 * 1024
"""Bytes that are taken in at once, at most, unless one line is longer. Other work can run between two slices."""
MAX_LINE: Final = 2 << 20
"""Bytes of a line, at most; hooks write less than half of that. A longer line is skipped."""
LOCK_WAIT: Final = 2.0
"""Seconds to wait for a hook that is writing a line."""
_LOCK_EVERY: Final = 0.02

Take = Callable[[list[dict[str, Any]]], Awaitable[None]]
"""Takes in all events or none; returns when they are committed."""

_OF_THE_EVENT: Final = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)


@dataclass(slots=True)
class SpoolCounts:
    """Counts since the daemon started. ``broken``: lines that hold no event."""

    events: int = 0
    broken: int = 0
    refused: int = 0  # events that could not be taken in, each tried alone
    dropped_before: int = 0  # events that hooks had to drop because the spool was full


class SpoolReader:
    """Drain one spool file for one target."""

    def __init__(self, path: str, store: Store, take: Take) -> None:
        self.path = Path(path)
        self.drained = SpoolCounts()
        self.wrong: str | None = None
        """Why the spool cannot be read now; None if it can."""
        self._store = store
        self._take = take

    def why_blocked(self) -> str | None:
        """Say why hooks cannot write to the spool now, and what to do; None if they can."""
        folder = self.path.parent
        try:
            if os.path.lexists(folder):  # hooks create a missing folder
                check_private_dir(str(folder))
        except AgtmuxError as error:
            return f"hooks cannot write to the spool: {error.message}"
        return None

    @property
    def waiting(self) -> int:
        """Bytes that wait, in the spool and in renamed files."""
        total = 0
        for path in (self.path, *self._taken_over()):
            try:
                total += path.stat().st_size
            except OSError:
                continue
        return total

    def _taken_over(self) -> list[Path]:
        """List renamed spool files that were not read to the end, oldest first."""
        return sorted(self.path.parent.glob(self.path.name + ".drain-*"))

    async def drain(self) -> None:
        """Take in everything. Raises OSError, and the errors of ``take`` that are temporary.

        A crash loses and doubles nothing: the offset is stored, and dedupe keys drop duplicates.
        """
        wrong: list[str] = []
        try:
            await self._drain_all(wrong)
        except OSError as error:
            where = error.filename or self.path
            wrong.append(f"cannot read {where}: {error.strerror}: make it readable, and its folder writable")
            raise
        finally:
            self._report(wrong)

    async def _drain_all(self, wrong: list[str]) -> None:
        if not _is_absent(self.path, wrong):
            renamed = self.path.with_name(f"{self.path.name}.drain-{time.time_ns():020d}")
            os.replace(self.path, renamed)
        for path in self._taken_over():
            if not _is_absent(path, wrong):
                await self._drain_one(path)

    def _report(self, wrong: list[str]) -> None:
        text = "; ".join(wrong) or None
        if text != self.wrong:
            self.wrong = text
            if text is not None:
                _LOG.error("spool not read", why=text)

    async def _drain_one(self, path: Path) -> None:
        done = await self._store.run(lambda c: read_offset(c, _HOST, path.name))
        with os.fdopen(open_regular(path), "rb") as file:
            await self._lock(file, path)
            file.seek(done)
            while True:
                events, more = await asyncio.to_thread(self._slice, file)
                if not more:
                    break
                await ingest_events(events, self._take, self.drained)
                at = file.tell()
                await self._store.run(lambda c, at=at: save_offset(c, _HOST, path.name, at))  # type: ignore[misc]
        path.unlink()
        await self._store.run(lambda c: forget(c, _HOST, path.name))

    async def _lock(self, file: BinaryIO, path: Path) -> None:
        """Wait up to ``LOCK_WAIT`` for a hook that is writing a line. A stopped hook may hold the lock for days.

        Reading without the lock loses nothing: a hook that finds its file renamed writes its line to a new file.
        """
        deadline = time.monotonic() + LOCK_WAIT
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    _LOG.warning("another process holds the spool's lock; reading without it", path=str(path))
                    return
                await asyncio.sleep(_LOCK_EVERY)
            else:
                return

    def _slice(self, file: BinaryIO) -> tuple[list[dict[str, Any]], bool]:
        """Read the events of the next lines; also say whether there was a line. Runs in a thread: disks can be slow."""
        events, size, count = [], 0, 0
        while count < BATCH and size < SLICE and (line := file.readline(MAX_LINE)):
            count, size = count + 1, size + len(line)
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    continue
                self.drained.broken += 1
                continue
            event = parse_line(line, self.drained)
            if event is not None:
                events.append(event)
        return events, count > 0


def _is_absent(path: Path, wrong: list[str]) -> bool:
    """Whether there is no spool at ``path``. Anything but a regular file is left alone and reported in ``wrong``."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISREG(mode):
        return False
    wrong.append(f"{path} is not a regular file: move it away")
    return True


async def ingest_events(events: list[dict[str, Any]], take: Take, drained: SpoolCounts) -> None:
    """Take in events together; if that fails, one by one, so that only the bad ones are left out.

    Raises an error that is temporary, of the store or the disk. Then try all events again later.
    """
    if not events:
        return
    try:
        await take(events)
    except Exception as error:  # a bad line must not block the lines after it
        if _is_temporary(error):
            raise
        if len(events) > 1:
            for event in events:
                await ingest_events([event], take, drained)
            return
        drained.refused += 1
        which = {name: str(events[0].get(name))[:200] for name in ("event_id", "agent_type", "event_type")}
        _LOG.error("an event in the spool cannot be read and is left out", error=str(error)[:500], **which)
    else:
        drained.events += len(events)


def _is_temporary(error: Exception) -> bool:
    """Whether the error is not the event's fault, so that the same events may be taken in later."""
    if isinstance(error, AgtmuxError):
        return error.code == "E_STORE_UNAVAILABLE"
    if isinstance(error, sqlite3.DatabaseError):
        return not isinstance(error, _OF_THE_EVENT)
    return isinstance(error, OSError | MemoryError)


def parse_line(line: bytes, drained: SpoolCounts) -> dict[str, Any] | None:
    """Parse one line to an event. None for a gap record or for anything that is no event; both are counted."""
    try:
        value = decode(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        drained.broken += 1
        return None
    gap = value.get("gap")
    if isinstance(gap, dict):
        dropped = gap.get("dropped")
        drained.dropped_before += dropped if type(dropped) is int and 0 < dropped <= INT_MOST else 0
        return None
    return {**value, "spooled": True}


_HOST = "host"


def read_offset(connection: sqlite3.Connection, target_id: str, name: str) -> int:
    """Read the offset in bytes up to which a spool file was taken in."""
    row = connection.execute(
        "SELECT offset FROM spool_offsets WHERE target_id = ? AND spool_file = ?", (target_id, name)
    ).fetchone()
    return int(row[0]) if row else 0


def save_offset(connection: sqlite3.Connection, target_id: str, name: str, offset: int) -> None:
    """Store the offset in bytes up to which a spool file was taken in."""
    connection.execute(
        "INSERT INTO spool_offsets VALUES (?, ?, ?, ?) ON CONFLICT (target_id, spool_file)"
        " DO UPDATE SET offset = excluded.offset, updated_at = excluded.updated_at",
        (target_id, name, offset, time.time_ns()),
    )


def forget(connection: sqlite3.Connection, target_id: str, name: str) -> None:
    """Delete the offset of a spool file that was read to the end."""
    connection.execute("DELETE FROM spool_offsets WHERE target_id = ? AND spool_file = ?", (target_id, name))
