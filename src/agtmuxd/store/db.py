"""Run the database: one writer thread and one reader thread.

Owns the opening (WAL, permissions, setting a corrupt file aside), the threads, and the handling of a database that is
locked, full or damaged. Knows no table except ``upkeep``; callers hand in functions that hold the SQL.
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
from agtmuxd.store.disk import free_bytes
from agtmuxd.store.integrity import IntegrityCheck, check_for, note_damage, note_of, read_only
from agtmuxd.store.migrate import Migration, load, migrate, refuse_newer

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_RETRY = ("locked", "busy", "full", "disk i/o")
WAL_PAGES = 4000
"""Pages (of 4 KiB) in the write-ahead log before a checkpoint copies them to the file. A page that was written many
times is copied once."""
BUSY_WAITS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds between two tries on a locked or full database. After the last try: E_STORE_UNAVAILABLE."""
PROBE_EVERY: Final = 1.0
"""Seconds between two test writes to a database that was locked or full."""
ROOM: Final = 1 << 20
"""Bytes that must be free on the disk before a database that was full counts as healthy again."""
CLOSE_WITHIN: Final = 2.0
"""Seconds to finish queued work when the daemon stops."""


def connect(path: str, newest: int | None = None) -> sqlite3.Connection:
    """Open the database and set its pragmas. A new file gets mode 0600 before anything is written to it.

    Raises E_STORE_UNAVAILABLE for a schema above ``newest``, before a pragma changes the file.
    """
    for name in (path, f"{path}-wal", f"{path}-shm"):  # SQLite would hang on a pipe
        with contextlib.suppress(FileNotFoundError):
            os.close(open_regular(name, os.O_RDWR | (os.O_CREAT if name == path else 0)))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.25)
    try:
        if newest is not None:
            refuse_newer(connection, newest)
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:  # only for a new file: this pragma writes
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


def _check_after_crash(path: str, connection: sqlite3.Connection) -> None:
    """Check the file if the last daemon did not stop in order, or left a check undone.

    A check that takes too long is left to the background.

    Also begins a new stream if the machine was restarted meanwhile. Raises sqlite3.DatabaseError for a damaged file.
    """
    was = housekeeping.last_shutdown(connection)
    checked, wrong = (True, None) if was.whole else check_for(path)
    if wrong is not None:
        raise sqlite3.DatabaseError(wrong)
    started = housekeeping.machine_start()
    if not was.closed and was.machine_start not in (None, started):
        housekeeping.begin_new_stream(connection, time.time_ns())
    try:
        housekeeping.note_open(connection, started, checked=checked)
    except sqlite3.OperationalError as error:
        if not checked or "full" not in str(error):
            raise  # the disk is full: the first write of ``Store`` notes the opening later


