"""Detect what moves above an agent's input field: new words mean work, an unchanged screen does not.

Pure. Knows no agent and no rule: compares the rows above the field in one sample with those in the sample before.
Source: docs/reference/states.md, settle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from agtmuxd.core.model import MS, NS

STILL: Final = 2 * NS
"""A screen without a sign of a turn ends a turn only after nothing moved above its field for this long."""

LASTING: Final = 1 * NS
"""New text counts as a new turn only if it keeps appearing for this long, in at least CHANGES samples."""

CHANGES: Final = 4
"""The number of samples with new words. A single change is the user's own command, an answer to it, or a notice."""

LOOK: Final = 250 * MS
"""How soon a screen that moves is sampled again."""

_NEAR: Final = 8
"""New words appear in this many last rows above the field. Further up, old text only scrolls by."""


@dataclass(frozen=True, slots=True)
class Motion:
    """``rows``: what stood above the field in the last sample. Times are in ns, 0 for never."""

    rows: frozenset[int]
    began: int = 0
    moved_at: int = 0
    changes: int = 0

    def moves(self, at: int) -> bool:
        """Return whether new words came less than STILL ago."""
        return at - self.moved_at < STILL

    def lasts(self, at: int) -> bool:
        """Return whether text keeps appearing. That is a turn, whatever started it."""
        return self.moves(at) and self.changes >= CHANGES and self.moved_at - self.began >= LASTING


def follow(before: Motion | None, scene: tuple[int, ...], at: int) -> Motion:
    """Return the motion after one more sample.

    ``scene``: the rows above the field, each as a number that stands for its words. The first sample never counts as
    movement.
    """
    rows = frozenset(scene)
    if before is None:
        return Motion(rows)
    if before.rows.issuperset(scene[-_NEAR:]):
        return before if before.rows == rows else replace(before, rows=rows)
    going_on = before.moves(at)
    return Motion(rows, before.began if going_on else at, at, before.changes + 1 if going_on else 1)


def moved(before: Motion | None, scene: tuple[int, ...], at: int) -> Motion:
    """Return the same for a sample that counts as movement whatever it shows: the sign of a turn went out of sight."""
    return replace(before or Motion(frozenset()), rows=frozenset(scene), moved_at=at)
