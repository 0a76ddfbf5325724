"""Whether the database file is whole: looked at by a connection of its own, for a bounded time or in the background.

Owns the note beside the file that says that it is damaged. Knows no table.
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
"""Seconds for a check before the daemon answers. A database that takes longer is checked behind its back."""
_NICE: Final = 10


def read_only(path: str) -> sqlite3.Connection:
    """A connection that never writes. It must not touch the file but through SQLite: closing any other descriptor of it
    would drop the locks of this process."""
    connection = sqlite3.connect(
        f"file:{_quoted(path)}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=1.0
    )
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def quick_check(connection: sqlite3.Connection) -> str | None:
    """What is wrong; None where all is well. Raises sqlite3.OperationalError where it was interrupted."""
    try:
        said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if said == "ok" else said.partition("\n")[0]


def check_for(path: str, seconds: float = AT_ONCE) -> tuple[bool, str | None]:
    """``(finished, what is wrong)`` after ``seconds`` at most."""
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
    """One check in the background. ``told(wrong)`` is called on its thread when it is over, unless it was ended."""

    def __init__(self, path: str, told: Callable[[str | None], None]) -> None:
        self._connection = read_only(path)
        self._told = told
        self._thread = threading.Thread(target=self._run, name="agtmux-check", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        with suppress(OSError, AttributeError):  # where a thread cannot be made to stand back, it does not
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        try:
            wrong = quick_check(self._connection)
        except sqlite3.OperationalError:
            return
        self._told(wrong)

    def close(self) -> None:
        self._connection.interrupt()
        self._thread.join(1.0)
        if not self._thread.is_alive():
            self._connection.close()


def note_of(path: str) -> Path:
    return Path(path + ".damaged")


def note_damage(path: str, why: str) -> None:
    """Let the next start set the file aside. Where even that cannot be written, the next check finds out again."""
    with suppress(OSError):
        note_of(path).write_text(why + "\n", encoding="utf-8")
