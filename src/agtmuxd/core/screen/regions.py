"""Cut one sample of a pane into the regions that screen rules name.

Owns the names of places on a screen (tail, footer, above the composer, block, title) and the search for the composer,
which is the agent's input field. Pure; knows no agent: what a composer looks like comes from a rules file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agtmuxd.core.model import Sample
from agtmuxd.core.screen.cells import width
from agtmuxd.core.screen.style import StyleTest, Words, colour_of, words_of

_BARS: Final = "│┃║╎▎"
_FRAME: Final = f"{_BARS}─━═╭╮╰╯▁▔▀▄█ \t\xa0"
"""The characters of a row that only draws the field's frame.

Gemini CLI draws a line below its field if it has no colours. In true colour it draws the edges of the field's
background in half blocks.
"""


def is_frame(row: str) -> bool:
    """Return whether this row holds nothing but a frame."""
    return not row.strip(_FRAME)


def unframe(text: str) -> str:
    """Return ``text`` with the bars of boxes as blanks.

    Each bar has its own pass: one translation table takes ten times as long.
    """
    for bar in _BARS:
        if bar in text:
            text = text.replace(bar, " ")
    return text


def squash(text: str) -> str:
    """Return ``text`` without blanks and box bars.

    It is equal for the same words, however a narrow pane wrapped them.
    """
    return "".join(unframe(text).split())


def flatten(text: str) -> str:
    """Return ``text`` on one line with single blanks and no box bars."""
    return " ".join(unframe(text).split())


@dataclass(frozen=True, slots=True)
class ComposerSpec:
    """How to recognise an agent's input field. All patterns are tried on single rows.

    - ``prompt``: the row with the prompt sign. Its group 1, if any, is the typed text.
    - ``above``: must match one of the ``reach`` rows above the prompt's row.
    - ``below``: must match a row below it. ``below_last``: that row must be among this many last rows (0: anywhere
      below).
    - ``hints``: matches placeholder texts, which are no draft.
    - ``noise``: rows above the composer that ``above`` regions skip.
    - ``panels``: parts of the frame above the field (a list of tasks, of queued prompts). Each is matched on the rows
      up to the field.
    - ``column``: where the cursor stands in an empty field.
    - ``bare``: the ``below`` row may be missing if nothing but a frame follows the prompt's row.
    - ``hint_style``: the style of a placeholder.
    - ``hint_like``: matches a row whose group 1 has the colour of placeholders.
    - ``own``: matches the agent's own row of the footer. What is above it there belongs to the user.
    - ``ruled``: the field has no prompt sign, and ``prompt`` matches the rule above its text.
    - ``unless``: matches a row that only a list or a dialog in the field's place has.
    - ``other``: the field in another layout, tried if this one is not found.
    - ``scrollbar``: the characters of a scrollbar at the right edge. They are cut from all rows.
    """

    prompt: re.Pattern[str]
    above: re.Pattern[str] | None = None
    below: re.Pattern[str] | None = None
    hints: re.Pattern[str] | None = None
    noise: re.Pattern[str] | None = None
    panels: tuple[re.Pattern[str], ...] = ()
    reach: int = 1
    column: int = 2
    below_last: int = 0
    bare: bool = False
    hint_style: StyleTest | None = None
    hint_like: re.Pattern[str] | None = None
    own: re.Pattern[str] | None = None
    ruled: bool = False
    unless: re.Pattern[str] | None = None
    other: ComposerSpec | None = None
    scrollbar: str = ""

    @property
    def styled(self) -> bool:
        """Whether the way it is drawn tells a placeholder from a draft."""
        return self.hint_style is not None or self.hint_like is not None

    def before(self, sample: Sample) -> str | None:
        """Return the text from the cursor on, rows below the field included.

        None if no text begins there that may be a draft or a placeholder.
        """
        if sample.cursor_x > self.column or sample.cursor_y >= len(sample.lines):
            return None
        row = sample.lines[sample.cursor_y].rstrip()
        found = self.prompt.match(row)
        if found is None:
            return None
        typed = found.group(1) if found.re.groups else row[found.end() :]
        return "\n".join(sample.lines[sample.cursor_y :]) if typed and typed.strip() else None


@dataclass(frozen=True, slots=True)
class Composer:
    """The place of the input field, as indexes into the non-blank rows. ``free`` None: unknown.

    ``offered``: the field is free but shows a text that is no known placeholder. Enter may take that text as a prompt.
    """

    top: int
    prompt: int
    bottom: int
    free: bool | None
    offered: bool = False
    hint: bool | None = None  # whether a text in it is drawn as a placeholder; None: unknown


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a screen.

    ``text``: its rows joined by newlines; ``flat``: on one line; ``squashed``: without blanks.
    """

    rows: tuple[str, ...]
    text: str
    flat: str
    squashed: str


