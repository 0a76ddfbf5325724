"""Read and write the store's row about itself: how the last daemon left it, and how far housekeeping came.

Owns the table ``upkeep``, which has one row.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from agtmuxd.core.ids import uuid7


@dataclass(frozen=True, slots=True)
class ShutdownState:
    """How the last daemon left the database.

    ``closed``: it stopped in order. ``whole``: no check of the file is due. ``machine_start``: see the function.
    """

    closed: bool
    whole: bool
    machine_start: str | None


def machine_start() -> str | None:
    """Give an id of the machine's current boot; it changes with each boot. None if the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        pass
    if sys.platform == "darwin":
        try:
            asked = subprocess.run(
                ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, timeout=2, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return asked.stdout.decode("ascii", "replace").strip() or None
    return None


def last_shutdown(connection: sqlite3.Connection) -> ShutdownState:
    """Read how the last daemon left the database."""
    closed, checked, started = connection.execute("SELECT closed, checked, machine_start FROM upkeep").fetchone()
    return ShutdownState(bool(closed), bool(closed and checked), started)


def note_open(connection: sqlite3.Connection, started: str | None, *, checked: bool) -> None:
    """Note that the database is open. Without a later ``note_closed``, the next start knows that the daemon crashed."""
    connection.execute("UPDATE upkeep SET closed = 0, checked = ?, machine_start = ?", (int(checked), started))


def begin_new_stream(connection: sqlite3.Connection, now: int) -> None:
    """Give the stream a new id, so that old cursors no longer match.

    Needed after a power cut: the last commits may be lost although watchers saw them. Sequences go on growing, so that
    rows of both streams stay in order.
    """
    connection.execute("UPDATE stream SET stream_id = ?", (stream_name(now),))


def stream_name(now: int) -> str:
    """Make an id for a new stream. Later ids sort after earlier ones. ``now``: ns."""
    return "s-" + uuid7(now).replace("-", "")[:20]


def is_checked(connection: sqlite3.Connection) -> bool:
    """Whether no check of the file is due."""
    return bool(connection.execute("SELECT checked FROM upkeep").fetchone()[0])


def note_checked(connection: sqlite3.Connection) -> None:
    """Note that a check found nothing wrong."""
    connection.execute("UPDATE upkeep SET checked = 1")


def note_closed(connection: sqlite3.Connection) -> None:
    """Note that the daemon stopped in order."""
    connection.execute("UPDATE upkeep SET closed = 1")


def is_closed(connection: sqlite3.Connection) -> bool:
    """Whether the last daemon stopped in order and no later opening was noted."""
    return bool(connection.execute("SELECT closed FROM upkeep").fetchone()[0])


def probe(connection: sqlite3.Connection) -> None:
    """Write a new value: only that proves that the disk takes writes.

    It also notes the opening, in case the disk was full when ``note_open`` tried.
    """
    connection.execute("UPDATE upkeep SET probes = probes + 1, closed = 0")


def forget_at(connection: sqlite3.Connection) -> tuple[int | None, int]:
    """Read ``(the time that retention uses, how long a clock jump has lasted)``, both in ns."""
    row = connection.execute("SELECT forget_at, forget_waited FROM upkeep").fetchone()
    return row[0], row[1]


def save_forget_at(connection: sqlite3.Connection, at: int, waited: int) -> None:
    """Store what ``forget_at`` reads."""
    connection.execute("UPDATE upkeep SET forget_at = ?, forget_waited = ?", (at, waited))


def last_seen(connection: sqlite3.Connection) -> int | None:
    """Give the newest time (ns) in the database; None if it is empty."""
    newest: int | None = connection.execute(
        "SELECT max(at) FROM (SELECT max(ingested_at) AS at FROM events UNION ALL SELECT max(updated_at) FROM targets"
        " UNION ALL SELECT max(updated_at) FROM states UNION ALL SELECT max(requested_at) FROM actions"
        " UNION ALL SELECT max(committed_at) FROM stream_log)"
    ).fetchone()[0]
    return newest


def emptied_until(connection: sqlite3.Connection) -> int:
    """Read the time (ns) up to which payloads were emptied."""
    return int(connection.execute("SELECT emptied_until FROM upkeep").fetchone()[0])


def save_emptied_until(connection: sqlite3.Connection, at: int) -> None:
    """Store the time (ns) up to which payloads were emptied."""
    connection.execute("UPDATE upkeep SET emptied_until = ?", (at,))
