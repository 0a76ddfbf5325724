"""Read one pane by itself, right before an action, and read its text with history, for people.

Owns the argument lists of these reads and the parsing of their replies. Knows no agent and runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agtmux.protocol.text import block
from agtmuxd.core.model import PaneRow, ServerInfo
from agtmuxd.core.numbers import whole
from agtmuxd.tmux.printed import undo
from agtmuxd.tmux.round import ROW_PARTS, RoundFailure, no_server, pane_row, row_format, server_format, server_info

_FLAGS: Final = "#{pane_synchronized} #{pane_input_off} #{history_size} #{pane_in_mode}"
_GONE: Final = re.compile(r"can't find (?:pane|window|session)")
_SGR: Final = re.compile(r"\x1b\[[0-9;:]*m")
_ESCAPES: Final = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[()*+][0-9A-Za-z]|\x1b."
)


@dataclass(frozen=True, slots=True)
class OnePane:
    """What one pane showed. ``row`` None: its server has no such pane, or no server runs.

    ``capture``: the raw screen, with its attributes if they were requested. ``history``: how many rows are above the
    screen.
    """

    server: ServerInfo | None
    row: PaneRow | None = None
    synchronized: bool = False
    input_off: bool = False
    history: int = 0
    capture: str = ""


def ask(nonce: str, pane_id: str, *, styled: bool = False) -> list[str]:
    """Return the arguments of one reading.

    ``nonce``: letters and digits, fresh and random. ``styled``: capture with attributes.
    """
    head = f"{server_format(nonce)}{row_format(nonce)}{nonce}{_FLAGS}{nonce}"
    screen = ["capture-pane", "-p", *(["-e"] if styled else []), "-t", pane_id]
    return ["display-message", "-p", "-t", pane_id, head, ";", *screen]


def read(nonce: str, stdout: bytes, stderr: bytes, returncode: int) -> OnePane | RoundFailure:
    """Parse the reply to ``ask``."""
    complaint = stderr.decode("utf-8", "replace")
    parts = stdout.decode("utf-8", "replace").split(nonce)
    if len(parts) == 1:
        if _GONE.search(complaint):
            return OnePane(None)
        empty = no_server(complaint, returncode)
        return OnePane(None) if empty is None else empty
    if returncode or len(parts) != _PARTS:
        message = complaint.strip().partition("\n")[0]
        return (
            OnePane(None)
            if _GONE.search(complaint)
            else RoundFailure("lost", message or "the answer of tmux is incomplete")
        )
    try:
        server = server_info(parts[1], parts[2])
        plain = undo(server.version)
        row = pane_row(parts[3:_FLAGS_AT] if plain is None else [plain(part) for part in parts[3:_FLAGS_AT]])
        synchronized, input_off, history, _mode = parts[_FLAGS_AT].split(" ")
        above = whole(history, "history_size") if history else 0
    except ValueError as error:
        return RoundFailure("lost", f"tmux gave an unexpected answer: {error}")
    capture = parts[_FLAGS_AT + 1].removeprefix("\n")
    return OnePane(server, row, synchronized == "1", input_off == "1", above, capture)


_FLAGS_AT: Final = 3 + ROW_PARTS
_PARTS: Final = _FLAGS_AT + 2


def text_of(pane_id: str, lines: int, *, escapes: bool) -> list[str]:
    """Return the arguments that read the screen and ``lines`` rows of history above it. ``escapes``: with colours."""
    return ["capture-pane", "-p", *(["-e"] if escapes else []), "-S", str(-lines), "-t", pane_id]


def plain(text: str) -> str:
    """Return text of a pane without anything that a terminal would obey.

    Removed are escape sequences, control and bidi characters.
    """
    return block(_ESCAPES.sub("", text))


def coloured(text: str) -> str:
    """Return the same, but keep colours and styles (SGR)."""
    out: list[str] = []
    at = 0
    for found in _SGR.finditer(text):
        out += [plain(text[at : found.start()]), found.group()]
        at = found.end()
    out.append(plain(text[at:]))
    return "".join(out)


def last_lines(text: str, count: int) -> tuple[list[str], bool]:
    """Return the last ``count`` rows, without blank rows at the end, and whether there were more rows above."""
    rows: Sequence[str] = text.split("\n")
    end = len(rows)
    while end and not _SGR.sub("", rows[end - 1]).strip():
        end -= 1
    start = max(0, end - count)
    return list(rows[start:end]), start > 0