EMPTY: Final = Region((), "", "", "")


def region_of(rows: list[str] | tuple[str, ...]) -> Region:
    """Join rows once, in each of the forms that matchers read."""
    if not rows:
        return EMPTY
    text = "\n".join(rows)
    words = unframe(text).split()
    return Region(tuple(rows), text, " ".join(words), "".join(words))


@dataclass(frozen=True, slots=True)
class Place:
    """A place on the screen.

    ``kind``: screen, tail, title, footer, own, below, above, composer or block. ``count``: the number of rows. A block
    begins at the last row that matches ``start``, or ``back`` matches before that one.
    """

    kind: str
    count: int = 0
    start: re.Pattern[str] | None = None
    back: int = 0

    @property
    def key(self) -> tuple[str, int, str, int]:
        """A key that is equal for equal places."""
        return (self.kind, self.count, self.start.pattern if self.start else "", self.back)


class View:
    """A sample, ready to be searched. Regions are cut on first use and kept, so that many rules can share them."""

    __slots__ = ("_composer", "_found", "_known", "_over", "_regions", "_squashed", "rows", "sample", "title", "ys")

    def __init__(self, sample: Sample, spec: ComposerSpec | None) -> None:
        self.sample = sample
        self.title = sample.title.strip()
        self.rows: list[str] = []
        self.ys: list[int] = []
        bar = spec.scrollbar if spec is not None else ""
        for y, row in enumerate(sample.lines):
            cut = row.rstrip()
            if cut and bar and cut[-1] in bar:
                cut = _without_scrollbar(cut, sample.cols)
            if cut:
                self.rows.append(cut)
                self.ys.append(y)
        self._composer = spec
        self._found: Composer | None = None
        self._known = False
        self._squashed: str | None = None
        self._over: list[int] | None = None
        self._regions: dict[tuple[str, int, str, int], Region | None] = {}

    @property
    def squashed(self) -> str:
        """The whole screen without blanks. Cheap ``contains`` tests read this first."""
        if self._squashed is None:
            self._squashed = squash("\n".join(self.rows))
        return self._squashed

    @property
    def composer(self) -> Composer | None:
        """The input field, if it is on the screen."""
        if not self._known:
            self._known = True
            spec = self._composer
            while spec is not None:
                self._found = _find_composer(self, spec)
                if self._found is not None:
                    self._composer = spec
                    break
                spec = spec.other
        return self._found

    def scene(self) -> tuple[int, ...]:
        """Return the rows above the input field, each as a number for its words. Without a field, return all rows.

        Marks, frames, pictures and rows of ``noise`` are left out: they move although nothing works.
        """
        found = self.composer
        noise = self._composer.noise if self._composer else None
        rows = self.rows if found is None else self.rows[: found.top]
        shown = [row for row in rows if noise is None or not noise.search(row)]
        return tuple([hash(words) for row in shown if (words := "".join(filter(str.isalnum, row)))])

    def region(self, place: Place) -> Region | None:
        """Return the rows of ``place``. None if the screen has no such place."""
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
            start = self._block(place)
            return None if start is None else region_of(rows[start:])
        found = self.composer
        if found is None:
            return None
        if kind == "footer":
            return region_of(rows[found.bottom + 1 :])
        if kind == "own":
            return region_of(rows[self._own(found.bottom + 1) :])
        if kind == "below":
            return region_of(rows[found.bottom + 1 :][: place.count])
        if kind == "composer":
            return region_of(rows[found.prompt : found.bottom])
        return region_of([rows[i] for i in self._above(found.top, place.count)])

    def where(self, place: Place) -> Sequence[int]:
        """Return the indexes into ``rows`` of what ``region`` returns.

        For callers that need to know how the text is drawn.
        """
        kind, last = place.kind, len(self.rows)
        if kind == "screen":
            return range(last)
        if kind == "tail":
            return range(max(0, last - place.count), last)
        if kind == "block":
            start = self._block(place)
            return range(0) if start is None else range(start, last)
        found = self.composer
        if found is None or kind == "title":
            return range(0)
        if kind == "footer":
            return range(found.bottom + 1, last)
        if kind == "own":
            return range(self._own(found.bottom + 1), last)
        if kind == "below":
            return range(found.bottom + 1, min(last, found.bottom + 1 + place.count))
        if kind == "composer":
            return range(found.prompt, found.bottom)
        return self._above(found.top, place.count)

    def _own(self, first: int) -> int:
        """Return where the agent's own rows of the footer begin.

        That is the last row that matches ``own``, or the end if no row does. Without ``own``, all rows from ``first``
        on are the agent's.
        """
        own = self._composer.own if self._composer else None
        if own is None:
            return first
        return next((i for i in range(len(self.rows) - 1, first - 1, -1) if own.search(self.rows[i])), len(self.rows))

    def _above(self, top: int, count: int) -> list[int]:
        if self._over is None:
            spec = self._composer
            noise = spec.noise if spec else None
            over = [i for i in range(top) if noise is None or not noise.search(self.rows[i])]
            self._over = _without_panels(self.rows, over, spec.panels) if spec and spec.panels else over
        return self._over[-count:]

    def _block(self, place: Place) -> int | None:
        start = place.start
        if start is None:
            return None
        low = max(0, len(self.rows) - (place.count or len(self.rows)))
        left = place.back
        for i in range(len(self.rows) - 1, low - 1, -1):
            if start.search(self.rows[i]):
                if left == 0:
                    return i
                left -= 1
        return None


