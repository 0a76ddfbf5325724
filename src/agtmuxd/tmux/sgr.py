"""Split a screen captured with its attributes (``capture-pane -e``) into plain text and styles.

Owns the escape sequences that tmux writes into a capture. Pure; knows no rule.

tmux writes what changes from one cell to the next, across the ends of rows. The text that is left equals a capture
without ``-e``, byte for byte. There tmux cuts blanks at the end of a row; with ``-e`` it cuts only those after the last
sequence, so this module cuts the rest.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from functools import lru_cache
from typing import Final

from agtmuxd.core.screen.style import Span, Spans, Words

_SGR: Final = re.compile(r"\x1b\[([0-9;:]{0,256})m")
_OTHER: Final = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b\[[0-?]*[ -/]*(?:[@-l]|[n-~])"
    r"|\x1b\[[0-?]*[ -/]+m|\x1b\[[<-?][0-?]*m|\x1b[()*+][0-9A-Za-z]|[\x0e\x0f]"
)
"""Other sequences that are not text.

These are links (OSC 8), the line drawing set (SO, SI), and sequences that tmux never writes.
"""

_ON: Final = {
    1: "bold", 2: "dim", 3: "italic", 4: "underline", 5: "blink", 6: "blink", 7: "reverse", 8: "hidden", 9: "strike",
    21: "underline",
}  # fmt: skip
_OFF: Final[dict[int, tuple[str, ...]]] = {
    22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 25: ("blink",), 27: ("reverse",), 28: ("hidden",),
    29: ("strike",),
}  # fmt: skip
_LAYERS: Final = {38: "fg", 48: "bg", 58: ""}


@lru_cache(maxsize=128)
def parse(capture: str) -> tuple[str, Spans]:
    """Return the text of a capture, and the spans of each of its rows. Text without styles has no span.

    The last results are cached: repeated captures are mostly equal.
    """
    if "\x1b" not in capture and "\x0e" not in capture:
        return capture, ((),) * (capture.count("\n") + 1)
    pieces = _SGR.split(_OTHER.sub("", capture))
    rows: list[str] = []
    spans: list[tuple[Span, ...]] = []
    words: Words = frozenset()
    text, row = "", list[Span]()
    for n, piece in enumerate(pieces):
        if n % 2:
            words = _changed(words, piece)
            continue
        for m, part in enumerate(piece.replace("\x1b", "").split("\n")):
            if m:
                _end(rows, spans, text, row)
                text, row = "", []
            if part:
                if words:
                    _add(row, len(text), len(text) + len(part), words)
                text += part
    _end(rows, spans, text, row)
    return "\n".join(rows), tuple(spans)


def split(captures: Mapping[str, str], styled: Container[str]) -> tuple[Mapping[str, str], dict[str, Spans]]:
    """Return the captures of a round as plain text, and the styles of those in ``styled``, by pane."""
    parsed = {pane: parse(capture) for pane, capture in captures.items() if pane in styled}
    if not parsed:
        return captures, {}
    return {**captures, **{pane: text for pane, (text, _) in parsed.items()}}, {p: s for p, (_, s) in parsed.items()}


def _add(row: list[Span], start: int, end: int, words: Words) -> None:
    if row and row[-1].end == start and row[-1].words == words:
        start = row.pop().start
    row.append(Span(start, end, words))


def _end(rows: list[str], spans: list[tuple[Span, ...]], text: str, row: list[Span]) -> None:
    """Add a row without the blanks at its end. They are not text, however they are drawn."""
    text = text.rstrip(" ")
    rows.append(text)
    spans.append(tuple(Span(s.start, min(s.end, len(text)), s.words) for s in row if s.start < len(text)))


@lru_cache(maxsize=1024)
def _changed(words: Words, parameters: str) -> Words:
    """Return a style after one sequence."""
    now = set(words)
    listed = parameters.split(";")
    at = 0
    while at < len(listed):
        field = listed[at]
        at += 1
        if ":" in field:
            _colons(now, field.split(":"))
            continue
        code = int(field or 0)
        if code in _LAYERS:
            colour, used = _colour(listed[at:])
            at += used
            _paint(now, _LAYERS[code], colour)
        else:
            _simple(now, code)
    return frozenset(now)


def _simple(now: set[str], code: int) -> None:
    if code == 0:
        now.clear()
    elif code in _ON:
        now.add(_ON[code])
    elif code in _OFF:
        now.difference_update(_OFF[code])
    elif 30 <= code <= 37 or 90 <= code <= 97:
        _paint(now, "fg", str(code - 30 if code < 40 else code - 82))
    elif 40 <= code <= 47 or 100 <= code <= 107:
        _paint(now, "bg", str(code - 40 if code < 50 else code - 92))
    elif code in (39, 49):
        _paint(now, "fg" if code == 39 else "bg", None)


def _colons(now: set[str], fields: list[str]) -> None:
    """Apply ``38:5:N``, ``38:2:R:G:B``, ``38:2:SPACE:R:G:B`` or ``4:N``."""
    code = int(fields[0] or 0)
    if code == 4:
        _simple(now, 24 if fields[1] == "0" else 4)
    elif code in _LAYERS:
        if fields[1] == "2" and len(fields) > 5:
            fields = [*fields[:2], *fields[3:]]
        _paint(now, _LAYERS[code], _colour(fields[1:])[0])


def _colour(fields: list[str]) -> tuple[str | None, int]:
    """Return the colour after 38, 48 or 58, and how many fields it takes. The colour is None if these are no colour."""
    used = {"5": 2, "2": 4}.get(fields[0] if fields else "", 0)
    if not used or len(fields) < used or any(":" in part for part in fields[:used]):
        return None, used or len(fields)
    parts = [int(part or 0) & 255 for part in fields[1:used]]
    return (str(parts[0]) if used == 2 else "#" + "".join([f"{part:02x}" for part in parts])), used


def _paint(now: set[str], layer: str, colour: str | None) -> None:
    if not layer:
        return
    now.difference_update([word for word in now if word.startswith(f"{layer}:")])
    if colour is not None:
        now.add(f"{layer}:{colour}")
