"""What some versions of tmux change in the text that they print: taken back.

Owns these versions. tmux 3.4 prints ``\\$`` for a ``$`` that a letter, ``_`` or ``{`` follows. 3.4 and 3.5 print
control characters as ``\\033``; that stays, for they print a backslash as it is, so nobody can tell which one it was.
Screens and buffers are printed as they are by all versions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from agtmuxd.tmux.server import parse_version

_DOLLAR: Final = re.compile(r"\\\$(?=[A-Za-z_{])")


def undo(version: str) -> Callable[[str], str] | None:
    """What makes a name of what a tmux of ``version`` printed; None where it prints names as they are."""
    return _dollars if parse_version(version) == (3, 4) else None


def _dollars(text: str) -> str:
    return _DOLLAR.sub("$", text) if "\\$" in text else text
