"""Say when to try again. Pure."""

from __future__ import annotations

from typing import Final

from agtmuxd.core.model import NS

STEPS: Final = (15, 30, 60, 120, 300)
"""Seconds until the next try, after the first, second, ... one."""
MOST_FAILURES: Final = 5
"""Tries that may fail before a message is dead."""


def pause(failures: int) -> int:
    """Return how long (ns) to wait after so many tries, at least one."""
    return STEPS[min(max(failures, 1), len(STEPS)) - 1] * NS
