"""What hooks wrote down while no daemon answered, taken in once and in order.

Owns the taking over by rename and the place reached in it. Knows the lines only as JSON objects.
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
"""Lines that are taken in at once, ..."""
SLICE: Final = 128 * 1024
"""... and bytes, but for a line that is longer by itself: others have their turn behind each."""
MAX_LINE: Final = 2 << 20
"""Bytes of a line; hooks write less than half of that. A longer one is passed over."""
LOCK_WAIT: Final = 2.0
"""Seconds for which a hook in the middle of its line is waited for."""
_LOCK_EVERY: Final = 0.02

Take = Callable[[list[dict[str, Any]]], Awaitable[None]]
"""Takes events in, all or none; returns when they are committed."""

_OF_THE_EVENT: Final = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)


@dataclass(slots=True)
class SpoolCounts:
    """Counts since the daemon started."""

    events: int = 0
    broken: int = 0
    refused: int = 0  # events that could not be taken in, each tried alone
    dropped_before: int = 0  # events that hooks had to drop because the spool was full


class SpoolReader:
    """Drains one spool file for one target."""

    def __init__(self, path: str, store: Store, take: Take) -> None:
        self.path = Path(path)
        self.drained = SpoolCounts()
        self.wrong: str | None = None
        """What is in the way of draining, None: nothing."""
        self._store = store
        self._take = take

    def blocked(self) -> str | None:
        """Why hooks could not write to the spool now, and what to do; None where they can."""
        folder = self.path.parent
        try:
            if os.path.lexists(folder):  # hooks make one that is missing
                check_private_dir(str(folder))
        except AgtmuxError as error:
            return f"hooks cannot write to the spool: {error.message}"
        return None

    @property
    def waiting(self) -> int:
        """Bytes that wait, taken over or not."""
        total = 0
        for path in (self.path, *self._taken_over()):
            try:
                total += path.stat().st_size
            except OSError:
                continue
        return total

    def _taken_over(self) -> list[Path]:
        """Spools that were renamed and not finished, oldest first."""
        return sorted(self.path.parent.glob(self.path.name + ".drain-*"))

    async def drain(self) -> None:
        """Take everything in. A crash in between costs nothing: ids dedupe, and the place reached is kept."""
        wrong: list[str] = []
        try:
            await self._all(wrong)
        except OSError as error:
            where = error.filename or self.path
            wrong.append(f"cannot read {where}: {error.strerror}: make it readable, and its folder writable")
            raise
        finally:
            self._tell(wrong)

    async def _all(self, wrong: list[str]) -> None:
        if not _is_absent(self.path, wrong):
            aside = self.path.with_name(f"{self.path.name}.drain-{time.time_ns():020d}")
            os.replace(self.path, aside)
        for path in self._taken_over():
            if not _is_absent(path, wrong):
                await self._one(path)

    def _tell(self, wrong: list[str]) -> None:
        said = "; ".join(wrong) or None
        if said != self.wrong:
            self.wrong = said
            if said is not None:
                _LOG.error("spool not read", why=said)

    async def _one(self, path: Path) -> None:
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
        """Wait for a hook in the middle of its line, but not for ever: one that was stopped may hold the lock for days.

        Without the lock nothing is lost: a hook that finds its file taken away writes its line again, elsewhere.
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
        """The events of the next lines, and whether there was a line at all. For a thread: the disk may be slow."""
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
    """Whether no spool lies there; what is no regular file is left where it is, and told in ``wrong``."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISREG(mode):
        return False
    wrong.append(f"{path} is not a regular file: move it away")
    return True


async def ingest_events(events: list[dict[str, Any]], take: Take, drained: SpoolCounts) -> None:
    """Take events in, in one go; where that fails, one by one, so that a bad one is left out and holds up no other.

    Raises what took none of them for a reason that passes: the store, the disk. Then all are to be tried again.
    """
    if not events:
        return
    try:
        await take(events)
    except Exception as error:  # what lies in a file is not to stand in the way of what lies behind it
        if _passes(error):
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


def _passes(error: Exception) -> bool:
    """Whether it is no fault of an event, so that the same events may be taken in later."""
    if isinstance(error, AgtmuxError):
        return error.code == "E_STORE_UNAVAILABLE"
    if isinstance(error, sqlite3.DatabaseError):
        return not isinstance(error, _OF_THE_EVENT)
    return isinstance(error, OSError | MemoryError)


def parse_line(line: bytes, drained: SpoolCounts) -> dict[str, Any] | None:
    """The event of one line, None for a gap or what is no event; both are counted."""
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
    """The byte up to which a spool was taken in."""
    row = connection.execute(
        "SELECT offset FROM spool_offsets WHERE target_id = ? AND spool_file = ?", (target_id, name)
    ).fetchone()
    return int(row[0]) if row else 0


def save_offset(connection: sqlite3.Connection, target_id: str, name: str, offset: int) -> None:
    """Note the byte reached."""
    connection.execute(
        "INSERT INTO spool_offsets VALUES (?, ?, ?, ?) ON CONFLICT (target_id, spool_file)"
        " DO UPDATE SET offset = excluded.offset, updated_at = excluded.updated_at",
        (target_id, name, offset, time.time_ns()),
    )


def forget(connection: sqlite3.Connection, target_id: str, name: str) -> None:
    """The spool is no more."""
    connection.execute("DELETE FROM spool_offsets WHERE target_id = ? AND spool_file = ?", (target_id, name))
