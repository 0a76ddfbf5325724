"""Find out what a process runs from its ``comm`` and ``argv``.

Owns the general parsing: the base name of a path, the script that an interpreter runs, the first positional argument.
Interpreters and shims are skipped. Knows no agent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agtmuxd.core.model import Proc

NODES: Final = frozenset({"node", "nodejs", "bun", "deno"})
"""Interpreters that agents are shipped for. A script run by any other program (sh, env, sudo, vim) is not an agent."""

_NODE_VALUES: Final = frozenset(
    {"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"}
)
_NODE_EVALS: Final = frozenset({"-e", "--eval", "-p", "--print", "-c", "--check", "-v", "--version"})


@dataclass(frozen=True, slots=True)
class Program:
    """A running program.

    ``path``: the binary or, under node, the script. ``args``: the arguments after it. ``node``: whether it is a script.
    """

    path: str
    args: tuple[str, ...]
    node: bool

    @property
    def name(self) -> str:
        return base_name(self.path)


def words(text: str) -> frozenset[str]:
    """Split ``text`` into a set of words. It makes a set of options or commands easy to read."""
    return frozenset(text.split())


def base_name(path: str) -> str:
    """Return the last part of ``path``, without the leading dash of a login shell."""
    return path.rsplit("/", 1)[-1].lstrip("-")


def program(proc: Proc) -> Program | None:
    """Return the program that ``proc`` runs. None if argv is empty, or if node runs no script."""
    if not proc.argv or not proc.argv[0]:
        return None
    name = base_name(proc.argv[0])
    if name not in NODES:
        return Program(proc.argv[0], proc.argv[1:], node=False)
    rest = iter(enumerate(proc.argv[1:], start=1))
    for i, arg in rest:
        if arg in _NODE_EVALS:
            return None
        if arg in _NODE_VALUES:
            next(rest, None)
        elif name in {"bun", "deno"} and arg in {"run", "x"}:
            continue
        elif not arg.startswith("-"):
            return Program(arg, proc.argv[i + 1 :], node=True)
    return None


def positional(args: Iterable[str], with_value: frozenset[str]) -> str | None:
    """Return the first argument that is neither an option nor the value of an option in ``with_value``."""
    rest = iter(args)
    for arg in rest:
        if arg == "--":
            return None
        if arg in with_value:
            next(rest, None)
        elif not arg.startswith("-"):
            return arg
    return None


def has_option(args: Iterable[str], names: frozenset[str], with_value: frozenset[str] = frozenset()) -> bool:
    """Return whether one of the options ``names`` is given: as ``--x``, as ``--x=v``, or among joined short letters."""
    short = {n[1] for n in names if len(n) == 2}
    rest = iter(args)
    for arg in rest:
        if arg == "--":
            return False
        if arg in names or arg.split("=", 1)[0] in names:
            return True
        if arg in with_value:
            next(rest, None)
        elif re.fullmatch(r"-[a-z]{2,4}", arg) and short & set(arg[1:]):
            return True
    return False
