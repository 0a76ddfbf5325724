"""One sample of a pane, cut into the regions that screen rules speak of.

Owns the words for places on a screen (tail, footer, above the composer, block, title) and the composer's shape. Pure;
knows no agent: what a composer looks like comes from a rules file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agtmuxd.core.model import Sample

_BARS: Final = "│┃║╎▎"


def unframe(text: str) -> str:
    """``text`` with the bars of boxes as blanks. Each in its own pass: a table of look-ups costs ten times as much."""
    for bar in _BARS:
        if bar in text:
            text = text.replace(bar, " ")
    return text


def squash(text: str) -> str:
    """``text`` without blanks and box bars: equal for the same words, however a narrow pane wrapped them."""
    return "".join(unframe(text).split())


def flatten(text: str) -> str:
    """``text`` on one line with single blanks and no box bars."""
    return " ".join(unframe(text).split())


@dataclass(frozen=True, slots=True)
class ComposerSpec:
    """How an agent's input field is recognised. All patterns are tried against single rows.

    ``prompt`` the row with the prompt sign, its group 1 (if any) the text typed; ``above`` must match one of the
    ``reach`` rows above it, ``below`` some row below it; ``hints`` match placeholder texts, which are no draft;
    ``noise`` rows above the composer that ``above`` regions skip; ``column`` where the cursor stands in an empty field;
    ``below_last`` the ``below`` row must be among so many last rows (0: anywhere below).
    """

    prompt: re.Pattern[str]
    above: re.Pattern[str] | None = None
    below: re.Pattern[str] | None = None
    hints: re.Pattern[str] | None = None
    noise: re.Pattern[str] | None = None
    reach: int = 1
    column: int = 2
    below_last: int = 0


@dataclass(frozen=True, slots=True)
class Composer:
    """Where the input field is: indexes into the non-blank rows. ``free`` None: cannot be told."""

    top: int
    prompt: int
    bottom: int
    free: bool | None


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a screen: ``text`` its rows joined by newlines, ``flat`` on one line, ``squashed`` without blanks."""

    rows: tuple[str, ...]
    text: str
    flat: str
    squashed: str


EMPTY: Final = Region((), "", "", "")


def region_of(rows: list[str] | tuple[str, ...]) -> Region:
    """Join rows once in each of the forms that matchers read."""
    if not rows:
        return EMPTY
    text = "\n".join(rows)
    words = unframe(text).split()
    return Region(tuple(rows), text, " ".join(words), "".join(words))


@dataclass(frozen=True, slots=True)
class Place:
    """A place. kind: screen, tail, title, footer, above, composer or block. ``count`` rows; ``start`` of a block."""

    kind: str
    count: int = 0
    start: re.Pattern[str] | None = None

    @property
    def key(self) -> tuple[str, int, str]:
        return (self.kind, self.count, self.start.pattern if self.start else "")


class View:
    """A sample being looked at. Regions are cut on first use and kept, so that many rules can share them."""

    __slots__ = ("_composer", "_found", "_known", "_regions", "_squashed", "rows", "sample", "title", "ys")

    def __init__(self, sample: Sample, spec: ComposerSpec | None) -> None:
        self.sample = sample
        self.title = sample.title.strip()
        self.rows: list[str] = []
        self.ys: list[int] = []
        for y, row in enumerate(sample.lines):
            cut = row.rstrip()
            if cut:
                self.rows.append(cut)
                self.ys.append(y)
        self._composer = spec
        self._found: Composer | None = None
        self._known = False
        self._squashed: str | None = None
        self._regions: dict[tuple[str, int, str], Region | None] = {}

    @property
    def squashed(self) -> str:
        """The whole screen without blanks: what cheap contains-tests are tried against first."""
        if self._squashed is None:
            self._squashed = squash("\n".join(self.rows))
        return self._squashed

    @property
    def composer(self) -> Composer | None:
        """The input field, if it is on the screen."""
        if not self._known:
            self._known = True
            if self._composer is not None:
                self._found = _find_composer(self, self._composer)
        return self._found

    def region(self, place: Place) -> Region | None:
        """The rows of ``place``; None where the screen has no such place."""
        key = place.key
        if key not in self._regions:
            self._regions[key] = self._cut(place)
        return self._regions[key]

    def _cut(self, place: Place) -> Region | None:
        kind, rows = place.kind, self.rows
        if kind == "title":
            return Region((self.title,), self.title, flatten(self.title), squash(self.title))
        if kind == "screen":
            return region_of(rows)
        if kind == "tail":
            return region_of(rows[-place.count :])
        if kind == "block":
            return self._block(place)
        found = self.composer
        if found is None:
            return None
        if kind == "footer":
            return region_of(rows[found.bottom + 1 :])
        if kind == "composer":
            return region_of(rows[found.prompt : found.bottom])
        return region_of(self._above(found.top, place.count))

    def _above(self, top: int, count: int) -> list[str]:
        noise = self._composer.noise if self._composer else None
        picked: list[str] = []
        for i in range(top - 1, -1, -1):
            row = self.rows[i]
            if noise is not None and noise.search(row):
                continue
            picked.append(row)
            if len(picked) == count:
                break
        picked.reverse()
        return picked

    def _block(self, place: Place) -> Region | None:
        start = place.start
        if start is None:
            return None
        low = max(0, len(self.rows) - (place.count or len(self.rows)))
        for i in range(len(self.rows) - 1, low - 1, -1):
            if start.search(self.rows[i]):
                return region_of(self.rows[i:])
        return None


def _find_composer(view: View, spec: ComposerSpec) -> Composer | None:
    rows, last = view.rows, len(view.rows)
    for i in range(last - 1, -1, -1):
        found = spec.prompt.match(rows[i])
        if found is None:
            continue
        top, bottom = i, last
        if spec.above is not None:
            near = range(i - 1, max(-1, i - 1 - spec.reach), -1)
            top = next((k for k in near if spec.above.search(rows[k])), -1)
            if top < 0:
                continue
        if spec.below is not None:
            low = max(i + 1, last - spec.below_last) if spec.below_last else i + 1
            bottom = next((k for k in range(low, last) if spec.below.search(rows[k])), -1)
            if bottom < 0:
                continue
        typed = found.group(1) if found.re.groups else rows[i][found.end() :]
        return Composer(top, i, bottom, _free(view, spec, i, bottom, (typed or "").strip()))
    return None


def _free(view: View, spec: ComposerSpec, prompt: int, bottom: int, typed: str) -> bool | None:
    """Whether nothing is typed: no text, or a known placeholder with the cursor still in front of it.

    An unknown text behind the cursor may be a placeholder or a draft: None.
    """
    if (
        bottom - prompt > 1
        and any(unframe(r).strip() for r in view.rows[prompt + 1 : bottom])
        and spec.above is not None
    ):
        return False
    if not typed:
        return True
    at_start = view.sample.cursor_y == view.ys[prompt] and view.sample.cursor_x <= spec.column
    if not at_start:
        return False
    return True if spec.hints is not None and spec.hints.search(typed) else None
