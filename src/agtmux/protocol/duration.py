"""Read durations like ``15m``, as options and the configuration have them."""

from __future__ import annotations

import re

_FORM = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_of(text: str) -> float | None:
    """Return the seconds of ``30s``, ``15m``, ``2h`` or ``1d``; None for any other text."""
    match = _FORM.fullmatch(text)
    return None if match is None else float(match[1]) * _SECONDS[match[2]]
