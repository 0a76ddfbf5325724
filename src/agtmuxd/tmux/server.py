"""Address one tmux server, and check its version.

Owns the first words of every tmux argument list and the parsing of version strings. Knows no command.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

MINIMUM: Final = (3, 3)
_VERSION: Final = re.compile(r"(?<![0-9])([0-9]{1,4})\.([0-9]{1,4})(?![0-9])")


def tmux_argv(tmux_path: str, socket: str | None) -> list[str]:
    """Return the start of an argument list for one server.

    None is the user's default; a path is ``-S``, any other name ``-L``.

    Always has ``-u``: under a C locale tmux would turn tabs and UTF-8 into ``_``.
    """
    if socket is None:
        return [tmux_path, "-u"]
    return [tmux_path, "-u", "-S" if "/" in socket else "-L", socket]


def socket_path(argv: Sequence[str], tmpdir: str | None, uid: int) -> str:
    """Return the socket of such an argument list on this machine. ``tmpdir`` is ``TMUX_TMPDIR`` (tmux(1), ``-L``)."""
    words = dict(pairwise(argv))
    return words["-S"] if "-S" in words else f"{tmpdir or '/tmp'}/tmux-{uid}/{words.get('-L', 'default')}"  # noqa: S108


def parse_version(text: str) -> tuple[int, int] | None:
    """Return ``tmux 3.3a`` as (3, 3), ``next-3.7`` as (3, 7).

    None if there is no number (``master``, OpenBSD's own tmux).
    """
    match = None if "openbsd" in text else _VERSION.search(text)
    return (int(match[1]), int(match[2])) if match else None


def too_old(text: str) -> bool:
    """Return whether this version is known to be older than the oldest supported one."""
    version = parse_version(text)
    return version is not None and version < MINIMUM
