"""Count agents, and decide what to write to a tmux server. Pure.

Owns the user options that the daemon writes: ``@agtmux_segment`` (what a status line shows), ``@agtmux_status`` (the
counts), ``@agtmux_at`` (when, by the server's own clock) and ``@agtmux_by`` (which daemon).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final

from agtmux.protocol import status_text

NS: Final = 1_000_000_000
STALE: Final = 60
"""Seconds after which a status line shows that it does not know the counts."""
SEGMENT: Final = f"#{{?#{{e|<:#{{e|-:%s,#{{@agtmux_at}}}},{STALE}}},#{{@agtmux_status}},{status_text.UNKNOWN}}}"
"""What a status line shows, as ``#{T:@agtmux_segment}``: the counts, or that they are old. tmux itself compares."""
_TIME: Final = "#{T:#{l:%s}}"
"""The server's own time. The daemon's clock may differ from that of another machine."""
_ON: Final = frozenset({"on", "1", "yes", "true"})
_OFF: Final = frozenset({"off", "0", "no", "false"})
BEAT: Final = 30 * NS
"""Write at least this often, so that the counts do not look old."""
PAUSE: Final = NS
"""Write at most this often."""
PATIENCE: Final = 10 * NS
"""How long until the next try after a failure, and until what was written must show in a round."""

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many agents there are in all targets that answer.

    ``needs_action``: those that wait for you. ``error``: those that failed and that nobody has looked at.
    ``review``: those whose finished work nobody has looked at. ``running``: those in a turn. No agent counts twice.
    """

    agents: int = 0
    needs_action: int = 0
    error: int = 0
    review: int = 0
    running: int = 0

    def to_json(self) -> dict[str, int]:
        return {one.name: getattr(self, one.name) for one in fields(self)}


def count(rows: Iterable[Mapping[str, Any]]) -> Counts:
    """Count the published rows of panes."""
    out = {one.name: 0 for one in fields(Counts)}
    for row in rows:
        if row.get("agent_type") is None:
            continue
        out["agents"] += 1
        kind = _kind(row)
        if kind is not None:
            out[kind] += 1
    return Counts(**out)


def _kind(row: Mapping[str, Any]) -> str | None:
    if row.get("attention") == "needs_action":
        return "error" if row["state"] == "error" else "needs_action"
    if row["state"] == "running":
        return "running"
    return "review" if row.get("attention") == "review" else None


def wants_status(options: Mapping[str, str]) -> bool:
    """Return whether the user of a server wants a status line there: ``@agtmux on``, and not ``@agtmux-status off``."""
    return options.get("@agtmux", "").lower() in _ON and options.get("@agtmux-status", "").lower() not in _OFF


class Step(StrEnum):
    """What to write to one server."""

    ALL = "all"  # all four options
    COUNTS = "counts"
    REMOVE = "remove"


@dataclass(slots=True)
class Line:
    """What the daemon knows of the status line of one server. Times in ns, 0: never."""

    text: str | None = None  # as written last
    tried_at: int = 0
    all_at: int = 0  # all options were written
    failed: bool = False
    other: tuple[str, str] | None = None  # the name and time of another daemon that writes there
    other_at: int = 0  # that time was new
    yields: bool = False

    def step(self, options: Mapping[str, str], text: str, own: str, now: int) -> Step | None:
        """Return what to write now, None for nothing. ``own``: the name of this daemon.

        Only one daemon writes to a server: the others yield as long as its time changes.
        """
        by = options.get("@agtmux_by", "")
        self.yields = self._is_written_by_another(by, options.get("@agtmux_at", ""), own, now)
        pause = PATIENCE if self.failed else PAUSE
        if self.yields or (self.tried_at and now - self.tried_at < pause):
            return None
        if not wants_status(options):
            waits = self.text is None and self.tried_at and now - self.tried_at < PATIENCE
            return Step.REMOVE if by and not waits else None
        if self.text is None or now - self.all_at >= BEAT or (by != own and now - self.all_at >= PATIENCE):
            return Step.ALL
        return Step.COUNTS if text != self.text else None

    def _is_written_by_another(self, by: str, at: str, own: str, now: int) -> bool:
        if by in ("", own):
            self.other = None
            return False
        if self.other != (by, at):
            self.other, self.other_at = (by, at), now
        return now - self.other_at < STALE * NS

    def note_try(self, step: Step, text: str, now: int, *, failed: bool = False) -> None:
        """Note a write that was tried at ``now``."""
        self.tried_at, self.failed = now, failed
        if failed or step is Step.REMOVE:
            self.text = None
        else:
            self.text = text
            if step is Step.ALL:
                self.all_at = now


def build_commands(step: Step, text: str, own: str) -> Sequence[Command]:
    """Return the tmux commands of a step."""
    if step is Step.REMOVE:
        return [
            ("set-option", "-gqu", name) for name in ("@agtmux_segment", "@agtmux_status", "@agtmux_at", "@agtmux_by")
        ]
    counts: list[Command] = [
        ("set-option", "-gq", "@agtmux_status", text),
        ("set-option", "-gqF", "@agtmux_at", _TIME),
    ]
    if step is Step.COUNTS:
        return counts
    return [("set-option", "-gq", "@agtmux_by", own), *counts, ("set-option", "-gq", "@agtmux_segment", SEGMENT)]