_EDGE: Final = 3
"""Within how many cells of the right edge a scrollbar is."""


def _without_scrollbar(row: str, columns: int) -> str:
    """Return ``row`` without the last character, if that is at the right edge, behind a blank."""
    if row[-2:-1].strip() or sum(map(width, row)) < columns - _EDGE:
        return row
    return row[:-1].rstrip()


_PANEL_ROWS: Final = 40
"""How many rows above the field are searched for a panel."""


def _without_panels(rows: list[str], over: list[int], panels: tuple[re.Pattern[str], ...]) -> list[int]:
    """Return ``over`` (indexes of rows above the field) without the panels at its end.

    One panel may be above another.
    """
    left = list(over)
    while left:
        near = left[-_PANEL_ROWS:]
        text = "\n".join([rows[i] for i in near])
        found = next((found for panel in panels if (found := panel.search(text)) and found.end() == len(text)), None)
        if found is None or found.start() == found.end():
            break
        left = left[: len(left) - len(near) + text.count("\n", 0, found.start())]
    return left


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
            if bottom < 0 and spec.bare and all(is_frame(row) for row in rows[i + 1 :]):
                bottom = last
            if bottom < 0:
                continue
        if spec.unless is not None and any(spec.unless.search(row) for row in rows[i + 1 : bottom]):
            return None
        return Composer(top, i, bottom, *_free(view, spec, _FieldText(view, found, i, bottom)))
    return None


