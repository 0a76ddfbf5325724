"""Read whole numbers that programs print, and check their bounds. Pure."""

from __future__ import annotations

from typing import Final

INT_MOST: Final = 2**31 - 1
"""The largest C ``int``: pids, sizes, indexes."""
TIME_MOST: Final = 4_102_444_800 * 1_000_000_000
"""The first moment (ns) of the year 2100. No agent and no machine reports a later time, or one before 1970."""
COUNT_MOST: Final = 9999
"""The largest number on a screen that is taken as a count."""


def is_time(at: object) -> bool:
    """Return whether ``at`` is a moment (ns since the epoch) that a database can hold and a person can mean."""
    return type(at) is int and 0 <= at < TIME_MOST


def whole(text: str, what: str, *, least: int = 0, most: int = INT_MOST) -> int:
    """Return the number that ``text`` writes in ASCII digits, from ``least`` to ``most``.

    Raises ValueError, which names ``what``, for anything else. ``int`` alone also accepts blanks, signs, underscores,
    digits of other scripts, and numbers that no database column holds.
    """
    if text.isascii() and text.isdecimal() and len(text) <= 20 and least <= (value := int(text)) <= most:
        return value
    raise ValueError(f"{what} is {text[:40]!r}")
