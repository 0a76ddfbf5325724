"""Open the database at the start and load everything that the daemon needs. Quick, whatever the database's size.

Owns the order of the first statements, and what happens if the current rows cannot be read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import RawEvent
from agtmuxd.repository import Repository
from agtmuxd.store import history, housekeeping
from agtmuxd.store.actions import abandon
from agtmuxd.store.clock_repair import put_back
from agtmuxd.store.current import load_repository
from agtmuxd.store.db import open_database
from agtmuxd.store.disk import network_type
from agtmuxd.store.integrity import note_damage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StartupState(Generic[T]):
    """What was loaded.

    ``set_aside``: where a corrupt database was moved. ``upcoming``: the next sequence of the stream. ``moved``: how far
    (ns) times were shifted back because they lay ahead of the clock. ``abandoned``: how many actions were in flight.
    ``notes``: warnings about the folder of the database. ``also``: what the caller's function read.
    """

    connection: sqlite3.Connection
    set_aside: str | None
    stream_id: str
    upcoming: int
    moved: int
    abandoned: int
    repository: Repository
    published: dict[str, dict[str, Any]]
    pending: dict[int, RawEvent]
    notes: tuple[str, ...]
    also: T


def load_all(path: str, now: int, also: Callable[[sqlite3.Connection], T]) -> StartupState[T]:
    """Open the database and read what is current, and what ``also`` reads. Raises E_STORE_UNAVAILABLE."""
    set_aside: str | None = None
    for attempt in (1, 2):
        connection, kept = open_database(path)
        set_aside = kept or set_aside
        try:
            return _load(connection, path, set_aside, now, also)
        except sqlite3.DatabaseError as error:
            connection.close()
            if type(error) is not sqlite3.DatabaseError or attempt == 2:
                raise AgtmuxError("E_STORE_UNAVAILABLE", f"cannot read {path}: {error}") from error
            note_damage(path, str(error))  # the next opening sets it aside
        except BaseException:
            connection.close()
            raise
    raise AssertionError("unreachable")


def _load(
    connection: sqlite3.Connection,
    path: str,
    set_aside: str | None,
    now: int,
    also: Callable[[sqlite3.Connection], T],
) -> StartupState[T]:
    stream_id, upcoming = history.load_stream(connection, housekeeping.stream_name(now), now)
    moved = put_back(connection, now)
    repository = load_repository(connection)
    published, pending = history.load_published(connection), history.load_pending(connection)
    # before the socket opens: a repeated request must find its action indeterminate
    abandoned = abandon(connection, now)
    return StartupState(
        connection, set_aside, stream_id, upcoming, moved, abandoned, repository, published, pending,
        tuple(_warnings_of(connection, path)), also(connection),
    )  # fmt: skip


def _warnings_of(connection: sqlite3.Connection, path: str) -> list[str]:
    out, folder = [], Path(path).parent
    kind = network_type(path)
    if kind is not None:
        out.append(
            f"{folder} lies on a network file system ({kind}), where SQLite cannot keep a database safe:"
            " set AGTMUX_STATE_DIR to a folder on a local disk"
        )
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        out.append(
            f"{folder} does not support SQLite's write-ahead log (it uses {mode}), so reads wait for writes:"
            " set AGTMUX_STATE_DIR to a folder on a local disk"
        )
    return out
