"""Recognise the names of keys, as tmux writes them, and the keys that make an input field submit."""

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
    """Return whether ``name`` is a key as tmux names it.

    Examples: ``Enter``, ``C-c``, ``M-Left``, ``F5``, or one printable character.
    """
    match = _KEY.fullmatch(name)
    return match is not None and (match[2] in _NAMED or (len(match[2]) == 1 and match[2].isprintable()))


_SPELLED: Final = {
    "esc": "Escape", "escape": "Escape", "enter": "Enter", "return": "Enter", "tab": "Tab", "space": "Space",
    "backspace": "BSpace", "delete": "DC", "del": "DC", "insert": "IC", "up": "Up", "down": "Down", "left": "Left",
    "right": "Right", "home": "Home", "end": "End", "pageup": "PageUp", "pagedown": "PageDown",
}  # fmt: skip
_HELD: Final = {"ctrl": "C-", "control": "C-", "alt": "M-", "option": "M-", "opt": "M-", "shift": "S-"}


def named(spelled: str) -> str | None:
    """Return tmux's name of a key that an agent writes as ``ctrl+x``, ``ctrl-x``, ``Esc``, ``f12`` or ``shift+tab``.

    None for what no terminal sends as one key (``ctrl+enter``, ``cmd+k``, ``ctrl+x ctrl+k``), and for what is no key.
    """
    *held, last = re.split(r"[+-](?=.)", spelled.strip().lower()) if len(spelled.strip()) > 1 else [spelled.strip()]
    if any(word not in _HELD for word in held) or len(set(held)) != len(held):
        return None
    key = _SPELLED.get(last) or (last.upper() if re.fullmatch(r"f(?:[1-9]|1[0-2])", last) else last)
    if held == ["shift"]:
        return {"Tab": "BTab"}.get(key) or (key.upper() if len(key) == 1 and key.isalpha() else None)
    if "shift" in held or not valid_key(key):
        return None
    if "ctrl" in held and not (len(key) == 1 and ((key.isascii() and key.isalpha()) or key in "]\\_^@")):
        return None
    return "".join(_HELD[word] for word in held) + key


def submits(name: str) -> bool:
    """Return whether this key makes an input field submit: ``Enter``, ``C-m``, ``C-j`` and their equivalents."""
    match = _KEY.fullmatch(name)
    if match is None or match[2] not in _SUBMITTING:
        return False
    return len(match[2]) > 1 or "C-" in match[1]
