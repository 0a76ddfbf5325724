"""Measure text in the cells of a terminal: how wide it is, and what stands from a column on. Pure."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """Return ``text`` without differences that a program or terminal may add when it draws text.

    These are: composed letters (an "é" of one or of two characters), full-width forms, ligatures, marks and joiners.
    """
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in ("Mn", "Me", "Cf"))


def drawn(text: str) -> str:
    """Return what stays the same of a typed text however an input field wraps, indents and frames it.

    Two texts with the same result differ in blanks and frames only.
    """
    return "".join(c for c in fold(text) if not c.isspace() and c not in "│┃")


def width(char: str) -> int:
    """Return the cells of one character: 0 for marks that are drawn over the one before, 2 for wide ones."""
    if char.isascii():
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def from_column(row: str, column: int) -> str:
    """Return the part of ``row`` from cell ``column`` (from 0) on."""
    at = 0
    for index, char in enumerate(row):
        if at >= column and width(char):
            return row[index:]
        at += width(char)
    return ""
