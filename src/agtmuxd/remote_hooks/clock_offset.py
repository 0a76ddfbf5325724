"""Read another machine's clock from the output of ``date``, and correct the times of its events. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agtmuxd.core.model import NS, RawEvent
from agtmuxd.core.numbers import TIME_MOST, is_time, whole

_HALF_SECOND: Final = NS // 2


def read_clock(output: bytes) -> int | None:
    """Return the time in ns from the output of ``date +%s%N``, None if it is no possible time.

    A ``date`` without ``%N`` prints whole seconds; then half a second is added.
    """
    text = output.decode("ascii", "replace").strip()
    seconds = text.removesuffix("N").removesuffix("%")
    try:
        if len(text) > 15:
            return whole(text, "the time", most=TIME_MOST)
        return whole(seconds, "the time", most=TIME_MOST // NS) * NS + _HALF_SECOND
    except ValueError:
        return None


def corrected(event: RawEvent, offset: int | None) -> RawEvent:
    """Return ``event`` with its times by our clock, and no event time after its arrival.

    ``offset``: the clock there minus ours in ns, None if it was not measured.
    """
    if offset is None:
        return event
    hint = None if event.start_hint is None else event.start_hint - offset
    return replace(
        event,
        event_time=min(max(event.event_time - offset, 0), event.ingested_at),
        start_hint=hint if is_time(hint) else None,
    )
