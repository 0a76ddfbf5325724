"""Another machine's clock: read from what ``date`` said, and events put right by how far it is off. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agtmuxd.core.model import NS, RawEvent
from agtmuxd.core.numbers import TIME_MOST, is_time, whole

_HALF_SECOND: Final = NS // 2


def read_clock(said: bytes) -> int | None:
    """What ``date +%s%N`` said in ns; a ``date`` that knows no ``%N`` tells whole seconds. None for anything else, and
    for a time that cannot be."""
    text = said.decode("ascii", "replace").strip()
    seconds = text.removesuffix("N").removesuffix("%")
    try:
        if len(text) > 15:
            return whole(text, "the time", most=TIME_MOST)
        return whole(seconds, "the time", most=TIME_MOST // NS) * NS + _HALF_SECOND
    except ValueError:
        return None


def corrected(event: RawEvent, offset: int | None) -> RawEvent:
    """``event`` with its times by our clock, never after it came in. ``offset``: the clock there minus ours in ns, None
    where it was not measured."""
    if offset is None:
        return event
    hint = None if event.start_hint is None else event.start_hint - offset
    return replace(
        event,
        event_time=min(max(event.event_time - offset, 0), event.ingested_at),
        start_hint=hint if is_time(hint) else None,
    )
