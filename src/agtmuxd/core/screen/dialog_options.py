"""Find the option of a dialog that its keys act on, if only the way it is drawn shows that.

Pure. Knows no agent: what an option looks like comes from a rules file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agtmuxd.core.model import Sample
from agtmuxd.core.screen.regions import squash, unframe
from agtmuxd.core.screen.style import StyleTest, Words, words_of


@dataclass(frozen=True, slots=True)
class DialogOptions:
    """The options of one kind of dialog.

    ``pattern`` matches each of them, with its text as group 1. ``style`` is that of the chosen one. None: the chosen
    one is drawn unlike all the others, which are drawn alike.
    """

    pattern: re.Pattern[str]
    style: StyleTest | None = None

    def chosen(self, sample: Sample, options: Sequence[str]) -> int | None:
        """Return the number (from 1) of the chosen one of ``options``. None if that is in doubt."""
        shown = self._shown(sample)[-len(options) :] if options else []
        if len(shown) != len(options) or not shown:
            return None
        for (words, _), option in zip(shown, options, strict=True):
            if not words or not squash(option).startswith(words):
                return None
        drawn = [letters for _, letters in shown]
        if self.style is not None:
            hits = [n for n, letters in enumerate(drawn, 1) if all(self.style.holds(words) for words in letters)]
            return hits[0] if len(hits) == 1 else None
        times = Counter(drawn)
        odd = [letters for letters in times if times[letters] == 1]
        if len(times) != 2 or len(odd) != 1:  # of two options, each is unlike the other
            return None
        return drawn.index(odd[0]) + 1

    def _shown(self, sample: Sample) -> list[tuple[str, frozenset[Words]]]:
        """Return the matches from the top and from the left: the text of each, and the styles of its letters."""
        shown = []
        for y, framed in enumerate(sample.lines if sample.styles is not None else ()):
            row = unframe(framed)  # unframe replaces a bar by a blank, so that columns stay the same
            for found in self.pattern.finditer(row):
                start, end = found.span(1)
                styles = sample.styles[y] if sample.styles is not None else ()
                letters = frozenset(words for at, words in words_of(styles, start, end) if not row[at].isspace())
                shown.append((squash(found.group(1)), letters))
        return shown
