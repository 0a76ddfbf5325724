"""Reads the screens of the corpus that were captured with their attributes, and what was typed in them.

Owns their format (FORMAT.md beside this file). Knows no rule and no adapter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache

from agtmuxd.core.model import Sample
from agtmuxd.tmux.round import lines
from agtmuxd.tmux.sgr import parse
from tests.corpus.recording import ROOT


@dataclass(frozen=True, slots=True)
class Screen:
    """One captured screen. ``typed``: what the driver had typed into the field and not sent; ``raw``: as captured."""

    agent: str
    name: str
    raw: str
    sample: Sample
    typed: str
    colours: bool
    offered: bool  # the agent offers a prompt of its own in the field

    @property
    def plain(self) -> Sample:
        """The same without knowing how it is drawn."""
        return replace(self.sample, styles=None)

    @property
    def drawing(self) -> str:
        """What draws it onto a blank terminal of its size."""
        column, row = self.sample.cursor_x + 1, self.sample.cursor_y + 1
        rows = self.raw.rstrip("\n").replace("\n", "\r\n")
        shown = "h" if self.sample.cursor_visible else "l"
        return f"\x1b[0m\x1b[2J\x1b[H{rows}\x1b[0m\x1b[?25{shown}\x1b[{row};{column}H"


@cache
def load(name: str) -> Screen:
    """The screen ``agent/name``."""
    agent, _, one = name.partition("/")
    folder = ROOT / agent / "screens"
    body = json.loads((folder / "screens.json").read_text(encoding="utf-8"))[one]
    raw = (folder / f"{one}.txt").read_text(encoding="utf-8")
    text, styles = parse(raw)
    x, y, visible = body["cursor"]
    sample = Sample(
        lines(text), body["title"], bool(body["alt"]), bool(visible), x, y, body["cols"], body["rows"], styles
    )
    return Screen(agent, one, raw, sample, body["typed"], body["colours"], body.get("offered", False))


def names() -> list[str]:
    """Every screen."""
    return sorted(f"{p.parent.parent.name}/{p.stem}" for p in ROOT.glob("*/screens/*.txt"))
