"""Shorten payloads before they are stored: cut long texts, and replace repeated ones by a reference.

Agents report a tool's input before and after its call, and its output often contains it again. A text that an earlier
event of the runtime holds is replaced by ``{"same_as": event id, "chars": length}``.

Only texts inside nested values are shortened. A text that is itself a value of the payload (a prompt, an agent's last
message) stays as it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final

TEXT_CAP: Final = 4096
"""Characters of one nested text that are kept."""
WORTH: Final = 512
"""Texts with at least so many characters are searched for in earlier payloads."""
BACK: Final = 12
"""Earlier payloads that are searched: as many as the tool calls that agents make in parallel."""

Dumps = Callable[[object], str]


def shorten_texts(
    connection: sqlite3.Connection,
    runtime_id: str,
    source: str,
    event_id: str,
    payload: Mapping[str, Any],
    dumps: Dumps,
) -> dict[str, Any]:
    """Copy ``payload`` with its nested texts shortened. ``dumps``: the encoder that stored the earlier payloads."""
    cut = _map_nested(payload, _cut)
    if not _has_long_text([value for value in cut.values() if not isinstance(value, str)]):
        return cut
    earlier = connection.execute(
        "SELECT event_id, raw_payload FROM events WHERE runtime_id = ? AND source = ? AND raw_payload IS NOT NULL"
        " ORDER BY ingested_at DESC LIMIT ?",
        (runtime_id, source, BACK),
    ).fetchall()
    seen: dict[str, str] = {}

    def shorten(text: str) -> Any:
        if len(text) < WORTH:
            return text
        if text not in seen:
            coded = dumps(text)  # with its quotes, so that only a whole text matches
            found = next((other for other, raw in earlier if coded in raw), None)
            seen[text] = found or event_id
            if found is None:
                return text
        return {"same_as": seen[text], "chars": len(text)}

    return _map_nested(cut, shorten)


def _map_nested(payload: Mapping[str, Any], change: Callable[[str], Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, str) else _map_texts(value, change) for key, value in payload.items()}


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CAP else f"{text[:TEXT_CAP]}… ({len(text) - TEXT_CAP} more characters)"


def _map_texts(value: Any, change: Callable[[str], Any]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map_texts(one, change) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_map_texts(one, change) for one in value]
    return value


def _has_long_text(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) >= WORTH
    if isinstance(value, Mapping):
        return any(_has_long_text(one) for one in value.values())
    return isinstance(value, list | tuple) and any(_has_long_text(one) for one in value)
