"""Whole numbers as programs print them, each within the bounds of what it counts. Pure."""

from __future__ import annotations

from typing import Final

INT_MOST: Final = 2**31 - 1
"""The largest C ``int``: pids, sizes, indexes."""
TIME_MOST: Final = 4_102_444_800 * 1_000_000_000
"""The first moment (ns) of the year 2100. No agent and no machine tells of a later time, or one before 1970."""
COUNT_MOST: Final = 9999
"""More of anything that a screen counts is no count."""


def is_time(at: object) -> bool:
    """Whether ``at`` is a moment (ns since the epoch) that a database holds and a person can have meant."""
    return type(at) is int and 0 <= at < TIME_MOST


def whole(text: str, what: str, *, least: int = 0, most: int = INT_MOST) -> int:
    """``text`` as a number of ASCII digits, ``least`` to ``most``. Raises ValueError that names ``what`` it is.

    ``int`` alone also takes blanks, signs, underscores and other scripts' digits, and numbers that no column holds.
    """
    if text.isascii() and text.isdecimal() and len(text) <= 20 and least <= (value := int(text)) <= most:
        return value
    raise ValueError(f"{what} is {text[:40]!r}")
