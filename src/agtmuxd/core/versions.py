"""Versions of agents compared: whether one is older than any whose screens are known.

Pure. A version is the numbers in it, however many; words behind them (a pre-release) do not count.
"""

from __future__ import annotations

import re
from typing import Final

_NUMBERS: Final = re.compile(r"v?(\d+(?:\.\d+){0,5})")


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version such as ``2.1.197``; empty where it begins with none."""
    found = _NUMBERS.match(version.strip())
    return tuple([int(part) for part in found[1].split(".")]) if found else ()


def older(version: str | None, oldest: str | None) -> bool:
    """Whether ``version`` is older than ``oldest``; False where one of them is not known."""
    if version is None or oldest is None:
        return False
    mine, first = numbers(version), numbers(oldest)
    return bool(mine) and bool(first) and mine < first
