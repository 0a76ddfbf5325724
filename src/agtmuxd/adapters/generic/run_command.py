"""Parse the command line of ``agtmux run``: whether a process is a wrapper, what it runs, which agent the user named.

Pure. Knows no agent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agtmuxd.adapters.argv import base_name

_PYTHON: Final = re.compile(r"python[\d.]*$")


@dataclass(frozen=True, slots=True)
class Wrapper:
    """One ``agtmux run``. ``command``: the wrapped command, never empty. ``agent``: the value of ``--as``, if given."""

    command: tuple[str, ...]
    agent: str | None = None


def wrapper_of(argv: Sequence[str]) -> Wrapper | None:
    """Parse ``[python [-m]] agtmux [OPTIONS] run [--as AGENT] [--] COMMAND``. None for any other command line."""
    rest = _after_agtmux(list(argv))
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] == "--color" else rest[1:]
    if rest[:1] != ["run"]:
        return None
    rest, agent = rest[1:], None
    while rest and rest[0].startswith("-") and rest[0] != "--":
        if rest[0] == "--as":
            agent, rest = rest[1] if len(rest) > 1 else None, rest[2:]
        else:
            agent, rest = rest[0].removeprefix("--as=") if rest[0].startswith("--as=") else agent, rest[1:]
    command = tuple(rest[1:] if rest[:1] == ["--"] else rest)
    return Wrapper(command, agent) if command else None


def _after_agtmux(words: list[str]) -> list[str]:
    """Return the words after the program ``agtmux``. Empty if another program runs."""
    if words and _PYTHON.fullmatch(base_name(words[0])):
        words = words[1:]
        while words and words[0].startswith("-") and words[0] != "-m":
            words = words[1:]
        if words[:1] == ["-m"]:
            words = words[1:]
    return words[1:] if words and base_name(words[0]) == "agtmux" else []
