"""Quote text for tmux's three grammars: a line of ``source-file``, an argument list, and a format.

Owns the one way to put a literal string into a tmux command. Knows no command and runs nothing. Property tests check it
against a real tmux.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_BARE: Final = re.compile(r"[A-Za-z0-9_./:@,+-]+")
# Inside double quotes these are special to tmux (which also drops blanks after a newline). In octal they are not.
_ESCAPES: Final = {code: f"\\{code:03o}" for code in (*range(1, 32), 127, *map(ord, '"\\$~'))}
_HASHES: Final = re.compile(r"#+(?!\[|#)")


def quote(argument: str) -> str:
    """Quote one argument as a word of tmux's command-line grammar (standard input of ``source-file -``).

    Raises ValueError for a NUL, which no tmux argument can hold.
    """
    if _BARE.fullmatch(argument):
        return argument
    if "\0" in argument:
        raise ValueError("a tmux argument cannot hold a NUL")
    return f'"{argument.translate(_ESCAPES)}"'


def line(arguments: Iterable[str]) -> str:
    """Return one command as a line, with its newline. Put ``--`` before an operand that may begin with ``-``."""
    return " ".join(map(quote, arguments)) + "\n"


def encode(text: str) -> bytes:
    """Encode text for tmux. File names that are not UTF-8 (surrogate escapes) keep their bytes."""
    return text.encode("utf-8", "surrogateescape")


def literal(argument: str) -> str:
    """Quote one argument of an argument list (``tmux cmd arg …``): otherwise a final ``;`` would end the command.

    Raises ValueError for a NUL.
    """
    if "\0" in argument:
        raise ValueError("a tmux argument cannot hold a NUL")
    return f"{argument[:-1]}\\;" if argument.endswith(";") else argument


def format_literal(text: str) -> str:
    """Quote text for places where tmux expands formats (``-c``, ``-n``, ``display-message``): every ``#`` is literal.

    A ``#`` before a ``[`` stays single: tmux keeps it for styles and does not reduce ``##`` there.
    """
    return _HASHES.sub(lambda match: match.group() * 2, text)


def message(text: str) -> str:
    """Quote text for ``display-message``, which expands formats and then dates: every ``#`` and ``%`` is literal.

    A ``#[``, which would begin a style, becomes ``# [``.
    """
    return format_literal(text.replace("#[", "# [")).replace("%", "%%")
