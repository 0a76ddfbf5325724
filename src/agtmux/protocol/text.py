"""Make text from panes safe for the user's terminal: remove control, escape and bidi characters.

Owns the one list of dangerous characters. Knows nothing about colours or tables.
"""

from __future__ import annotations

import os

_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_INVISIBLE = (0x00AD, 0x180E, 0x200B, *range(0x2060, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080))
_DROP: dict[int, str | None] = dict.fromkeys(
    (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *_BIDI, *_INVISIBLE, *range(0xD800, 0xE000))
)
_LINE = {**_DROP, 0x09: " ", 0x0A: " ", 0x0D: " "}
_ESCAPED = {code: f"\\u{code:04x}" for code in _DROP if 0x7F <= code < 0x10000 and not 0xD800 <= code < 0xE000} | {
    code: f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    for code in _DROP
    if code >= 0x10000
}
_BLOCK = {**_DROP, 0x09: "    ", 0x0A: "\n"}


def one_line(text: str) -> str:
    """Return ``text`` on one line: tabs and newlines become blanks, control and bidi characters are removed."""
    return text.translate(_LINE)


def block(text: str) -> str:
    """Return ``text`` with its newlines, tabs as four blanks, and without control and bidi characters."""
    return text.translate(_BLOCK)


def shell_word(word: str) -> str:
    r"""Quote ``word`` for a shell. One with control or bidi characters becomes ``$'\342'`` (bash, zsh, ksh)."""
    if word == word.translate(_DROP):
        import shlex

        return shlex.quote(word)
    odd = "".join(
        c if c.isascii() and c.isprintable() and c not in "\\'" else "".join(f"\\{b:03o}" for b in os.fsencode(c))
        for c in word
    )
    return f"$'{odd}'"


def escaped(text: str) -> str:
    r"""Return JSON ``text`` that means the same, with control and bidi characters as ``\uXXXX``.

    Characters below a blank stay: JSON strings never hold them as they are, and the layout needs them.
    """
    return text if text.isascii() and "\x7f" not in text else text.translate(_ESCAPED)
