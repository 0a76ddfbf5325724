"""Turn spans into strips of the screen: names of styles become colours of the terminal's own palette.

Colour is never the only difference: bold, dim and reverse carry the meaning where there are no colours.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from agtmux.top.text import safe_block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from agtmux.top.lines import Spans

NONE = Style()
STYLES: dict[str, Style] = {
    "": NONE,
    "dim": Style(dim=True),
    "head": Style(bold=True),
    "agent": NONE,
    "age": NONE,
    "what": Style(bold=True),
    "subject": Style(color="yellow", bold=True),
    "key": Style(color="cyan", bold=True),
    "mark": Style(color="magenta", bold=True),
    "pointer": Style(bold=True),
    "needs": Style(color="yellow", bold=True, reverse=True),
    "warn": Style(color="red", bold=True),
    "ok": Style(color="green", bold=True),
    "note": Style(color="yellow"),
    "banner": Style(bold=True, reverse=True),
    "rule": Style(dim=True),
    "rule.focus": Style(color="cyan", bold=True),
    "state.error": Style(color="red", bold=True),
    "state.waiting_approval": Style(color="yellow", bold=True),
    "state.waiting_input": Style(color="magenta", bold=True),
    "state.running": Style(color="green"),
    "state.completed": Style(color="cyan"),
    "state.idle": Style(dim=True),
    "state.unknown": Style(dim=True, italic=True),
}
SELECTED = Style(reverse=True)
DIMMED = Style(dim=True)


def strip(spans: Spans, width: int, *, selected: bool = False, dimmed: bool = False) -> Strip:
    """Return a line of exactly ``width`` cells."""
    if selected:
        segments = [Segment(text, SELECTED + Style(bold=STYLES.get(style, NONE).bold)) for text, style in spans]
        return Strip(segments).adjust_cell_length(width, SELECTED)
    over = DIMMED if dimmed else NONE
    return Strip([Segment(text, STYLES.get(style, NONE) + over) for text, style in spans]).adjust_cell_length(width)


def screen_strips(output: str, console: Console, *, backgrounds: bool) -> list[Strip]:
    """Return a captured screen as strips, with its colours and attributes. Empty lines at its end are left out.

    Nothing else of its escape sequences is kept: no links, no other control characters.
    """
    from rich.ansi import AnsiDecoder

    decoder = AnsiDecoder()
    strips = [
        Strip(_cleaned(decoder.decode_line(line).render(console, end=""), backgrounds)) for line in output.splitlines()
    ]
    while strips and not strips[-1].text.strip():
        strips.pop()
    return strips


def _cleaned(segments: Iterable[Segment], backgrounds: bool) -> list[Segment]:
    return [
        Segment(safe_block(segment.text).replace("\n", " "), _attributes(segment.style or NONE, backgrounds))
        for segment in segments
        if segment.text
    ]


def _attributes(style: Style, backgrounds: bool) -> Style:
    return Style(
        color=style.color, bgcolor=style.bgcolor if backgrounds else None, bold=style.bold, dim=style.dim,
        italic=style.italic, underline=style.underline, reverse=style.reverse, strike=style.strike,
    )  # fmt: skip


def based(strips: Sequence[Strip], base: Style) -> list[Strip]:
    """Return strips on the colours of the theme."""
    return [one.apply_style(base) for one in strips]
