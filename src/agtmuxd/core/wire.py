"""How values look on the wire: JSON bytes and timestamps.

Owns the one JSON encoding of the daemon. Knows no route and no row.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode(value: Any) -> bytes:
    """``value`` as one line of UTF-8 JSON, no newline. Lone surrogates become ``?``. Raises TypeError, ValueError."""
    return _ENCODER.encode(value).encode("utf-8", "replace")


def stamp(at: int) -> str:
    """``at`` (ns since the epoch) as RFC 3339, UTC, with milliseconds: ``2026-01-02T03:04:05.678Z``."""
    moment = _EPOCH + timedelta(milliseconds=at // 1_000_000)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def stamp_or_none(at: int | None) -> str | None:
    return None if at is None else stamp(at)
