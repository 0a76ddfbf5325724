"""The database: one writer on a thread of its own, one reader on another.

Owns opening (WAL, permissions, corruption set aside), the threads, and what is done about a database that is locked,
full or damaged. Knows no table but ``upkeep``, and the functions it is handed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import open_regular
from agtmuxd.store import housekeeping
from agtmuxd.store.disk import room
from agtmuxd.store.integrity import IntegrityCheck, check_for, note_damage, note_of, read_only
from agtmuxd.store.migrate import Migration, load, migrate, refuse_newer

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_RETRY = ("locked", "busy", "full", "disk i/o")
WAL_PAGES = 4000
"""Pages (of 4 KiB) in the log before they are put into the file: a page written many times is put there once."""
BUSY_WAITS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds between tries at a locked or full database; then E_STORE_UNAVAILABLE."""
PROBE_EVERY: Final = 1.0
"""Seconds between writes that ask whether a database that was locked or full takes writes again."""
ROOM: Final = 1 << 20
"""Bytes that must be free on the disk before a database that was full counts as well again."""
CLOSE_WITHIN: Final = 2.0
"""Seconds for what is queued when the daemon ends."""


def connect(path: str, newest: int | None = None) -> sqlite3.Connection:
    """Open with the pragmas the contract names. The file is 0600 before anything is in it.

    Raises E_STORE_UNAVAILABLE for a schema above ``newest``, before a pragma touches the file.
    """
    for name in (path, f"{path}-wal", f"{path}-shm"):  # SQLite would wait for a pipe
        with contextlib.suppress(FileNotFoundError):
            os.close(open_regular(name, os.O_RDWR | (os.O_CREAT if name == path else 0)))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.25)
    try:
        if newest is not None:
            refuse_newer(connection, newest)
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:  # others stay as they are; it would write
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit={WAL_PAGES * 4096}")
    except BaseException:
        connection.close()
        raise
    return connection


def _set_aside(path: str) -> str:
    kept = f"{path}.corrupt-{int(time.time())}"
    for suffix in ("", "-wal", "-shm"):
        if Path(path + suffix).exists():
            Path(path + suffix).replace(kept + suffix)
    note_of(path).unlink(missing_ok=True)
    return kept


def _refuse_damaged(path: str, connection: sqlite3.Connection) -> None:
    """After an end out of order the file is checked, as far as that goes in a moment; the rest is left for later.

    Raises sqlite3.DatabaseError for a damaged one.
    """
    was = housekeeping.left(connection)
    checked, wrong = (True, None) if was.whole else check_for(path)
    if wrong is not None:
        raise sqlite3.DatabaseError(wrong)
    started = housekeeping.machine_start()
    if not was.closed and was.machine_start not in (None, started):
        housekeeping.begin_new_stream(connection, time.time_ns())
    try:
        housekeeping.opened(connection, started, checked=checked)
    except sqlite3.OperationalError as error:
        if not checked or "full" not in str(error):
            raise  # else the disk is full, and ``Store`` makes up for it with its first write


def open_database(path: str, migrations: list[Migration] | None = None) -> tuple[sqlite3.Connection, str | None]:
    """``(connection, set_aside)``: the migrated database, and where a corrupt predecessor was moved, if one was.

    Takes a moment whatever its size, and opens on a full disk too, where SQLite can. Raises E_STORE_UNAVAILABLE for a
    newer schema or an unusable file.
    """
    steps = migrations if migrations is not None else load()
    set_aside = _set_aside(path) if note_of(path).exists() else None
    for attempt in (1, 2):
        connection: sqlite3.Connection | None = None
        try:
            connection = connect(path, steps[-1].number)
            migrate(connection, steps)
            if migrations is None:
                _refuse_damaged(path, connection)
        except (sqlite3.OperationalError, OSError) as error:
            if connection is not None:
                connection.close()
            raise AgtmuxError("E_STORE_UNAVAILABLE", f"cannot open {path}: {error}") from error
        except sqlite3.DatabaseError as error:
            if connection is not None:
                connection.close()
            if attempt == 2:
                raise AgtmuxError("E_STORE_UNAVAILABLE", f"cannot start a fresh {path}: {error}") from error
            set_aside = _set_aside(path)
        except AgtmuxError:
            if connection is not None:
                connection.close()
            raise
        else:
            return connection, set_aside
    raise AssertionError("unreachable")


