"""Compare versions of agents, to find those older than any whose screens are known.

Pure. A version is the numbers in it, however many. Text after them (a pre-release) does not count.
"""

from __future__ import annotations

import re
from typing import Final

_NUMBERS: Final = re.compile(r"v?(\d+(?:\.\d+){0,5})")


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version such as ``2.1.197``. Empty if it does not begin with a number."""
    found = _NUMBERS.match(version.strip())
    return tuple([int(part) for part in found[1].split(".")]) if found else ()


def older(version: str | None, oldest: str | None) -> bool:
    """Return whether ``version`` is older than ``oldest``. False if one of them is unknown."""
    if version is None or oldest is None:
        return False
    mine, first = numbers(version), numbers(oldest)
    return bool(mine) and bool(first) and mine < first
