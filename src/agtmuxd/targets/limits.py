"""How much one target may make the daemon read: a machine that lies or is broken costs no more than this.

Owns the numbers and the words for what is over them. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agtmuxd.targets.executor import ExecutorError

MIB: Final = 1024 * 1024
OFF_LOOP: Final = 256 * 1024
"""A longer answer is read by a thread: the daemon goes on meanwhile."""
DROPPED_MOST: Final = 16 * MIB
"""Bytes of an answer that are read and dropped, so that the program can end; then the program is given up."""
ABANDONED_MOST: Final = 8
"""Channels that were given up and that the other side does not close; then the connection is made anew."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """``panes`` and ``processes``: rows; ``answer``: bytes of one round or one process table."""

    panes: int = 5000
    processes: int = 50_000
    answer: int = 16 * MIB


def too_large(what: str, setting: str, limit: int, unit: str = "") -> ExecutorError:
    """The error of a read that is over a bound: nothing of it is taken."""
    return ExecutorError("too_large", f"{what} than {limit}{unit} (targets.{setting})")
