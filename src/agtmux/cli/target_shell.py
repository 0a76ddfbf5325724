"""Run programs and tmux commands on the machine of a target: here, or by the user's own ``ssh``.

Owns how they are started: always by argument lists, which are quoted for the login shell there. Knows no agent. The
daemon says how a target is reached (``way``, ``tmux``).
"""

from __future__ import annotations

import os
import secrets
import subprocess

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.remote_shell import quote_argv
from agtmux.protocol.text import one_line
from agtmux.protocol.tmux_quote import literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 30.0
"""Seconds for one program. It may have to connect first."""
_INSIDE = ("TMUX", "TMUX_PANE")
_NO_CONNECTION = 255
"""Exit status of ssh itself."""


class TargetShell:
    """The machine of one target. ``way``: the words that run a command there (empty: this machine). ``tmux``: the first
    words of a tmux command there.
    """

    def __init__(self, name: str, way: Sequence[str], tmux: Sequence[str]) -> None:
        self.name = name
        self._way = [word for word in way if word != "-t"]  # nothing here needs a terminal
        self._tmux = list(tmux)

    @property
    def is_remote(self) -> bool:
        return bool(self._way)

    def run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run one program without a terminal. Raises E_TARGET_UNREACHABLE, E_TIMEOUT, E_INVALID_REQUEST (NUL)."""
        try:
            mark = secrets.token_hex(12) if self._way else ""
            whole = [*self._way, quote_argv(argv, mark)] if self._way else list(argv)
            done = subprocess.run(
                whole, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="surrogateescape",
                timeout=TIMEOUT, check=False, start_new_session=not self._way,
                env={name: value for name, value in os.environ.items() if name not in _INSIDE},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise AgtmuxError("E_TIMEOUT", f"{self.name} did not answer within {TIMEOUT:g} s: try again") from None
        except ValueError as error:
            raise AgtmuxError("E_INVALID_REQUEST", f"cannot run this on {self.name}: {error}") from None
        except OSError as error:
            raise AgtmuxError("E_TARGET_UNREACHABLE", f"{whole[0]} cannot be run: {error.strerror}") from None
        if self._way and done.returncode == _NO_CONNECTION:
            why = last_line(done.stderr) or "ssh gave no reason"
            raise AgtmuxError(
                "E_TARGET_UNREACHABLE", f"{self.name}: {why}; check it with agtmux target connect {self.name}"
            )
        if mark:
            _, found, done.stdout = done.stdout.partition(mark)
            if not found:
                why = last_line(done.stderr) or "it printed nothing"
                raise AgtmuxError("E_TARGET_UNREACHABLE", f"{self.name} does not run commands: {why}")
        return done

    def try_tmux(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one tmux command, and return its exit status and output. Raises as ``run``."""
        return self.run([*self._tmux, *map(literal, command)])

    def tmux(self, *command: str) -> str:
        """Run one tmux command and return what it printed. Raises E_PRECONDITION_FAILED with tmux's message."""
        done = self.try_tmux(*command)
        if done.returncode:
            why = last_line(done.stderr) or f"exit status {done.returncode}"
            raise AgtmuxError("E_PRECONDITION_FAILED", f"{self.name}: tmux {command[0]} failed: {why}")
        return done.stdout


def last_line(text: str) -> str:
    """Return the last line that is not empty, for a message. ssh prints its warnings before it."""
    lines = [line for line in text.splitlines() if line.strip()]
    return one_line(lines[-1].strip())[:200] if lines else ""
