"""Makes a picture of agtmux inside tmux: the status line, the menu, or the popup, on an attached client.

``python -m tests.pictures.tmux -o tmux.png`` (or ``.svg``); ``--what line``, ``menu`` or ``popup``.
"""

from __future__ import annotations

import argparse
import html
import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.acceptance.stage import PROGRAMS
from tests.attached import Attached
from tests.conftest import Tmux
from tests.pictures.scene import Scene, usual
from tests.pictures.terminal import ASPECT, write_png

WHAT = ("line", "menu", "popup")
WORK = (
    "$ git log --oneline -3",
    "4f1c2aa api: invoices have a due date",
    "9e0b771 docs: how to restore a backup",
    "c02d1d8 tests: time stands still",
    "$ ",
)
_TEXT = re.compile(r'<text([^>]*?) x="([\d.]+)"([^>]*?) textLength="([\d.]+)"([^>]*)>((?:&#160;)+)(.*?)</text>')


def picture(scene: Scene, what: str, *, columns: int = 104, rows: int = 26) -> str:
    """Return an SVG of a client's whole screen, in which a user works in a pane of their own."""
    tmux = scene.tmux
    tmux.start("sh", "-c", "printf '%s\\n' \"$@\"; exec cat", "sh", *WORK, session="work", cols=columns, rows=rows)
    for words in (
        ("@agtmux-menu-key", "a"),
        ("status-right-length", "60"),
        ("status-right", "#{T:@agtmux_segment}  %H:%M "),
        ("status-style", "bg=colour236,fg=colour252"),
    ):
        tmux.run("set-option", "-g", *words)
    outer = Tmux(scene.place.root / "outer")
    try:
        terminal = Attached(tmux, outer, "work", columns, rows)
        tmux.run("run-shell", f"{PROGRAMS}/agtmux tmux load")
        terminal.shows(lambda screen: "2! 1✗ 1●" in screen)
        if what == "menu":
            terminal.press("C-b", "a")
            terminal.shows(lambda screen: "dashboard" in screen)
        elif what == "popup":
            terminal.press("C-b", "A")
            terminal.shows(lambda screen: screen.count("claude") >= 3, within=40)
        return _svg(terminal.screen(styled=True), columns)
    finally:
        outer.stop()


def _svg(screen: str, columns: int) -> str:
    console = Console(width=columns, record=True, file=io.StringIO(), color_system="truecolor", force_terminal=True)
    for row in screen.split("\n"):
        console.print(Text.from_ansi(row), no_wrap=True, overflow="crop")
    drawn = console.export_svg(title="tmux", theme=MONOKAI, unique_id="agtmux", font_aspect_ratio=ASPECT)
    drawn = _TEXT.sub(_shift, drawn)
    return re.sub(r"\s*@font-face \{.*?\}\n", "\n", drawn, flags=re.DOTALL)  # no fonts from the network


def _shift(found: re.Match[str]) -> str:
    """Replace the blanks that a text begins with by its place: rsvg-convert drops them."""
    before, x, middle, length, after, blanks, rest = found.groups()
    dropped, width = blanks.count("&#160;"), len(html.unescape(blanks + rest))
    cell = float(length) / width
    place = f'x="{float(x) + dropped * cell:.1f}"{middle} textLength="{(width - dropped) * cell:.1f}"'
    return f"<text{before} {place}{after}>{rest}</text>"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("tmux.png"))
    parser.add_argument("--what", choices=WHAT, default="popup")
    options = parser.parse_args()
    with usual() as scene:
        drawn = picture(scene, options.what)
    if options.output.suffix == ".svg":
        options.output.write_text(drawn, "utf-8")
    else:
        write_png(drawn, options.output)
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
