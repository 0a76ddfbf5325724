"""Check whether the database file is damaged, on a separate connection: for a limited time, or in the background.

Owns the ``.damaged`` file beside the database. Knows no table.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

AT_ONCE: Final = 0.3
"""Seconds for the check at the start. A check that takes longer goes on in the background."""
_NICE: Final = 10


def read_only(path: str) -> sqlite3.Connection:
    """Open a connection that never writes.

    Never open the file except through SQLite: closing any other descriptor of it drops the locks of this process.
    """
    connection = sqlite3.connect(
        f"file:{_quoted(path)}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=1.0
    )
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def quick_check(connection: sqlite3.Connection) -> str | None:
    """Check the file. Return what is wrong, None if nothing is. Raises sqlite3.OperationalError if interrupted."""
    try:
        result = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if result == "ok" else result.partition("\n")[0]


def check_for(path: str, seconds: float = AT_ONCE) -> tuple[bool, str | None]:
    """Check the file for at most ``seconds``. Return ``(whether it finished, what is wrong or None)``."""
    connection = read_only(path)
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        return True, quick_check(connection)
    except sqlite3.OperationalError:
        return False, None
    finally:
        timer.cancel()
        timer.join()
        connection.close()


class IntegrityCheck:
    """One check in the background.

    Calls ``on_result(wrong)`` on its thread when it has finished, but not after ``close``. ``wrong`` is None if
    nothing is wrong.
    """

    def __init__(self, path: str, on_result: Callable[[str | None], None]) -> None:
        self._connection = read_only(path)
        self._on_result = on_result
        self._thread = threading.Thread(target=self._run, name="agtmux-check", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether the check is still running."""
        return self._thread.is_alive()

    def _run(self) -> None:
        with suppress(OSError, AttributeError):  # some systems cannot lower a thread's priority
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        try:
            wrong = quick_check(self._connection)
        except sqlite3.OperationalError:
            return
        self._on_result(wrong)

    def close(self) -> None:
        """Interrupt the check and close its connection."""
        self._connection.interrupt()
        self._thread.join(1.0)
        if not self._thread.is_alive():
            self._connection.close()


def note_of(path: str) -> Path:
    """Give the path of the file that says that a database is damaged."""
    return Path(path + ".damaged")


def note_damage(path: str, why: str) -> None:
    """Note that the file is damaged, so that the next start sets it aside.

    If the note cannot be written, the next check finds the damage again.
    """
    with suppress(OSError):
        note_of(path).write_text(why + "\n", encoding="utf-8")
