"""Limit how much the daemon reads from one target, even from a broken or hostile machine.

Owns the limits and the error for what exceeds them. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agtmuxd.targets.executor import ExecutorError

MIB: Final = 1024 * 1024
OFF_LOOP: Final = 256 * 1024
"""Bytes. A longer answer is parsed in a thread, so that the event loop is not blocked."""
DROPPED_MOST: Final = 16 * MIB
"""Bytes of an answer that are read and dropped so that the program can end. After them the program is given up."""
ABANDONED_MOST: Final = 8
"""Channels that were given up but that the other side keeps open. After more of them a new connection is made."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one target. ``panes``, ``processes``: rows. ``answer``: bytes of one round or one process table."""

    panes: int = 5000
    processes: int = 50_000
    answer: int = 16 * MIB


def too_large(what: str, setting: str, limit: int, unit: str = "") -> ExecutorError:
    """Return the error for a read that exceeds a limit. Nothing of such a read is used."""
    return ExecutorError("too_large", f"{what} than {limit}{unit} (targets.{setting})")
