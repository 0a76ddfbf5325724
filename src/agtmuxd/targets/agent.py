"""One agent in one pane: who it is, what its screen, status file and server said last, what it left behind.

Owns what is remembered of it between rounds, and the judgement of its end. Who is in which pane is ``roster``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.contract import Adapter, Ending, Identity
from agtmuxd.core.model import NS, Claim, PaneRow, Proc, Sample, Source, Write
from agtmuxd.core.screen.controls import Controls
from agtmuxd.core.screen.style import Spans
from agtmuxd.core.state.debounce import DebounceResult, DebounceState
from agtmuxd.tmux.round import lines

STYLES_HOLD: Final = 30 * NS
"""How long the text in a field is taken to be drawn as it was. A draft can take the place of a placeholder of the same
words between two looks: what follows from that for an action is read anew right before it."""

_WORKS: Final = (Claim.RUNNING, Claim.WAITING_APPROVAL, Claim.WAITING_INPUT)


@dataclass(slots=True)
class Agent:
    """One agent in one pane. Mutable: it lives in the loop's thread only."""

    pane_id: str
    adapter: Adapter
    identity: Identity
    proc: Proc
    started_at: int
    status_path: str | None
    home: Path  # the agent's configuration folder
    steady: dict[Source, DebounceState]
    screen: tuple[str, str, bool, bool, int, int] | None = None
    styles: Spans | None = None  # of that screen, where they were captured
    looked: Write | None = None
    looked_before: Claim | None = None
    status_text: bytes | None = None
    status_mark: object | None = None
    status_write: Write | None = None
    status_data: Mapping[str, Any] | None = None
    word: Write | None = None  # of the server that it shares; None: there is none to ask
    sample: Sample | None = None
    controls: Controls | None = None  # None: to be asked for
    undrawn: str | None = None  # the text in its field of which ``hint`` was found out
    hint: bool | None = None
    hint_at: int = 0
    wants_styles: bool = False
    asks_style: bool = False  # a rule does, of this screen
    title: str = ""
    gone_at: int | None = None
    released: bool = False  # its process runs on, and no adapter knows it any more
    levels: list[tuple[Source, DebounceResult]] = field(default_factory=list)

    @property
    def works(self) -> bool:
        """Whether it is worth a look every quarter of a second."""
        for steady in self.steady.values():  # noqa: SIM110 asked of every agent several times a second
            if steady.told is not None and steady.told.claim in _WORKS:
                return True
        return False

    def faded(self, now: int) -> bool:
        """Whether it is too long ago that the text in its field was seen as it is drawn."""
        return self.undrawn is not None and now - self.hint_at >= STYLES_HOLD


def left_in_order(
    agent: Agent, row: PaneRow | None, capture: str | None, left: Mapping[str, bytes | None]
) -> bool | None:
    """Whether it left in order, by what it left behind; None where nothing tells."""
    if row is None or capture is None:
        return None
    if row.dead and row.dead_signal is not None:
        return False
    path = agent.status_path
    kept = left[path] is not None if path is not None and path in left else None
    own = row.pid == agent.proc.pid
    return agent.adapter.ended_in_order(Ending(to_sample(row, capture), agent.title, False, kept, row.dead_status, own))


def to_sample(row: PaneRow, capture: str, styles: Spans | None = None) -> Sample:
    """``styles``: of the capture's rows, where they are known."""
    return Sample(
        lines(capture), row.title, row.alternate_on, row.cursor_visible, row.cursor_x, row.cursor_y, row.cols, row.rows,
        styles,
    )  # fmt: skip
