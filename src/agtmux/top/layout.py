"""Where things stand: panels by the size of the terminal, columns by the width of the list.

Pure. Nothing here depends on what is shown, so nothing moves when data changes.
"""

from __future__ import annotations

from dataclasses import dataclass

STACKED, WIDE = 50, 120
"""From so many columns on, the detail stands below the list, or beside it."""
TALL = 16
"""With fewer rows there is no detail below the list."""
DETAIL = 9
WHY = 8
LIST_PERCENT = 58
SIZES = ("half", "full")
"""How big the focused panel is."""


def shape(columns: int) -> str:
    """Return ``narrow``, ``stacked`` or ``wide``."""
    return "narrow" if columns < STACKED else "stacked" if columns < WIDE else "wide"


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths of the columns of a row, in cells. 0: the column is left out. ``age_at``: where the age begins."""

    word: int
    agent: int
    place: int
    age: int
    folder: int
    what: int
    age_at: int


def columns(width: int) -> Columns:
    """Return the columns of a list of this width. Before them stand a pointer and the glyph, one cell each."""
    if width < STACKED:
        agent, age = (8, 6) if width >= 34 else (6, 4)
        place = max(0, width - 2 - 1 - agent - 1 - 1 - age)
        return Columns(0, agent, place, age, 0, 0, 2 + 1 + agent + 1 + place + 1)
    place = min(24, max(12, width // 5))
    folder = 18 if width >= 106 else 0
    age_at = 2 + 1 + 9 + 1 + 8 + 1 + place + 1
    rest = width - age_at - 6 - 2 - (folder + 1 if folder else 0)
    return Columns(9, 8, place, 6, folder, max(0, rest), age_at)
