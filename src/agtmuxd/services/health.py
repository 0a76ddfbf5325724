"""Report the health of database, log and retention. Only reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agtmuxd.core.model import NS
from agtmuxd.log.sink import Sink
from agtmuxd.store.db import Store
from agtmuxd.store.retention import RetentionTask

WAL_MOST: Final = 64 << 20
"""A write-ahead log with more bytes than this is reported. It usually has a quarter of that."""


@dataclass(frozen=True, slots=True)
class HealthPart:
    """What one part of the daemon adds to health."""

    problems: tuple[str, ...] = ()
    """What does not work now. Health is degraded while there is a problem."""
    notes: tuple[str, ...] = ()
    """What the user should know; it does not degrade health."""
    counters: Mapping[str, int] = field(default_factory=dict)


class StorageHealth:
    """The health of database, log and retention."""

    def __init__(
        self, store: Store, most: Callable[[], int], log: Sink | None = None, retention: RetentionTask | None = None
    ) -> None:
        """``most``: bytes that the database may use."""
        self.retention = retention
        self._store = store
        self._most = most
        self._log = log

    def wrong(self) -> list[str]:
        """List what does not work now. Health is degraded while there is a problem."""
        out = []
        if self._store.damage is not None:
            out.append(f"database: it is damaged ({self._store.damage}): run agtmux daemon restart to replace it")
        if self._store.trouble is not None:
            out.append(f"database: {self._store.trouble}")
        if self._log is not None and self._log.losses.trouble is not None:
            out.append(f"log: its last line could not be written: {self._log.losses.trouble}")
        return out

    def notes(self) -> list[str]:
        """List what the user should know."""
        out = []
        if self._store.wal_bytes > WAL_MOST:
            out.append(
                f"database: its log has {self._store.wal_bytes >> 20} MiB, because another program keeps a read of"
                f" it open: run fuser {self._store.path} to find it"
            )
        if self.retention is not None and self.retention.jumped:
            days = self.retention.jumped / 86_400 / NS
            out.append(
                f"retention: the clock jumped {days:.0f} days ahead: no history is removed until "
                "the daemon has run like that for a day; correct the clock if it is wrong"
            )
        used = self.retention.used if self.retention is not None else None
        if used is not None and used > self._most():
            out.append(
                f"database: {used} bytes are used, store.max_bytes is {self._most()}, and nothing can be removed"
            )
        return out

    def store(self) -> dict[str, Any]:
        """Describe the database. ``bytes``: size of the file; ``used_bytes``: bytes in use, null until counted."""
        try:
            size: int | None = Path(self._store.path).stat().st_size
        except OSError:
            size = None
        return {
            "bytes": size,
            "used_bytes": self.retention.used if self.retention is not None else None,
            "max_bytes": self._most(),
            "wal_bytes": self._store.wal_bytes,
            "failures": self._store.failures,
            "checking": self._store.checks,
            "trouble": self._store.damage or self._store.trouble,
        }

    def log(self) -> dict[str, Any]:
        """Describe the log.

        ``path`` null: standard error. ``lost``: lines that could not be written. ``left_out``: lines that were left out
        because there were too many.
        """
        if self._log is None:
            return {"path": None, "max_bytes": None, "lost": 0, "left_out": 0, "trouble": None}
        losses = self._log.losses
        return {
            "path": self._log.path,
            "max_bytes": self._log.most if self._log.path is not None else None,
            "lost": losses.lost,
            "left_out": losses.left_out,
            "trouble": losses.trouble,
        }
