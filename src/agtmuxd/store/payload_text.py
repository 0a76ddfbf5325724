"""What of a payload is kept: long texts inside its values are cut, and one that an earlier event of the runtime has is
named, not kept again. Agents tell a tool's input before and after its call, and its output often holds it once more.

Texts that are values of the payload itself (a prompt, an agent's last message) stay as they are. Owns the form of what
stands in a text's place.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final

TEXT_CAP: Final = 4096
"""Characters of one text that are kept."""
WORTH: Final = 512
"""Characters from which a text is looked for in earlier payloads."""
BACK: Final = 12
"""Payloads that are looked into: as many tool calls as agents make side by side."""

Dumps = Callable[[object], str]


def kept(
    connection: sqlite3.Connection,
    runtime_id: str,
    source: str,
    event_id: str,
    payload: Mapping[str, Any],
    dumps: Dumps,
) -> dict[str, Any]:
    """``payload`` without what is too long and what is there already: ``{"same_as": event id, "chars": length}``."""
    cut = _inside(payload, _cut)
    if not _long([value for value in cut.values() if not isinstance(value, str)]):
        return cut
    earlier = connection.execute(
        "SELECT event_id, raw_payload FROM events WHERE runtime_id = ? AND source = ? AND raw_payload IS NOT NULL"
        " ORDER BY ingested_at DESC LIMIT ?",
        (runtime_id, source, BACK),
    ).fetchall()
    seen: dict[str, str] = {}

    def name(text: str) -> Any:
        if len(text) < WORTH:
            return text
        if text not in seen:
            coded = dumps(text)  # with its quotes: only a whole text is the same
            found = next((other for other, raw in earlier if coded in raw), None)
            seen[text] = found or event_id
            if found is None:
                return text
        return {"same_as": seen[text], "chars": len(text)}

    return _inside(cut, name)


def _inside(payload: Mapping[str, Any], change: Callable[[str], Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, str) else _each(value, change) for key, value in payload.items()}


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CAP else f"{text[:TEXT_CAP]}… ({len(text) - TEXT_CAP} more characters)"


def _each(value: Any, change: Callable[[str], Any]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each(one, change) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_each(one, change) for one in value]
    return value


def _long(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) >= WORTH
    if isinstance(value, Mapping):
        return any(_long(one) for one in value.values())
    return isinstance(value, list | tuple) and any(_long(one) for one in value)
