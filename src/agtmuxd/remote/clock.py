"""Another machine's clock: read from what ``date`` said, and events put right by how far it is off. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agtmuxd.core.model import NS, RawEvent

_HALF_SECOND: Final = NS // 2


def read_clock(said: bytes) -> int | None:
    """What ``date +%s%N`` said in ns; a ``date`` that knows no ``%N`` tells whole seconds. None for anything else."""
    text = said.decode("ascii", "replace").strip()
    if len(text) > 15 and text.isdecimal():
        return int(text)
    seconds = text.removesuffix("N").removesuffix("%")
    return int(seconds) * NS + _HALF_SECOND if seconds.isdecimal() else None


def put_right(event: RawEvent, offset: int | None) -> RawEvent:
    """``event`` with its times by our clock, never after it came in. ``offset``: the clock there minus ours in ns, None
    where it was not measured."""
    if offset is None:
        return event
    hint = None if event.start_hint is None else event.start_hint - offset
    return replace(event, event_time=min(event.event_time - offset, event.ingested_at), start_hint=hint)
