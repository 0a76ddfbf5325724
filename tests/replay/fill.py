"""Fills the placeholders of a recording ($PID, $CONFIG, $MS(n), ...) with the values of this replay."""

from __future__ import annotations

import os
import re
import time
from typing import Any

_PLACE = re.compile(
    r"\$(MS\((-?\d+)\)|ISO\((-?\d+)\)|CONFIG|WORK|DASHWORK|HASHWORK|HOME|LAB|PID|PROCSTART|TMUXLOC|TMUX|PANE|OTHER_PANE)"
)
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


class Fill:
    """``start``: wall clock (epoch seconds) of the recording's first moment; ``speed``: how much faster it plays."""

    def __init__(self, values: dict[str, Any], start: float, speed: float, fresh_ids: bool = False) -> None:
        self.values = values
        self.start = start
        self.speed = speed
        self.fresh_ids = fresh_ids
        self._ids: dict[str, str] = {}

    def text(self, text: str) -> str:
        """One string; what has no value yet stays as it is."""
        text = _PLACE.sub(self._one, text)
        return _UUID.sub(self._fresh, text) if self.fresh_ids else text

    def walk(self, value: Any) -> Any:
        """A whole JSON value; a lone $PID or $MS(n) becomes a number."""
        if isinstance(value, dict):
            return {key: self.walk(sub) for key, sub in value.items()}
        if isinstance(value, list):
            return [self.walk(sub) for sub in value]
        if not isinstance(value, str):
            return value
        if re.fullmatch(r"\$MS\(-?\d+\)", value) or (value == "$PID" and self.values.get("PID")):
            return int(self.text(value))
        return self.text(value)

    def _one(self, found: re.Match[str]) -> str:
        if found.group(2) is not None:
            return str(round(self._when(found.group(2)) * 1000))
        if found.group(3) is not None:
            at = self._when(found.group(3))
            return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at * 1000 % 1000):03d}Z"
        value = self.values.get(found.group(1))
        return found.group(0) if value is None else str(value)

    def _when(self, ms: str) -> float:
        return self.start + int(ms) / 1000 / self.speed

    def _fresh(self, found: re.Match[str]) -> str:
        return self._ids.setdefault(found.group(0), found.group(0)[:24] + os.urandom(6).hex())
