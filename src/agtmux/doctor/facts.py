"""Gather what the checks look at: the environment, the daemon's health, and a way to run programs.

Starts no daemon: not even through a socket at which systemd listens for it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field

from agtmux.client import Client
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.service import find
from agtmux.service.state import CommandResult, ServiceState
from agtmux.transport import NoDaemonError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

ANSWER = 3.0
"""Seconds that one answer of the daemon may take."""


def run(argv: Sequence[str], seconds: float = 3.0, environ: Mapping[str, str] | None = None) -> CommandResult:
    """Run one program. Raises nothing: status 127 for a missing program, 124 for one that took too long."""
    try:
        done = subprocess.run(
            list(argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=seconds,
            env=environ if environ is None else dict(environ), check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return CommandResult(124, "", f"{argv[0]} did not end within {seconds:g} s")
    except OSError as error:
        return CommandResult(127, "", f"cannot run {argv[0]}: {error.strerror}")
    return CommandResult(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Facts:
    """What the checks look at. ``health`` None: no daemon answers, and ``unreachable`` says why."""

    environ: Mapping[str, str]
    health: Mapping[str, Any] | None = None
    unreachable: AgtmuxError | None = None
    holder: int | None = None
    """The pid of a daemon that runs although it does not answer."""
    service: ServiceState | None = None
    client: Client | None = None
    run: Callable[..., CommandResult] = field(default=run)
    argv0: str = field(default_factory=lambda: sys.argv[0])

    @property
    def targets(self) -> list[Mapping[str, Any]]:
        return list((self.health or {}).get("targets") or ())

    @property
    def counters(self) -> Mapping[str, Any]:
        return (self.health or {}).get("counters") or {}

    @property
    def daemon_environment(self) -> Mapping[str, Any] | None:
        """What the daemon got from the process that started it. None: no daemon, or an older one."""
        return (self.health or {}).get("environment")

    def errors(self, *topics: str) -> list[str]:
        """Return the daemon's problems and notes that begin with one of these topics."""
        errors = [str(text) for text in (self.health or {}).get("last_errors") or ()]
        return [text for text in errors if text.startswith(topics)]


def gather(environ: Mapping[str, str], holder: Callable[[], int | None]) -> Facts:
    """Look at the daemon and its service. ``holder``: finds a daemon by its locks. Raises nothing."""
    service, waits = _service()
    if waits:
        return Facts(environ, service=service)
    client = Client(timeout=ANSWER)
    try:
        health = client.health().json()
    except AgtmuxError as error:
        found = holder() if isinstance(error, NoDaemonError) else None
        return Facts(environ, unreachable=error, holder=found, service=service)
    return Facts(environ, health=health, service=service, client=client)


def _service() -> tuple[ServiceState | None, bool]:
    """Return the state of this machine's service, and whether a connection would make it start the daemon."""
    try:
        manager = find.manager()
        state = manager.state()
    except AgtmuxError:
        return None, False
    return state, state.waits and any(manager.serves(path) for path in paths.socket_candidates())


_RUN = re.compile(r"\b[Rr]un:? (?=(?:agtmux|fuser|kill) )")
_WORD = re.compile(r"[\w./%:@=~-]+", re.A)
_AFTER = frozenset({"to", "if", "again", "and", "so", "in", "then", "for", "from", "where", "or", "with"})
"""Words with which a message goes on after a command."""


def command_in(text: str) -> str | None:
    """Return the command that a message of agtmux says to run. None if it says none, or one with odd characters."""
    at = _RUN.search(text)
    words: list[str] = []
    for word in text[at.end() :].split(" ") if at else ():
        plain = word.rstrip(";:,.)")
        if words and plain in _AFTER:
            break
        if _WORD.fullmatch(plain) is None:
            return None
        words.append(plain)
        if plain != word:
            break
    return " ".join(words) or None


def shell(argv: Sequence[str]) -> str:
    """Return a command line for a person to paste."""
    return shlex.join(argv)


def home(path: str) -> str:
    """Return a path with ``~`` for the home folder."""
    own = os.path.expanduser("~")
    return "~" + path[len(own) :] if own != "/" and (path == own or path.startswith(own + "/")) else path