class _FieldText:
    """The text in the field: its rows, each from where its text begins."""

    def __init__(self, view: View, found: re.Match[str], prompt: int, bottom: int) -> None:
        row = view.rows[prompt]
        start, end = found.span(1) if found.re.groups else (found.end(), len(row))
        self.first = row[start:end].strip() if start >= 0 else ""
        self.y = view.ys[prompt]
        self.rows = [(self.y, view.rows[prompt], start, end)] if self.first else []
        for i in range(prompt + 1, bottom):
            below = view.rows[i]
            if not is_frame(below):
                self.rows.append((view.ys[i], below, 0, len(below)))
        self.more = len(self.rows) > bool(self.first)

    @property
    def words(self) -> str:
        """The whole text on one line."""
        return flatten(" ".join([row[start:end] for _, row, start, end in self.rows]))

    def drawn(self, view: View, *, whole: bool) -> list[Words]:
        """Return the styles of the text's letters, except one that the cursor is drawn on.

        Empty if styles are unknown.
        """
        styles = view.sample.styles
        if styles is None:
            return []
        found: list[Words] = []
        for y, row, start, end in self.rows if whole else self.rows[:1]:
            shown = [words for at, words in words_of(styles[y], start, end) if not unframe(row[at]).isspace()]
            found += shown if found or not shown or "reverse" not in shown[0] else shown[1:]
        return found


def _free(view: View, spec: ComposerSpec, typed: _FieldText) -> tuple[bool | None, bool, bool | None]:
    """Return ``free``, ``offered`` and ``hint`` of the field.

    Nothing is typed if there is no text, or if there is a placeholder with the cursor still before it. The way it is
    drawn identifies a placeholder, whatever its words. If that is unknown, its words must. Unknown words may be a
    placeholder or a draft: then ``free`` is None.
    """
    more = typed.more and (spec.above is not None or spec.ruled)
    if not typed.first and not more:
        return True, False, None
    sample = view.sample
    if not sample.cursor_visible and sample.cursor_y >= len(sample.lines):
        return _known(spec, typed.words), False, None  # the agent draws its own cursor: only the words can tell
    if sample.cursor_y != typed.y or sample.cursor_x > spec.column:
        return False, False, None
    drawn = _drawn_as_hint(view, spec, typed)
    if drawn is not None:
        return drawn, drawn and not _known(spec, typed.words), drawn
    if more:
        return False, False, None
    return True if _known(spec, typed.first) else None, False, None


def _known(spec: ComposerSpec, words: str) -> bool:
    return spec.hints is not None and spec.hints.search(words) is not None


def _drawn_as_hint(view: View, spec: ComposerSpec, typed: _FieldText) -> bool | None:
    """Return whether the text is drawn as placeholders are. None if unknown.

    False needs a sign that the program would have drawn a placeholder differently: a terminal may have no colours. Only
    rows from the field on are searched for that sign. What is above may come from another program.
    """
    styles = view.sample.styles
    if not spec.styled:
        return None
    if styles is None:
        return view.sample.hint
    letters = typed.drawn(view, whole=spec.above is not None)  # else rows below may not be part of the field
    if not letters:
        return None
    can_draw = False
    if spec.hint_style is not None:
        test = spec.hint_style
        if all(test.holds(words) for words in letters):
            return True
        can_draw = test.could_show(styles[typed.y :])
    if spec.hint_like is not None:
        colour = _colour_like(view, spec.hint_like, typed.y)
        if colour is not None:
            if all(colour_of(words) == colour for words in letters):
                return True
            can_draw = True
    return False if can_draw else None


def _colour_like(view: View, pattern: re.Pattern[str], top: int) -> str | None:
    """Return the colour of the lowest text that ``pattern`` finds on the screen, below the row ``top``."""
    styles = view.sample.styles or ()
    for row, y in zip(reversed(view.rows), reversed(view.ys), strict=True):
        found = pattern.search(row) if y > top else None
        if found is not None:
            colours = {colour_of(words) for at, words in words_of(styles[y], *found.span(1)) if not row[at].isspace()}
            return colours.pop() if len(colours) == 1 else None
    return None
