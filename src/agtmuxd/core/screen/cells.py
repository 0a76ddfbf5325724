"""Text as a terminal's cells: how wide it is, and what of it stands from a column on. Pure."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """``text`` without what a program or a terminal may draw otherwise than it was sent: how letters are composed
    (an "é" of one or of two characters), full-width forms, ligatures, marks and joiners."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in ("Mn", "Me", "Cf"))


def width(char: str) -> int:
    """Cells of one character: 0 for marks that are drawn over the one before, 2 for wide ones."""
    if char.isascii():
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def from_column(row: str, column: int) -> str:
    """What of ``row`` stands in cell ``column`` (from 0) and behind it."""
    at = 0
    for index, char in enumerate(row):
        if at >= column and width(char):
            return row[index:]
        at += width(char)
    return ""
