"""Encode and decode JSON and timestamps.

Owns the one JSON encoding of the daemon, and the reading of JSON from others. Knows no route and no row.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any, Final

DEEPEST: Final = 64
"""The deepest nesting that ``decode`` accepts. Hooks send at most 50 levels.

Code that walks a value recurses once a level.
"""
_CONTAINERS: Final = (list, dict)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode(value: Any) -> bytes:
    """Return ``value`` as one line of UTF-8 JSON without a newline.

    Lone surrogates become ``?``. Raises TypeError or ValueError for what JSON cannot hold.
    """
    return _ENCODER.encode(value).encode("utf-8", "replace")


def decode(data: bytes) -> Any:
    """Return the value of JSON from others, such that it can be stored and sent on.

    Lone surrogates (agents cut text in the middle of a character) and invalid UTF-8 become U+FFFD. Raises ValueError
    for what is not JSON, for numbers that JSON does not have, and for more than ``DEEPEST`` levels.
    """
    text = data.decode("utf-8", "replace")
    try:
        value = json.loads(text, parse_constant=_reject_constant, parse_float=_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if text.count("[") + text.count("{") > DEEPEST and _is_deep(value):
        raise ValueError("nested too deeply")
    return _without_surrogates(value) if "\\ud" in text or "\\uD" in text else value


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _number(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _reject_constant(text)


def _is_deep(value: Any) -> bool:
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(DEEPEST):
        level = [
            below
            for one in level
            for below in (one if type(one) is list else one.values())
            if type(below) in _CONTAINERS
        ]
        if not level:
            return False
    return True


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(one) for one in value]
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(one) for name, one in value.items()}
    return value


def stamp(at: int) -> str:
    """Return ``at`` (ns since the epoch) as RFC 3339, UTC, with milliseconds: ``2026-01-02T03:04:05.678Z``."""
    moment = _EPOCH + timedelta(milliseconds=at // 1_000_000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def stamp_or_none(at: int | None) -> str | None:
    """Return ``stamp(at)``, or None for None."""
    return None if at is None else stamp(at)


def nanoseconds(text: str) -> int:
    """Return the time (ns) of a stamp. Raises ValueError."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1) * 1_000_000
