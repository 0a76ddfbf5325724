"""Quoting for tmux's three grammars: a line of ``source-file``, an argument list, and a format.

Owns the one way in which a literal string is put into a tmux command. Knows no command and runs nothing. Proven against
a real tmux by property tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_BARE: Final = re.compile(r"[A-Za-z0-9_./:@,+-]+")
# Inside double quotes tmux gives a meaning to these (and drops blanks after a newline): as octal they have none.
_ESCAPES: Final = {code: f"\\{code:03o}" for code in (*range(1, 32), 127, *map(ord, '"\\$~'))}
_HASHES: Final = re.compile(r"#+(?!\[|#)")


def quote(argument: str) -> str:
    """One argument as a word of tmux's command-line grammar (standard input of ``source-file -``).

    Raises ValueError for a NUL, which no tmux argument can hold.
    """
    if _BARE.fullmatch(argument):
        return argument
    if "\0" in argument:
        raise ValueError("a tmux argument cannot hold a NUL")
    return f'"{argument.translate(_ESCAPES)}"'


def line(arguments: Iterable[str]) -> str:
    """One command, newline included. An operand that may begin with ``-`` belongs behind a ``--`` of the caller's."""
    return " ".join(map(quote, arguments)) + "\n"


def encode(text: str) -> bytes:
    """Text for tmux as bytes. File names that are not UTF-8 (surrogate escapes) keep their bytes."""
    return text.encode("utf-8", "surrogateescape")


def literal(argument: str) -> str:
    """One argument of an argument list (``tmux cmd arg …``): a final ``;`` would else end the command there.

    Raises ValueError for a NUL.
    """
    if "\0" in argument:
        raise ValueError("a tmux argument cannot hold a NUL")
    return f"{argument[:-1]}\\;" if argument.endswith(";") else argument


def format_literal(text: str) -> str:
    """Text where tmux expands formats (``-c``, ``-n``, ``display-message``): every ``#`` stands for itself.

    Hashes before a ``[`` are left alone: tmux keeps those for styles and does not fold them.
    """
    return _HASHES.sub(lambda match: match.group() * 2, text)
