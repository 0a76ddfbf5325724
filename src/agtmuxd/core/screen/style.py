"""How text on a screen is drawn, and what a rules file says of it.

Owns the words for styles and their matching. Pure; how they stand in a capture is ``tmux.sgr``'s business.

A style is a set of words: ``bold dim italic underline blink reverse hidden strike``, ``fg:N`` and ``bg:N``
of the palette (0 to 255), ``fg:#rrggbb`` and ``bg:#rrggbb``. The empty set is the terminal's own way of drawing text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

Words = frozenset[str]

ATTRIBUTES: Final = frozenset({"bold", "dim", "italic", "underline", "blink", "reverse", "hidden", "strike"})
PLAIN: Final = "plain"
ODD: Final = "odd"
"""Of choices: the one that is drawn unlike the others, which are drawn alike."""

_COLOUR: Final = re.compile(r"(?:fg|bg)(?::(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5]|#[0-9a-f]{6}))?")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` up to ``end`` of one row, all drawn with ``words``. What no span names is plain."""

    start: int
    end: int
    words: Words


Spans = tuple[tuple[Span, ...], ...]
"""The spans of each row from the top, in order and apart."""


def words_of(spans: tuple[Span, ...], start: int, end: int) -> Iterator[tuple[int, Words]]:
    """The style of each character from ``start`` up to ``end``, with its index."""
    at = start
    for span in spans:
        if span.end <= at:
            continue
        while at < min(span.start, end):
            yield at, _NONE
            at += 1
        while at < min(span.end, end):
            yield at, span.words
            at += 1
    while at < end:
        yield at, _NONE
        at += 1


_NONE: Final[Words] = frozenset()


@dataclass(frozen=True, slots=True)
class StyleTest:
    """What a rules file says of a style: any one of the alternatives, each the words it must and must not have."""

    alternatives: tuple[tuple[Words, Words], ...]

    def holds(self, words: Words) -> bool:
        """Whether text drawn so is meant."""
        return any(has <= _known(words) and not lacks & _known(words) for has, lacks in self.alternatives)

    def could_show(self, spans: Spans) -> bool:
        """Whether the screen shows that its program can draw so: by colours where colours are asked for, else by
        anything but reverse. Where it cannot, that a text lacks the style proves nothing."""
        words = {word for row in spans for span in row for word in span.words} - {"reverse"}
        if all(has and not has & ATTRIBUTES for has, _ in self.alternatives):
            words -= ATTRIBUTES
        return bool(words)


def colour_of(words: Words) -> str | None:
    """The colour of a text, None for the terminal's own."""
    return next((word for word in words if word.startswith("fg:")), None)


def _known(words: Words) -> Words:
    """With ``fg`` for any colour of text, ``bg`` for any ground, ``plain`` for neither colours nor attributes."""
    if not words:
        return frozenset({PLAIN})
    return words | {word[:2] for word in words if word[2:3] == ":"}


def read(alternatives: list[str]) -> StyleTest:
    """``["dim", "fg:248 !bold"]``: words of one string must all hold. Raises ValueError for what is no style."""
    tests = []
    for alternative in alternatives:
        listed = alternative.split()
        if not listed:
            raise ValueError("a style needs a word")
        for word in listed:
            name = word.removeprefix("!")
            if name not in ATTRIBUTES and name != PLAIN and _COLOUR.fullmatch(name) is None:
                raise ValueError(
                    f"{word!r} is no style: {', '.join(sorted(ATTRIBUTES))}, plain, fg, bg, fg:0 to fg:255, fg:#rrggbb "
                    "(the same with bg), and ! before any of them"
                )
        has = frozenset(word for word in listed if not word.startswith("!"))
        tests.append((has, frozenset(word[1:] for word in listed if word.startswith("!"))))
    if not tests:
        raise ValueError("a style needs a word")
    return StyleTest(tuple(tests))
