"""Reads the corpus: recordings of real agent panes and what the agents were really doing.

Owns the recording format (FORMAT.md beside this file). Knows no rule and no adapter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from agtmuxd.core.model import Sample

ROOT = Path(__file__).parent


@dataclass(frozen=True)
class Label:
    """What the agent did from ``start`` to ``end`` (ms). ``accepted``: every state that is right there."""

    start: int
    end: int
    state: str
    accepted: frozenset[str]
    waiting_kind: str | None
    background: bool
    hidden: bool = False  # no screen shows it


@dataclass(frozen=True)
class Recording:
    """One recording with its labels. ``lines`` in order of time, the header left out."""

    agent: str
    scenario: str
    header: dict[str, Any]
    lines: tuple[dict[str, Any], ...]
    labels: tuple[Label, ...]
    dont_care: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        return f"{self.agent}/{self.scenario}"

    def samples(self) -> Iterator[tuple[int, Sample]]:
        """(t_ms, sample) after every change of screen or title; several changes of one moment are one."""
        height, width = self.header["rows"], self.header["cols"]
        rows, title, alt, cursor = [""] * height, "", 0, [0, 0, 1]
        for i, line in enumerate(self.lines):
            if line["kind"] == "title":
                title = line["title"]
            elif line["kind"] == "screen":
                width, height = line.get("size", (width, height))
                if "full" in line:
                    rows = [*line["full"], *[""] * (height - len(line["full"]))]
                for index, text in line.get("rows", {}).items():
                    rows[int(index)] = text
                alt, cursor = line.get("alt", alt), line.get("cur", cursor)
            else:
                continue
            later = self.lines[i + 1] if i + 1 < len(self.lines) else None
            if later is not None and later["t_ms"] == line["t_ms"] and later["kind"] in ("screen", "title"):
                continue
            cut = height
            while cut and not rows[cut - 1].strip():
                cut -= 1
            yield (
                line["t_ms"],
                Sample(tuple(rows[:cut]), title, bool(alt), bool(cursor[2]), cursor[0], cursor[1], width, height),
            )

    def sizes(self) -> list[tuple[int, tuple[int, int]]]:
        """(t_ms, (columns, rows)) from the start and after every resizing of the pane."""
        changed = [(x["t_ms"], (x["size"][0], x["size"][1])) for x in self.lines if "size" in x]
        return [(-(10**6), (self.header["cols"], self.header["rows"])), *changed]

    def sample_at(self, t_ms: int) -> Sample:
        """What the pane showed at ``t_ms``."""
        found: Sample | None = None
        for t, sample in self.samples():
            if t > t_ms and found is not None:
                break
            found = sample
        if found is None:
            raise LookupError(f"{self.name} has no sample")
        return found

    def label_at(self, t_ms: float) -> Label | None:
        """The label at that moment; None where nothing is to be scored."""
        if any(a <= t_ms < b for a, b in self.dont_care):
            return None
        return next((x for x in self.labels if x.start <= t_ms < x.end), None)

    @cached_property
    def headless(self) -> bool:
        """Whether the recorded agent ran without its screen."""
        argv = [a for x in self.lines if x["kind"] == "proc" and x["event"] == "start" for a in x["chain"][-1]["argv"]]
        return any(a in ("-p", "exec") for a in argv) or self.header["started_as"] == "headless"


@cache
def load(name: str) -> Recording:
    """The recording ``agent/scenario``."""
    path = ROOT / f"{name}.jsonl"
    header, *lines = [json.loads(x) for x in path.read_text(encoding="utf-8").splitlines() if x.strip()]
    labels = json.loads((ROOT / f"{name}.labels.json").read_text(encoding="utf-8"))
    return Recording(
        agent=header["agent"],
        scenario=header["scenario"],
        header=header,
        lines=tuple(lines),
        labels=tuple(
            Label(
                x["from"], x["to"], x["state"], frozenset(x.get("either", [x["state"]])), x.get("waiting_kind"),
                bool(x.get("background")), bool(x.get("hidden")),
            )
            for x in labels["intervals"]
        ),
        dont_care=tuple((x["from"], x["to"]) for x in labels["dont_care"]),
    )  # fmt: skip


def names(agent: str | None = None) -> list[str]:
    """Every recording, or one agent's."""
    return sorted(
        f"{p.parent.name}/{p.name[: -len('.labels.json')]}" for p in ROOT.glob(f"{agent or '*'}/*.labels.json")
    )
