"""Which words are keys, as tmux names them, and which of them make an input field submit."""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = (
    "Enter Escape Tab BTab Space BSpace Up Down Left Right Home End PageUp PgUp PPage PageDown PgDn NPage IC Insert DC "
    "Delete KP/ KP* KP- KP+ KP. KPEnter"
)
_NAMED: Final = frozenset(_WORDS.split()) | {f"F{n}" for n in range(1, 13)} | {f"KP{n}" for n in range(10)}
_KEY: Final = re.compile(r"((?:[CMS]-)*)(.+)", re.DOTALL)
_SUBMITTING: Final = frozenset({"Enter", "KPEnter", "m", "j", "M", "J"})


def valid_key(name: str) -> bool:
    """Whether ``name`` is a key as tmux names it: ``Enter``, ``C-c``, ``M-Left``, ``F5`` or one printable character."""
    match = _KEY.fullmatch(name)
    return match is not None and (match[2] in _NAMED or (len(match[2]) == 1 and match[2].isprintable()))


def submits(name: str) -> bool:
    """Whether this key makes an input field submit (``Enter``, ``C-m``, ``C-j`` and what looks like them)."""
    match = _KEY.fullmatch(name)
    if match is None or match[2] not in _SUBMITTING:
        return False
    return len(match[2]) > 1 or "C-" in match[1]
