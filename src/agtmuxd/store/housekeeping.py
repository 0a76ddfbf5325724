"""Statements on the one row that the store keeps of itself: how it was left, and how far its housekeeping came.

Owns the table ``upkeep``.
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
    """How the last daemon left the database. ``whole``: a check found nothing wrong, or none is due."""

    closed: bool
    whole: bool
    machine_start: str | None


def machine_start() -> str | None:
    """A name of the machine's current start, another one after each boot; None where none is known."""
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


def left(connection: sqlite3.Connection) -> ShutdownState:
    closed, checked, started = connection.execute("SELECT closed, checked, machine_start FROM upkeep").fetchone()
    return ShutdownState(bool(closed), bool(closed and checked), started)


def opened(connection: sqlite3.Connection, started: str | None, *, checked: bool) -> None:
    """From now on an end without ``closed`` is an end out of order."""
    connection.execute("UPDATE upkeep SET closed = 0, checked = ?, machine_start = ?", (int(checked), started))


def begin_new_stream(connection: sqlite3.Connection, now: int) -> None:
    """After a power cut what was committed last may be lost though watchers saw it: their cursors end with the stream.

    Sequences go on growing, so that rows of both streams stay in order.
    """
    connection.execute("UPDATE stream SET stream_id = ?", (stream_name(now),))


def stream_name(now: int) -> str:
    """A name for a new stream; later ones sort behind earlier ones."""
    return "s-" + uuid7(now).replace("-", "")[:20]


def is_checked(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT checked FROM upkeep").fetchone()[0])


def whole(connection: sqlite3.Connection) -> None:
    """A check found nothing wrong."""
    connection.execute("UPDATE upkeep SET checked = 1")


def closed(connection: sqlite3.Connection) -> None:
    """The daemon ends in order."""
    connection.execute("UPDATE upkeep SET closed = 1")


def is_closed(connection: sqlite3.Connection) -> bool:
    """Whether the last daemon ended in order and nobody has noted to have opened the database since."""
    return bool(connection.execute("SELECT closed FROM upkeep").fetchone()[0])


def probe(connection: sqlite3.Connection) -> None:
    """Write something that was not there before: only that proves that the disk takes writes.

    It makes up for ``opened`` where the disk was full then.
    """
    connection.execute("UPDATE upkeep SET probes = probes + 1, closed = 0")


def forget_at(connection: sqlite3.Connection) -> tuple[int | None, int]:
    """``(the time retention goes by, for how long a jump was seen)``, ns."""
    row = connection.execute("SELECT forget_at, forget_waited FROM upkeep").fetchone()
    return row[0], row[1]


def keep_forget_at(connection: sqlite3.Connection, at: int, waited: int) -> None:
    connection.execute("UPDATE upkeep SET forget_at = ?, forget_waited = ?", (at, waited))


def last_seen(connection: sqlite3.Connection) -> int | None:
    """The newest moment (ns) that the database knows of, whatever wrote it."""
    newest: int | None = connection.execute(
        "SELECT max(at) FROM (SELECT max(ingested_at) AS at FROM events UNION ALL SELECT max(updated_at) FROM targets"
        " UNION ALL SELECT max(updated_at) FROM states UNION ALL SELECT max(requested_at) FROM actions"
        " UNION ALL SELECT max(committed_at) FROM stream_log)"
    ).fetchone()[0]
    return newest


def emptied_until(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT emptied_until FROM upkeep").fetchone()[0])


def keep_emptied_until(connection: sqlite3.Connection, at: int) -> None:
    connection.execute("UPDATE upkeep SET emptied_until = ?", (at,))
