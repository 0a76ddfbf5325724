"""Hold one listing of a target's panes, and the values that the next round compares with. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from agtmuxd.core.model import PaneRow
from agtmuxd.core.screen.title import published


@dataclass(frozen=True, slots=True)
class PaneListing:
    """One listing of the panes. ``signs``: values by pane id; a change of one calls for a new process table."""

    rows: tuple[PaneRow, ...]
    panes: dict[str, PaneRow]
    signs: dict[str, tuple[object, ...]]
    viewed: tuple[str, ...]  # panes that an attached client shows

    @classmethod
    def of(cls, rows: tuple[PaneRow, ...], before: PaneListing | None = None) -> PaneListing:
        """Make a listing of ``rows``. ``before``: the last listing; the signs of identical row objects are reused."""
        known, signs = (before.panes, before.signs) if before is not None else ({}, {})
        return cls(
            rows,
            {row.pane_id: row for row in rows},
            {r.pane_id: signs[r.pane_id] if known.get(r.pane_id) is r else _signs(r) for r in rows},
            tuple([row.pane_id for row in rows if row.active and row.attached > 0]),
        )


def _signs(row: PaneRow) -> tuple[object, ...]:
    return row.pid, row.command, published(row.title), row.alternate_on, row.dead, row.declared_agent
