"""Apply numbered SQL files one by one, each in one transaction, up or down.

Owns ``PRAGMA user_version``. Does not know what the tables mean.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from agtmux.protocol.errors import AgtmuxError

_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.(up|down)\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration: its number and its scripts in both directions."""

    number: int
    up: str
    down: str


def migrations_dir() -> Path:
    """Find the daemon's migrations: inside this package in a wheel, at the top in a checkout."""
    shipped = Path(__file__).resolve().parent.parent / "migrations"
    return shipped if shipped.is_dir() else Path(__file__).resolve().parents[3] / "migrations"


def folders(features: Path | None = None) -> list[Path]:
    """List the folders of the daemon's migrations and of each feature: ``features/<name>/migrations``."""
    features = features or Path(__file__).resolve().parent.parent / "features"
    return [migrations_dir(), *sorted(features.glob("*/migrations"))]


def load(*directories: Path) -> list[Migration]:
    """Load the migrations of these folders, in order of their number. Default: the folders of ``folders()``.

    Raises E_INTERNAL if a number is missing or used twice, or if an up or down file is missing.
    """
    found: dict[int, dict[str, str]] = {}
    for path in sorted(path for folder in directories or folders() for path in folder.glob("*.sql")):
        match = _NAME.match(path.name)
        if match is None:
            raise AgtmuxError("E_INTERNAL", f"migrations: {path.name} is not named NNNN_words.up.sql or .down.sql")
        texts = found.setdefault(int(match.group(1)), {})
        if match.group(2) in texts:
            raise AgtmuxError("E_INTERNAL", f"migrations: number {match.group(1)} is used twice")
        texts[match.group(2)] = path.read_text(encoding="utf-8")
    out = []
    for expected, (number, texts) in enumerate(sorted(found.items()), start=1):
        if number != expected or set(texts) != {"up", "down"}:
            raise AgtmuxError(
                "E_INTERNAL", f"migrations: {number:04d} has a gap before it or lacks its up or down file"
            )
        out.append(Migration(number, texts["up"], texts["down"]))
    if not out:
        raise AgtmuxError("E_INTERNAL", "migrations: none found; is the installation whole?")
    return out


def version(connection: sqlite3.Connection) -> int:
    """Read the schema version of the database."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def refuse_newer(connection: sqlite3.Connection, newest: int) -> None:
    """Raise E_STORE_UNAVAILABLE if the database is newer than this program. Only reads."""
    at = version(connection)
    if at > newest:
        raise AgtmuxError(
            "E_STORE_UNAVAILABLE",
            f"the database has schema {at}, this agtmuxd knows up to {newest}: install the newer agtmux, "
            "or set AGTMUX_STATE_DIR to another folder",
        )


def _run(connection: sqlite3.Connection, script: str, then: int) -> None:
    """Run one script and set the version in one transaction; ``executescript`` alone would commit each statement."""
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {then};\nCOMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def migrate(connection: sqlite3.Connection, migrations: list[Migration], to: int | None = None) -> int:
    """Migrate the database to version ``to`` (default: the newest), up or down. Return the version reached.

    Raises E_STORE_UNAVAILABLE for a database that is newer than this program, before it changes anything.
    """
    newest = migrations[-1].number
    goal = newest if to is None else to
    refuse_newer(connection, newest)
    at = version(connection)
    while at < goal:
        _run(connection, migrations[at].up, at + 1)
        at += 1
    while at > goal:
        _run(connection, migrations[at - 1].down, at - 1)
        at -= 1
    return at