def _file_of(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0])


class Store:
    """Runs writes on one thread and reads on another: a locked database stops no read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.path = _file_of(connection)
        self.trouble: str | None = "its opening could not be noted" if housekeeping.is_closed(connection) else None
        """Why the last write had to be retried or failed; None once something was really written again."""
        self.damage: str | None = None
        """What is wrong with the file; for good."""
        self.failures = 0
        """Transactions that were given up."""
        self._connection = connection
        self._queue: queue.Queue[Callable[[], object] | None] = queue.Queue(maxsize=10_000)
        self._thread = threading.Thread(target=self._loop, name="agtmux-store", daemon=True)
        self._ending = threading.Event()
        self._started = False
        self._reading = ThreadPoolExecutor(1, "agtmux-reads")
        self._reader: sqlite3.Connection | None = None
        self._checking: IntegrityCheck | None = None

    def start(self) -> None:
        self._started = True
        self._thread.start()

    def check(self) -> None:
        """Check the file in the background, if that is due."""
        if not housekeeping.is_checked(self._connection):
            self._checking = IntegrityCheck(self.path, self._checked)

    @property
    def checks(self) -> bool:
        """Whether a check is under way."""
        return self._checking is not None and self._checking.runs

    def _checked(self, wrong: str | None) -> None:
        if wrong is not None:
            self._damaged(wrong)
        else:
            self._queue.put(lambda: self._transact(housekeeping.whole, None))

    async def run(self, work: Work[T], *, power_safe: bool = False, undo: Callable[[], None] | None = None) -> T:
        """Run ``work(connection)`` in a transaction of its own, durable when this returns.

        ``power_safe``: it survives a power cut too, at the price of waiting for the disk. ``undo``: called on the
        writer's thread each time that the transaction was rolled back, at COMMIT too: what ``work`` told memory is to
        be taken back. An exception rolls it back and is raised here. A locked or full database is retried, then
        E_STORE_UNAVAILABLE.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def serve() -> None:
            try:
                result = self._safely(work, undo) if power_safe else self._transact(work, undo)
            except BaseException as error:  # noqa: BLE001 the caller of run() gets it, whatever it is
                self._tell(loop, future, None, error)
            else:
                self._tell(loop, future, result, None)

        try:
            self._queue.put_nowait(serve)
        except queue.Full as error:
            raise AgtmuxError("E_STORE_UNAVAILABLE", "the write queue is full: try again in a moment") from error
        return await future

    async def read(self, work: Work[T]) -> T:
        """Run ``work(connection)`` on what is committed, beside the writer. Raises E_STORE_UNAVAILABLE."""
        try:
            reading = asyncio.get_running_loop().run_in_executor(self._reading, self._read, work)
        except RuntimeError as error:  # it was closed meanwhile
            raise AgtmuxError(
                "E_STORE_UNAVAILABLE", "the database is closed because the daemon is stopping: try again later"
            ) from error
        return await reading

    def _read(self, work: Work[T]) -> T:
        try:
            if self._reader is None:
                self._reader = read_only(self.path)
            self._reader.execute("BEGIN")
            try:
                return work(self._reader)
            finally:
                self._reader.execute("ROLLBACK")  # whatever was left open would keep the log from being truncated
        except sqlite3.DatabaseError as error:
            if type(error) is sqlite3.DatabaseError:
                self._damaged(str(error))
            raise AgtmuxError("E_STORE_UNAVAILABLE", f"the database cannot be read: {error}") from error

    async def truncate_log(self) -> None:
        """Bring the log into the file and cut it, if nobody reads an older state of the database."""
        done = asyncio.get_running_loop().create_future()

        def cut() -> None:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self._tell(done.get_loop(), done, None, None)

        try:
            self._queue.put_nowait(cut)
        except queue.Full:
            return
        await done

    @property
    def depth(self) -> int:
        return self._queue.qsize()

    @property
    def wal_bytes(self) -> int:
        """How long the log is now."""
        try:
            return Path(self.path + "-wal").stat().st_size
        except OSError:
            return 0

    def _safely(self, work: Work[T], undo: Callable[[], None] | None) -> T:
        self._connection.execute("PRAGMA synchronous=FULL")
        try:
            return self._transact(work, undo)
        finally:
            self._connection.execute("PRAGMA synchronous=NORMAL")

    def _transact(self, work: Work[T], undo: Callable[[], None] | None) -> T:
        for wait in (*BUSY_WAITS, None):
            if self._ending.is_set() and self.trouble is not None:
                raise AgtmuxError(
                    "E_STORE_UNAVAILABLE", f"the daemon is stopping, and the database failed: {self.trouble}"
                )
            try:
                return self._attempt(work, undo)
            except sqlite3.OperationalError as error:
                self.trouble = str(error)
                again = any(word in str(error).lower() for word in _RETRY)
                if wait is None or not again or self._ending.wait(wait):
                    self.failures += 1
                    raise AgtmuxError("E_STORE_UNAVAILABLE", f"the database cannot be written: {error}") from error
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:
                    raise
                self.failures += 1
                self._damaged(str(error))
                text = f"the database is damaged ({error}): run agtmux daemon restart to replace it"
                raise AgtmuxError("E_STORE_UNAVAILABLE", text) from error
        raise AssertionError("unreachable")

    def _attempt(self, work: Work[T], undo: Callable[[], None] | None) -> T:
        self._connection.execute("BEGIN IMMEDIATE")
        troubled = self.trouble is not None
        try:
            result = work(self._connection)
            if troubled:
                housekeeping.probe(self._connection)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if undo is not None:
                undo()
            raise
        free = room(self.path) if troubled else None
        if troubled and (free is None or free >= ROOM):
            self.trouble = None
        return result

    def _probe(self) -> None:
        try:
            self._attempt(lambda _: None, None)
        except sqlite3.Error as error:
            self.trouble = str(error)

    def _damaged(self, why: str) -> None:
        if self.damage is None:
            self.damage = why
            note_damage(self.path, why)

    def _loop(self) -> None:
        while True:
            try:
                item = self._queue.get(timeout=PROBE_EVERY if self.trouble is not None else None)
            except queue.Empty:
                self._probe()
                continue
            if item is None:
                self._leave()
                return
            with contextlib.suppress(AgtmuxError, sqlite3.Error):  # told to who waits for it, and in ``trouble``
                item()

    def _leave(self) -> None:
        """Note that the daemon ends in order; where that cannot be written, the next start checks the file."""
        if self.damage is None:
            with contextlib.suppress(sqlite3.Error):
                housekeeping.closed(self._connection)

    @staticmethod
    def _tell(
        loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Any, error: BaseException | None
    ) -> None:
        def settle() -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        with contextlib.suppress(RuntimeError):  # the loop closed while this was under way: nobody is left to tell
            loop.call_soon_threadsafe(settle)

    def check_now(self) -> None:
        """The daemon ends: wait for no lock any more."""
        self._ending.set()

    def close(self) -> None:
        """Finish what is queued, then close: within ``CLOSE_WITHIN``, whoever holds the database. Idempotent."""
        self._ending.set()
        if self._checking is not None:
            self._checking.close()
            self._checking = None
        if self._reader is not None:
            self._reader.interrupt()
        self._reading.shutdown(wait=True, cancel_futures=True)
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._started:
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=CLOSE_WITHIN)
            self._thread.join(timeout=CLOSE_WITHIN)
            self._started = False
        if not self._thread.is_alive():
            self._connection.close()
