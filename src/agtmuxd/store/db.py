"""The database: one connection, one writer thread.

Owns opening (WAL, permissions, corruption set aside), the thread and its retry on a locked or full database. Knows no
table but through the functions it is handed.
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
from pathlib import Path
from typing import Any, TypeVar

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import open_regular
from agtmuxd.store.migrate import Migration, load, migrate, refuse_newer

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_RETRY = ("locked", "busy", "full", "disk i/o")
WAL_PAGES = 4000
"""Pages (of 4 KiB) in the log before they are put into the file: a page written many times is put there once."""
BUSY_WAITS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds between tries at a locked or full database; then E_STORE_UNAVAILABLE."""


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
        connection.execute("PRAGMA journal_mode=WAL")
    except BaseException:
        connection.close()
        raise
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    return connection


def open_database(path: str, migrations: list[Migration] | None = None) -> tuple[sqlite3.Connection, str | None]:
    """``(connection, set_aside)``: the migrated database, and where a corrupt predecessor was moved, if one was.

    Raises E_STORE_UNAVAILABLE for a newer schema or an unusable file.
    """
    steps = migrations if migrations is not None else load()
    set_aside: str | None = None
    for attempt in (1, 2):
        connection: sqlite3.Connection | None = None
        try:
            connection = connect(path, steps[-1].number)
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("quick_check failed")
            migrate(connection, steps)
        except (sqlite3.OperationalError, OSError) as error:
            if connection is not None:
                connection.close()
            raise AgtmuxError("E_STORE_UNAVAILABLE", f"cannot open {path}: {error}") from error
        except sqlite3.DatabaseError as error:
            if connection is not None:
                connection.close()
            if attempt == 2:
                raise AgtmuxError("E_STORE_UNAVAILABLE", f"cannot start a fresh {path}: {error}") from error
            set_aside = f"{path}.corrupt-{int(time.time())}"
            for suffix in ("", "-wal", "-shm"):
                if Path(path + suffix).exists():
                    Path(path + suffix).replace(set_aside + suffix)
        except AgtmuxError:
            if connection is not None:
                connection.close()
            raise
        else:
            return connection, set_aside
    raise AssertionError("unreachable")


class Store:
    """Runs work on the one writer thread. Work that waits together shares one transaction (group commit)."""

    def __init__(self, connection: sqlite3.Connection, *, max_group: int = 256) -> None:
        self._connection = connection
        self._queue: queue.Queue[tuple[Callable[[], Any], asyncio.Future[Any], asyncio.AbstractEventLoop] | None]
        self._queue = queue.Queue(maxsize=10_000)
        self._thread = threading.Thread(target=self._loop, name="agtmux-store", daemon=True)
        self.trouble: str | None = None
        """Why the last write had to be retried or failed; None while all is well."""
        self._started = False

    def start(self) -> None:
        self._started = True
        self._thread.start()

    async def run(self, work: Work[T], *, power_safe: bool = False) -> T:
        """Run ``work(connection)`` in a transaction of its own, durable when this returns.

        ``power_safe``: it survives a power cut too, at the price of waiting for the disk.
        An exception rolls it back and is raised here. A locked or full database is retried, then E_STORE_UNAVAILABLE.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        item = (lambda: self._safely(work) if power_safe else self._transact(work), future, loop)
        try:
            self._queue.put_nowait(item)
        except queue.Full as error:
            raise AgtmuxError("E_STORE_UNAVAILABLE", "the write queue is full: try again") from error
        return await future

    @property
    def depth(self) -> int:
        return self._queue.qsize()

    def _safely(self, work: Work[T]) -> T:
        self._connection.execute("PRAGMA synchronous=FULL")
        try:
            return self._transact(work)
        finally:
            self._connection.execute("PRAGMA synchronous=NORMAL")

    def _transact(self, work: Work[T]) -> T:
        for wait in (*BUSY_WAITS, None):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    result = work(self._connection)
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.OperationalError as error:
                self.trouble = str(error)
                if wait is None or not any(word in str(error).lower() for word in _RETRY):
                    raise AgtmuxError("E_STORE_UNAVAILABLE", f"the database cannot be written: {error}") from error
                time.sleep(wait)
            else:
                self.trouble = None
                return result
        raise AssertionError("unreachable")

    def _loop(self) -> None:
        while True:
            item = self._queue.get()
            if item is None:
                return
            call, future, loop = item
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 the caller of run() gets it, whatever it is
                self._tell(loop, future, None, error)
            else:
                self._tell(loop, future, result, None)

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

    def close(self) -> None:
        """Finish what is queued, then close. Idempotent."""
        if self._started:
            self._queue.put(None)
            self._thread.join(timeout=5)
            self._started = False
        self._connection.close()
