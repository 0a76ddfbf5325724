"""Make text fit the cells of a terminal: clean it, measure it, cut it, wrap it.

Owns what of a pane's text is drawn. Terminals and tmux disagree about the width of joined characters, so none is left.
"""

from __future__ import annotations

import re
import unicodedata

from rich.cells import cell_len, get_character_cell_size

from agtmux.protocol.text import block, one_line

_JOINER_RANGES = ((0x200C, 0x200E), (0xFE00, 0xFE10), (0x1F3FB, 0x1F400), (0xE0100, 0xE01F0))
_FILLERS = (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0)
_JOINERS = dict.fromkeys((*_FILLERS, *(code for first, end in _JOINER_RANGES for code in range(first, end))))
"""Joiners, variation selectors, skin tones and fillers: each makes some terminals draw another width."""
_FLAGS = {0x1F1E6 + n: chr(0x41 + n) for n in range(26)}
_ODD: dict[int, str | None] = {**_JOINERS, **_FLAGS}
_BLANKS = re.compile(r"\s+")
_WORDS = re.compile(r"\S+|\s+")


def safe_line(value: object) -> str:
    """Return any field as one line that is safe to draw. "" for None. Runs of blanks become one."""
    if value is None:
        return ""
    return _BLANKS.sub(" ", plain(one_line(str(value)))).strip()


def safe_lines(value: object) -> list[str]:
    """Return a text of several lines, each safe to draw. Blanks stay."""
    return safe_block("" if value is None else str(value)).split("\n")


def safe_block(text: str) -> str:
    """Return a text of several lines that is safe to draw and to send."""
    return plain(block(text))


def plain(text: str) -> str:
    """Return ``text`` with at most one mark on a character, and without what joins characters to others."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text).translate(_ODD)
    if not any(unicodedata.category(char) in ("Mn", "Me") for char in text):
        return text
    kept: list[str] = []
    marked = True  # a mark at the start has nothing to stand on
    for char in text:
        mark = unicodedata.category(char) in ("Mn", "Me")
        if not (mark and marked):
            kept.append(char)
        marked = mark or char == "\n"
    return "".join(kept)


def width(text: str) -> int:
    """Return how many cells ``text`` takes."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, room: int) -> str:
    """Return the part of ``text`` that takes at most ``room`` cells. If something is cut, it ends with ``…``."""
    if room <= 0:
        return ""
    if width(text) <= room:
        return text
    return f"{_head(text, room - 1)}…"


def cut_middle(text: str, room: int) -> str:
    """Return ``text`` in at most ``room`` cells. What is cut is in the middle: names often differ at their ends."""
    if not text.isascii() or len(text) <= room or room < 5:
        return cut(text, room)
    tail = (room - 1) // 2
    return f"{text[: room - 1 - tail]}…{text[-tail:]}"


def fit(text: str, room: int) -> str:
    """Return ``text``, cut or padded to exactly ``room`` cells."""
    text = cut(text, room)
    return text + " " * (room - width(text))


def fit_right(text: str, room: int) -> str:
    """Return ``text``, cut or padded on its left to exactly ``room`` cells."""
    text = cut(text, room)
    return " " * (room - width(text)) + text


def wrap(text: str, room: int, most: int) -> list[str]:
    """Break one line at blanks into at most ``most`` lines of ``room`` cells. ``…`` at the end: some is left out."""
    room, lines, line = max(1, room), [], ""
    for word in _WORDS.findall(text):
        if width(line) + width(word) <= room:
            line += word
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = word.lstrip()
        while width(line) > room:
            head = _head(line, room) or line[:1]
            lines.append(head)
            line = line[len(head) :]
    if line.strip():
        lines.append(line.rstrip())
    if len(lines) > most:
        lines = [*lines[: most - 1], cut(f"{lines[most - 1]} {lines[most]}", room)] if most > 0 else []
        if lines and not lines[-1].endswith("…"):
            lines[-1] = cut(lines[-1], room - 1) + "…"
    return lines


def _head(text: str, room: int) -> str:
    if text.isascii():
        return text[:room]
    used = 0
    for n, char in enumerate(text):
        used += get_character_cell_size(char)
        if used > room:
            return text[:n]
    return text
