"""Decide whether reading an agent's screen and status again, with the same claims, can change anything.

Pure. Most readings repeat the one before. A daemon that ran ``resolve`` for each would spend most of its time on
proving that nothing happened.
"""

from __future__ import annotations

from agtmuxd.core.model import Source
from agtmuxd.core.state.registers import FROM_SINCE, OVERRUN, RETIREMENTS, Marks, Registers
from agtmuxd.core.state.resolve import HINT_TTL

_FIXED = tuple(row.mark for row in RETIREMENTS if row.at in FROM_SINCE or row.at == "began")
"""Marks that do not grow while a level repeats its claim. The other marks retire edges only."""


def is_unchanged(registers: Registers, marks: Marks, read_at: int, now: int) -> frozenset[Source] | None:
    """Return the level sources of a runtime that may be read again without effect.

    None if any reading may change something.

    ``read_at``: when the runtime was read (ns). Reading again has no effect once the levels prove a moment that is
    OVERRUN after every claim and every fixed mark. A further reading only moves that moment on, and nothing is left
    that it could retire. A new claim ends this. ``resolve`` covers time alone (going stale, demotion) with its next
    wake. If the reading is so old at ``now`` that a claim may have gone stale, the next reading refreshes that claim,
    so it does have an effect.
    """
    if now >= read_at + HINT_TTL:
        return None
    levels = [register for register in registers.values() if register.is_level and register.last_seen == read_at]
    if not levels:
        return None
    newest = max(marks.get(mark, 0) for mark in _FIXED)
    for register in registers.values():
        unread = register.is_level and register.last_seen != read_at  # for example, its file is gone
        newest = max(newest, register.last_seen if unread else register.entry.since)
    if any(level.last_seen - level.lag - OVERRUN <= newest for level in levels):
        return None
    return frozenset(level.source for level in levels)
