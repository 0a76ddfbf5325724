"""Whether reading an agent's screen and status again, with the same words as before, can change anything at all.

Pure. Most readings say what the one before said; a daemon that took each of them through ``resolve`` would spend most
of its time on proving that nothing happened.
"""

from __future__ import annotations

from agtmuxd.core.model import Source
from agtmuxd.core.state.registers import FROM_SINCE, OVERRUN, RETIREMENTS, Marks, Registers
from agtmuxd.core.state.resolve import HINT_TTL

_FIXED = tuple(row.mark for row in RETIREMENTS if row.at in FROM_SINCE or row.at == "began")
"""Marks that do not grow while a level goes on saying the same; the others retire edges only."""


def is_unchanged(registers: Registers, marks: Marks, read_at: int, now: int) -> frozenset[Source] | None:
    """The level sources of a runtime read at ``read_at``, if they may be read again without consequence; else None.

    So it is once the levels prove a moment that lies OVERRUN behind every word and every fixed mark: a further reading
    only moves that moment on, and nothing is left for it to pass. A new word ends it, and time alone (going stale,
    demotion) is told by ``resolve`` as its next wake. Where the reading is so old at ``now`` that a claim may have gone
    stale, the next one brings it back and is none without consequence.
    """
    if now >= read_at + HINT_TTL:
        return None
    levels = [register for register in registers.values() if register.is_level and register.last_seen == read_at]
    if not levels:
        return None
    newest = max(marks.get(mark, 0) for mark in _FIXED)
    for register in registers.values():
        unread = register.is_level and register.last_seen != read_at  # its file is gone, say
        newest = max(newest, register.last_seen if unread else register.entry.since)
    if any(level.last_seen - level.lag - OVERRUN <= newest for level in levels):
        return None
    return frozenset(level.source for level in levels)
