"""Describe how text on a screen is drawn, and match it with what a rules file says.

Owns the terms for styles and their matching. Pure. How styles are written in a capture: see ``tmux.sgr``.

A style is a set of words: ``bold dim italic underline blink reverse hidden strike``, ``fg:N`` and ``bg:N`` of the
palette (0 to 255), ``fg:#rrggbb`` and ``bg:#rrggbb``. The empty set is the terminal's default.
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
"""For options of a dialog: the chosen one is drawn unlike the others, which are drawn alike."""

_COLOUR: Final = re.compile(r"(?:fg|bg)(?::(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5]|#[0-9a-f]{6}))?")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` up to ``end`` (exclusive) of one row, all drawn with ``words``.

    Text outside of spans is plain.
    """

    start: int
    end: int
    words: Words


Spans = tuple[tuple[Span, ...], ...]
"""The spans of each row from the top, in order, without overlap."""


def words_of(spans: tuple[Span, ...], start: int, end: int) -> Iterator[tuple[int, Words]]:
    """Yield the style of each character from ``start`` up to ``end`` (exclusive), with its index."""
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
    """A style in a rules file: one of the alternatives must match.

    Each has the words that must and must not be there.
    """

    alternatives: tuple[tuple[Words, Words], ...]

    def holds(self, words: Words) -> bool:
        """Return whether text with this style matches."""
        return any(has <= _known(words) and not lacks & _known(words) for has, lacks in self.alternatives)

    def could_show(self, spans: Spans) -> bool:
        """Return whether the screen shows that its program can draw this style.

        If the test asks for colours, colours show that; otherwise anything except reverse does. If the program cannot,
        a text without the style proves nothing.
        """
        words = {word for row in spans for span in row for word in span.words} - {"reverse"}
        if all(has and not has & ATTRIBUTES for has, _ in self.alternatives):
            words -= ATTRIBUTES
        return bool(words)


def colour_of(words: Words) -> str | None:
    """Return the colour of a text, None for the terminal's default."""
    return next((word for word in words if word.startswith("fg:")), None)


def _known(words: Words) -> Words:
    """Return ``words`` with the general words added.

    ``fg`` stands for any text colour, ``bg`` for any background, ``plain`` for no colours or attributes.
    """
    if not words:
        return frozenset({PLAIN})
    return words | {word[:2] for word in words if word[2:3] == ":"}


def read(alternatives: list[str]) -> StyleTest:
    """Read ``["dim", "fg:248 !bold"]``: all words of one string must hold. Raises ValueError for what is no style."""
    tests = []
    for alternative in alternatives:
        listed = alternative.split()
        if not listed:
            raise ValueError("a style needs a word")
        for word in listed:
            name = word.removeprefix("!")
            if name not in ATTRIBUTES and name != PLAIN and _COLOUR.fullmatch(name) is None:
                raise ValueError(
                    f"{word!r} is not a style: use {', '.join(sorted(ATTRIBUTES))}, plain, fg, bg, fg:0 to "
                    "fg:255, fg:#rrggbb "
                    "(the same with bg), and ! before any of them"
                )
        has = frozenset(word for word in listed if not word.startswith("!"))
        tests.append((has, frozenset(word[1:] for word in listed if word.startswith("!"))))
    if not tests:
        raise ValueError("a style needs a word")
    return StyleTest(tuple(tests))
