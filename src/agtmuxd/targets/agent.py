"""Remember one agent in one pane: its identity, and the last reading of its screen, status file and shared server.

Owns what is kept about an agent between rounds, and decides whether it ended normally. ``roster`` owns which agent is
in which pane.
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
"""Time (ns) for which the text in the input field is taken to have the same style as when it was last read.

A draft can replace a placeholder of the same text between two rounds. Right before an action the style is read again.
"""

_WORKS: Final = (Claim.RUNNING, Claim.WAITING_APPROVAL, Claim.WAITING_INPUT)


@dataclass(slots=True)
class Agent:
    """One agent in one pane. Mutable: used only in the event loop's thread."""

    pane_id: str
    adapter: Adapter
    identity: Identity
    proc: Proc
    started_at: int
    status_path: str | None
    home: Path  # the agent's configuration folder
    steady: dict[Source, DebounceState]
    screen: tuple[str, str, bool, bool, int, int] | None = None
    styles: Spans | None = None  # of that screen, if they were captured
    looked: Write | None = None
    looked_before: Claim | None = None
    status_text: bytes | None = None
    status_mark: object | None = None
    status_write: Write | None = None
    status_data: Mapping[str, Any] | None = None
    server_claim: Write | None = None  # the claim of its shared server; None: no server
    sample: Sample | None = None
    controls: Controls | None = None  # None: not yet read from the adapter
    undrawn: str | None = None  # the text in its input field that ``hint`` is about
    hint: bool | None = None
    hint_at: int = 0
    wants_styles: bool = False  # the next round has to capture styles
    asks_style: bool = False  # a rule needs the styles of this screen
    title: str = ""
    gone_at: int | None = None
    released: bool = False  # its process still runs, but no adapter recognises it any more
    levels: list[tuple[Source, DebounceResult]] = field(default_factory=list)

    @property
    def works(self) -> bool:
        """Whether it works or waits for you, so that rounds come every quarter of a second."""
        for steady in self.steady.values():  # noqa: SIM110 asked of every agent several times a second
            if steady.current is not None and steady.current.claim in _WORKS:
                return True
        return False

    def style_is_old(self, now: int) -> bool:
        """Return whether the style of the text in its input field was read 30 s ago or earlier."""
        return self.undrawn is not None and now - self.hint_at >= STYLES_HOLD


def left_in_order(
    agent: Agent, row: PaneRow | None, capture: str | None, left: Mapping[str, bytes | None]
) -> bool | None:
    """Return whether an agent ended normally, None if unknown.

    Uses its last screen (``capture``), its exit status and its status file. ``left``: by path, the status files read
    after it ended, None for a missing one.
    """
    if row is None or capture is None:
        return None
    if row.dead and row.dead_signal is not None:
        return False
    path = agent.status_path
    kept = left[path] is not None if path is not None and path in left else None
    own = row.pid == agent.proc.pid
    return agent.adapter.ended_in_order(Ending(to_sample(row, capture), agent.title, False, kept, row.dead_status, own))


def to_sample(row: PaneRow, capture: str, styles: Spans | None = None) -> Sample:
    """Make a sample of a pane's row and its captured screen. ``styles``: of the screen's rows, if known."""
    return Sample(
        lines(capture), row.title, row.alternate_on, row.cursor_visible, row.cursor_x, row.cursor_y, row.cols, row.rows,
        styles,
    )  # fmt: skip
