"""Undo what some versions of tmux change in the text that they print.

Owns the list of these versions. tmux 3.4 prints ``\\$`` for a ``$`` before a letter, ``_`` or ``{``. 3.4 and 3.5 print
control characters as ``\\033``. That is not undone: they print a real backslash unchanged, so the two look the same.
All versions print screens and buffers unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from agtmuxd.tmux.server import parse_version

_DOLLAR: Final = re.compile(r"\\\$(?=[A-Za-z_{])")


def undo(version: str) -> Callable[[str], str] | None:
    """Return the function that restores a name printed by a tmux of ``version``. None if it prints names unchanged."""
    return _dollars if parse_version(version) == (3, 4) else None


def _dollars(text: str) -> str:
    return _DOLLAR.sub("$", text) if "\\$" in text else text
