"""What moves above an agent's input field: words that were not there before are work, an unchanged screen is not.

Pure. Knows no agent and no rule: it compares what stands above the field in one sample with the sample before.
docs/reference/states.md, settle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from agtmuxd.core.model import MS, NS

STILL: Final = 2 * NS
"""A screen without a sign of a turn ends one only after nothing above its field moved for so long."""

LASTING: Final = 1 * NS
"""New words count as a turn of their own only if they go on coming for so long, ..."""

CHANGES: Final = 4
"""... in at least so many samples. One change is a command of the user's, an answer to it, a notice."""

LOOK: Final = 250 * MS
"""How soon a screen that moves is sampled again."""

_NEAR: Final = 8
"""New words appear in the last rows above the field; further up only what was there before scrolls by."""


@dataclass(frozen=True, slots=True)
class Motion:
    """``rows``: what stood above the field in the last sample. Times are ns, 0 for never."""

    rows: frozenset[int]
    began: int = 0
    moved_at: int = 0
    changes: int = 0

    def moves(self, at: int) -> bool:
        """Whether words came less than STILL ago."""
        return at - self.moved_at < STILL

    def lasts(self, at: int) -> bool:
        """Whether words go on coming: a turn, whoever began it."""
        return self.moves(at) and self.changes >= CHANGES and self.moved_at - self.began >= LASTING


def follow(before: Motion | None, scene: tuple[int, ...], at: int) -> Motion:
    """``scene``: the rows above the field, each as a number for its words. The first sample moves nothing."""
    rows = frozenset(scene)
    if before is None:
        return Motion(rows)
    if before.rows.issuperset(scene[-_NEAR:]):
        return before if before.rows == rows else replace(before, rows=rows)
    going_on = before.moves(at)
    return Motion(rows, before.began if going_on else at, at, before.changes + 1 if going_on else 1)


def moved(before: Motion | None, scene: tuple[int, ...], at: int) -> Motion:
    """The same for a sample that counts as moving, whatever it shows: the sign of a turn went out of sight."""
    return replace(before or Motion(frozenset()), rows=frozenset(scene), moved_at=at)
