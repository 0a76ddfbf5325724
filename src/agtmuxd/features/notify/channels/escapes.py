"""Choose the escape sequence by which a terminal shows a notification, and fill it in. Pure.

The texts come from agents: control characters are removed, so that nothing can end the sequence early.
"""

from __future__ import annotations

import base64
import re
from typing import Final

from agtmux.protocol.text import one_line

MOST: Final = 512
"""Bytes of one notification. So much is written at once, and tmux's own output does not come in between."""
BELL: Final = b"\x07"
_ST: Final = "\x1b\\"
_URXVT: Final = ("ghostty", "wezterm", "foot", "rxvt")
"""Terminals that read OSC 777."""


def escape_for(termname: str, termtype: str, title: str, text: str, ident: str) -> bytes:
    """Return the bytes to write to a terminal, at most ``MOST``.

    ``termname``, ``termtype``: as tmux gives them, such as ``xterm-kitty`` and ``kitty(0.32.2)``. ``ident``: names the
    notification, for terminals that can replace one.
    """
    names = f"{termname} {termtype}".lower()
    if termname in ("linux", "dumb", "vt100", ""):
        return BELL
    if "kitty" in names and not _nested(termname, termtype):
        return _kitty(title, text, ident)
    room = MOST - 64
    if _nested(termname, termtype):
        inner = _osc9(title, text, room // 2)
        return _wrapped(termname, termtype, inner)
    if any(name in names for name in _URXVT):
        return _osc777(title, text, room)
    return _osc9(title, text, room)


def _nested(termname: str, termtype: str) -> bool:
    """Whether the client's terminal is itself tmux or screen."""
    return termname.startswith(("tmux", "screen")) or termtype.startswith("tmux")


def _wrapped(termname: str, termtype: str, inner: bytes) -> bytes:
    """Let the outer tmux or screen pass the sequence on to its own terminal."""
    if termname.startswith("screen") and not termtype.startswith("tmux"):
        return b"\x1bP" + inner.replace(b"\x1b\\", b"\x07") + b"\x1b\\"
    return b"\x1bPtmux;" + inner.replace(b"\x1b", b"\x1b\x1b") + b"\x1b\\"


def _osc9(title: str, text: str, room: int) -> bytes:
    words = one_line(f"{title}: {text}" if text else title)
    if re.match(r"\d", words):
        words = f"agtmux: {words}"  # "9;4;…" means progress
    return b"\x1b]9;" + cut(words, room) + _ST.encode()


def _osc777(title: str, text: str, room: int) -> bytes:
    head = cut(one_line(title).replace(";", ","), room // 3)
    return b"\x1b]777;notify;" + head + b";" + cut(one_line(text), room - len(head) - 1) + _ST.encode()


def _kitty(title: str, text: str, ident: str) -> bytes:
    """Return OSC 99: title and text in base64, each with the same id."""
    name = re.sub(r"[^A-Za-z0-9-]", "", ident)[:40]
    head = base64.b64encode(cut(one_line(title), 90))
    body = base64.b64encode(cut(one_line(text), 180))
    first = f"\x1b]99;i={name}:d=0:e=1;".encode() + head + _ST.encode()
    return first + f"\x1b]99;i={name}:d=1:e=1:p=body;".encode() + body + _ST.encode()


def cut(text: str, room: int) -> bytes:
    """Return the text in UTF-8, at most ``room`` bytes, without half a character."""
    data = text.encode("utf-8", "replace")
    return data if len(data) <= room else data[:room].decode("utf-8", "ignore").encode("utf-8")
