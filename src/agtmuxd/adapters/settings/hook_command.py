"""Write the command line by which an agent calls our hook program, and recognise it in settings.

Owns how our entries are told apart from others. There are two hook programs. ``agtmux hook`` reports to the daemon of
its own machine. The other one is a file that a daemon on another machine placed (``remote``), and it reports to that
daemon. Both may stand in the same settings, and neither takes the other's entries for its own. Knows no agent.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

REMOTE_PROGRAM: Final = "agtmux/hook.py"
"""How the path of the placed program ends."""

NAME: Final = "agtmux"
"""The name of this machine's program, at any path, and of the module that an interpreter runs."""

QUIET: Final = "2>/dev/null || true"
"""Added to each command, so that an agent does not notice if the program is gone (uninstalled, or its environment
moved).
"""

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=")
_REST: Final = re.compile(r"(?: [012]?(?:>>?|>&|&>|&>>) \S+)*(?: \|\| (?:true|:|exit 0))?(?: &)?")
_OPERATOR: Final = re.compile(r"[();<>|&]+")


def line(command: str, agent: str, *more: str) -> str:
    """Return the shell command line for an agent's settings. ``command``: the program's absolute path and ``hook``."""
    return " ".join([command, agent, *more, QUIET])


def of_plugin(text: str) -> str | None:
    """Return the command line that our JavaScript plugin calls. None if its text names none."""
    found = re.search(r"^const COMMAND = (\[.*\])$", text, re.MULTILINE)
    try:
        return shlex.join(json.loads(found[1])) if found else None
    except (ValueError, TypeError):
        return None


def is_remote(words: Sequence[str]) -> bool:
    """Return whether a command's words name the program that a daemon on another machine placed."""
    return any(word.endswith(REMOTE_PROGRAM) for word in words)


@dataclass(frozen=True, slots=True)
class OwnEntries:
    """Which entries are ours: those that call the hook program for ``agent``.

    ``remote``: the program that a daemon on another machine placed.
    """

    agent: str
    remote: bool

    @classmethod
    def of(cls, agent: str, command: str) -> OwnEntries:
        """Return the entries that an installation with this ``command`` may change."""
        return cls(agent, is_remote(shlex.split(command)))

    def holds(self, entry: Any) -> bool:
        """Return whether an entry of an agent's settings runs our program and nothing else, at any path."""
        command = entry.get("command") if isinstance(entry, Mapping) else None
        return isinstance(command, str) and self.calls(words_of(command))

    def calls(self, words: Sequence[str]) -> bool:
        """Return whether a command's words, without redirections, call our program."""
        words = list(words)
        while words and _ASSIGNMENT.match(words[0]):
            words = words[1:]
        if "--event" in words[-2:-1]:
            words = words[:-2]
        program = words[:-2]
        if words[-2:] != ["hook", self.agent] or not program:
            return False
        if self.remote:
            return program[-1].endswith(REMOTE_PROGRAM)
        return PurePosixPath(program[-1]).name == NAME


def words_of(command: str) -> list[str]:
    """Return the words of one plain command. Empty for a line that does more than run it: such a line is not ours
    alone.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return []  # a quote is not closed
    end = next((i for i, token in enumerate(tokens) if _OPERATOR.fullmatch(token)), len(tokens))
    if end and end < len(tokens) and tokens[end][:1] == ">" and tokens[end - 1] in ("0", "1", "2"):
        end -= 1
    rest = "".join(f" {token}" for token in tokens[end:])
    return tokens[:end] if _REST.fullmatch(re.sub(r"(?<= )([012]) (?=>)", r"\1", rest)) else []
