"""What a command prints on a terminal of some size, and that as an SVG and a PNG.

Owns no scene. ``rsvg-convert`` (Debian: librsvg2-bin) makes the PNG.
"""

from __future__ import annotations

import fcntl
import html
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

CONVERTER = "rsvg-convert"
_BLANK = "&#160;"
_TEXT = re.compile(rf'(<text [^>]*?)x="([\d.]+)"([^>]*?)textLength="([\d.]+)"([^>]*)>((?:{_BLANK})+)([^<]+)<')
ASPECT = 0.60205
"""Width of a character by its height in DejaVu Sans Mono, with which a PNG is made: columns stay in line."""


def printed(argv: Sequence[str], env: Mapping[str, str], *, columns: int, rows: int = 40) -> str:
    """Return what a program prints on a terminal, with its colours. Fails if it does not exit with 0."""
    control, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    own = {**env, "TERM": "xterm-256color"}
    with subprocess.Popen(argv, env=own, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        out = b""
        while piece := _read(control):
            out += piece
    os.close(control)
    text = out.decode("utf-8", "replace").replace("\r\n", "\n")
    assert process.returncode == 0, text
    return text


def _read(control: int) -> bytes:
    try:
        return os.read(control, 65536)
    except OSError:  # Linux's way to say that nobody has the terminal open any more
        return b""


def svg(commands: Sequence[tuple[str, str]], *, columns: int) -> str:
    """Return a picture of a terminal. ``commands``: what was typed, and what was printed with its colours."""
    console = Console(width=columns, record=True, file=io.StringIO(), color_system="truecolor", force_terminal=True)
    for n, (typed, text) in enumerate(commands):
        if n:
            console.print()
        console.print(Text.assemble(("$ ", "bold green"), (typed, "bold")))
        console.print(Text.from_ansi(text.rstrip("\n")))
    drawn = console.export_svg(title="agtmux", theme=MONOKAI, unique_id="agtmux", font_aspect_ratio=ASPECT)
    drawn = re.sub(r"\s*@font-face \{.*?\}\n", "\n", drawn, flags=re.DOTALL)  # no fonts from the network
    return _TEXT.sub(_without_blanks_in_front, drawn)


def _without_blanks_in_front(found: re.Match[str]) -> str:
    """Move a text right by the blanks that it begins with: librsvg drops them, a browser does not."""
    before, x, between, length, after, blanks, text = found.groups()
    gone = len(blanks) // len(_BLANK)
    one = float(length) / len(html.unescape(blanks + text))
    return f'{before}x="{float(x) + gone * one:g}"{between}textLength="{float(length) - gone * one:g}"{after}>{text}<'


def can_convert() -> bool:
    """Return whether a PNG can be made here."""
    return shutil.which(CONVERTER) is not None


def write_png(drawn: str, path: Path, *, zoom: float = 1.5) -> None:
    """Write an SVG as a PNG. Fails if ``rsvg-convert`` is missing."""
    assert can_convert(), f"there is no {CONVERTER}: install librsvg2-bin"
    subprocess.run([CONVERTER, "--zoom", f"{zoom:g}", "-o", str(path)], input=drawn.encode(), check=True)