def open_database(path: str, migrations: list[Migration] | None = None) -> tuple[sqlite3.Connection, str | None]:
    """Open and migrate the database. Return ``(connection, set_aside)``.

    ``set_aside``: where a corrupt file was moved; None if there was none. Opening is quick whatever the size, and works
    on a full disk if SQLite allows it. Raises E_STORE_UNAVAILABLE for a newer schema or an unusable file.
    """
    steps = migrations if migrations is not None else load()
    set_aside = _set_aside(path) if note_of(path).exists() else None
    for attempt in (1, 2):
        connection: sqlite3.Connection | None = None
        try:
            connection = connect(path, steps[-1].number)
            migrate(connection, steps)
            if migrations is None:
                _check_after_crash(path, connection)
        except (sqlite3.OperationalError, OSError) as error:
            if connection is not None:
                connection.close()
            raise AgtmuxError("E_STORE_UNAVAILABLE", f"cannot open {path}: {error}") from error
        except sqlite3.DatabaseError as error:
            if connection is not None:
                connection.close()
            if attempt == 2:
                raise AgtmuxError("E_STORE_UNAVAILABLE", f"cannot create a new database {path}: {error}") from error
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
    """Run writes on one thread and reads on another, so that a locked database does not block reads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.path = _file_of(connection)
        self.trouble: str | None = (
            "the start could not be noted in the database" if housekeeping.is_closed(connection) else None
        )
        """Why the last write failed or had to be retried; None once a write has succeeded again."""
        self.damage: str | None = None
        """How the file is damaged; None if it is not. Never reset."""
        self.failures = 0
        """Transactions that failed after all tries."""
        self._connection = connection
        self._queue: queue.Queue[Callable[[], object] | None] = queue.Queue(maxsize=10_000)
        self._thread = threading.Thread(target=self._loop, name="agtmux-store", daemon=True)
        self._ending = threading.Event()
        self._started = False
        self._reading = ThreadPoolExecutor(1, "agtmux-reads")
        self._reader: sqlite3.Connection | None = None
        self._checking: IntegrityCheck | None = None

    def start(self) -> None:
        """Start the writer thread."""
        self._started = True
        self._thread.start()

    def check(self) -> None:
        """Start a check of the file in the background if one is due."""
        if not housekeeping.is_checked(self._connection):
            self._checking = IntegrityCheck(self.path, self._checked)

    @property
    def checks(self) -> bool:
        """Whether a check is running."""
        return self._checking is not None and self._checking.runs

    def _checked(self, wrong: str | None) -> None:
        if wrong is not None:
            self._damaged(wrong)
        else:
            self._queue.put(lambda: self._transact(housekeeping.note_checked, None))

    async def run(self, work: Work[T], *, power_safe: bool = False, undo: Callable[[], None] | None = None) -> T:
        """Run ``work(connection)`` in its own transaction. It is durable when this returns.

        ``power_safe``: it also survives a power cut; this waits for the disk. ``undo``: called on the writer's thread
        after each rollback, also of a failed COMMIT, to undo what ``work`` changed in memory.

        An exception rolls the transaction back and is raised here. A locked or full database is tried again (see
        ``BUSY_WAITS``). Raises E_STORE_UNAVAILABLE.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def serve() -> None:
            try:
                result = self._transact_power_safe(work, undo) if power_safe else self._transact(work, undo)
            except BaseException as error:  # noqa: BLE001 the caller of run() gets it
                self._deliver(loop, future, None, error)
            else:
                self._deliver(loop, future, result, None)

        try:
            self._queue.put_nowait(serve)
        except queue.Full as error:
            raise AgtmuxError("E_STORE_UNAVAILABLE", "the write queue is full: try again in a moment") from error
        return await future

    async def read(self, work: Work[T]) -> T:
        """Run ``work(connection)`` on the committed data, in parallel with the writer. Raises E_STORE_UNAVAILABLE."""
        try:
            reading = asyncio.get_running_loop().run_in_executor(self._reading, self._read, work)
        except RuntimeError as error:  # the reader thread was shut down
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
                self._reader.execute("ROLLBACK")  # an open read transaction would keep the log from being truncated
        except sqlite3.DatabaseError as error:
            if type(error) is sqlite3.DatabaseError:
                self._damaged(str(error))
            raise AgtmuxError("E_STORE_UNAVAILABLE", f"the database cannot be read: {error}") from error

    async def truncate_log(self) -> None:
        """Copy the write-ahead log into the file and truncate it, unless a reader still uses an older state."""
        done = asyncio.get_running_loop().create_future()

        def cut() -> None:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self._deliver(done.get_loop(), done, None, None)

        try:
            self._queue.put_nowait(cut)
        except queue.Full:
            return
        await done

    @property
    def depth(self) -> int:
        """Writes that wait in the queue."""
        return self._queue.qsize()

    @property
    def wal_bytes(self) -> int:
        """The size of the write-ahead log in bytes."""
        try:
            return Path(self.path + "-wal").stat().st_size
        except OSError:
            return 0

    def _transact_power_safe(self, work: Work[T], undo: Callable[[], None] | None) -> T:
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
        free = free_bytes(self.path) if troubled else None
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
            with contextlib.suppress(AgtmuxError, sqlite3.Error):  # the caller gets it, and ``trouble`` holds it
                item()

    def _leave(self) -> None:
        """Note that the daemon stopped in order. If that cannot be written, the next start checks the file."""
        if self.damage is None:
            with contextlib.suppress(sqlite3.Error):
                housekeeping.note_closed(self._connection)

    @staticmethod
    def _deliver(
        loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Any, error: BaseException | None
    ) -> None:
        def settle() -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        with contextlib.suppress(RuntimeError):  # the loop is closed, and so is the caller
            loop.call_soon_threadsafe(settle)

    def check_now(self) -> None:
        """Stop waiting for locks, because the daemon stops."""
        self._ending.set()

    def close(self) -> None:
        """Finish queued work, then close. Idempotent.

        Gives up after about ``CLOSE_WITHIN`` seconds if another program holds the database.
        """
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
