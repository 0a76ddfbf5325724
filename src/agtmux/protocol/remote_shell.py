"""Quote a script for ssh, so that any login shell runs it: POSIX shells, csh and fish.

The user's login shell reads what ssh runs. So the command always has the form

    exec /bin/sh -c 'eval "$(printf %b "$0")"' '<script>'

In the script, each byte that a shell of any family could interpret inside single quotes is written in octal. Owns this
form. Runs nothing.
"""

from __future__ import annotations

import shlex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

USUAL_PLACES = (
    "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:$HOME/.local/bin:$HOME/bin:$HOME/.nix-profile/bin:"
    "/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/home/linuxbrew/.linuxbrew/bin:/opt/local/bin:/snap/bin"
)
"""Searched after PATH: tmux must be found even with the short PATH of a non-login shell."""
_SPECIAL = frozenset(b"'\\!")
_ENCODED = tuple(chr(code) if 32 <= code < 127 and code not in _SPECIAL else f"\\0{code:03o}" for code in range(256))


def quote_script(script: str) -> str:
    """Return the ASCII command that runs ``script`` by ``/bin/sh`` in any login shell. Raises ValueError (NUL)."""
    if "\0" in script:
        raise ValueError("an argument cannot hold a NUL")
    return f"""exec /bin/sh -c 'eval "$(printf %b "$0")"' '{encode(script)}'"""


def quote_argv(argv: Sequence[str], mark: str = "") -> str:
    """Return the ASCII command that runs one program with these arguments in any login shell.

    It is found as the daemon finds programs there, and knows no tmux around it. ``mark``: printed first, on standard
    output, because a login shell may print texts of its own. Raises ValueError (NUL).
    """
    words = f"{program_word(argv[0])} {shlex.join(argv[1:])}"
    begin = f"printf %s {shlex.quote(mark)}\n" if mark else ""
    return quote_script(f"unset TMUX TMUX_PANE\nPATH=$PATH:{USUAL_PLACES}\nexport PATH\n{begin}exec {words}")


def program_word(program: str) -> str:
    """Quote the path of a program for a shell. ``~/`` at its start is the home folder there."""
    return f'"$HOME"/{shlex.quote(program[2:])}' if program.startswith("~/") else shlex.quote(program)


def encode(text: str | bytes) -> str:
    """Encode bytes for printf's ``%b``, with characters that are literal inside single quotes of any shell."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return "".join([_ENCODED[byte] for byte in data])
