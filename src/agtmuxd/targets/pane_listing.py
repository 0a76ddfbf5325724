"""What one listing of the panes tells, with what follows from it for the round after it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from agtmuxd.core.model import PaneRow
from agtmuxd.core.screen.title import published


@dataclass(frozen=True, slots=True)
class PaneListing:
    """What one listing of the panes tells, by pane id. ``signs``: what points to the process table where it changes."""

    rows: tuple[PaneRow, ...]
    panes: dict[str, PaneRow]
    signs: dict[str, tuple[object, ...]]
    viewed: tuple[str, ...]  # panes that an attached client has before it

    @classmethod
    def of(cls, rows: tuple[PaneRow, ...], before: PaneListing | None = None) -> PaneListing:
        """``before``: the last listing; of panes that are the same objects in it nothing is made anew."""
        known, signs = (before.panes, before.signs) if before is not None else ({}, {})
        return cls(
            rows,
            {row.pane_id: row for row in rows},
            {r.pane_id: signs[r.pane_id] if known.get(r.pane_id) is r else _signs(r) for r in rows},
            tuple([row.pane_id for row in rows if row.active and row.attached > 0]),
        )


def _signs(row: PaneRow) -> tuple[object, ...]:
    return row.pid, row.command, published(row.title), row.alternate_on, row.dead, row.declared_agent
