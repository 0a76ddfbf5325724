"""Reach the tmux server that this process runs in: options, clients, messages and commands.

Owns the argument lists of these. Knows no agent. Every text that is not a format is quoted.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from agtmux import terminal
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmux.protocol.tmux_quote import literal, message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NamedTuple

    class Client(NamedTuple):
        """An attached client and what it shows. ``columns`` and ``rows``: its size in cells."""

        name: str
        session: str
        window: str
        pane: str
        columns: int
        rows: int

else:
    from collections import namedtuple

    Client = namedtuple("Client", "name session window pane columns rows")  # typing.NamedTuple costs 5 ms of import

TIMEOUT = 5.0
"""Seconds for each tmux command."""
SHOWN_FOR = 4000
"""Milliseconds for which a message is shown."""


class TmuxServer:
    """The tmux server of this process. ``socket`` and ``pid`` name one life of it."""

    def __init__(self, socket: str, pid: str) -> None:
        self.socket, self.pid = socket, pid
        program = shutil.which("tmux")
        if program is None:
            raise AgtmuxError("E_UNSUPPORTED", "tmux is not on PATH: install it, or correct PATH")
        self._argv = [program, "-u", "-S", socket]

    @classmethod
    def here(cls) -> TmuxServer:
        """Return the server that this process runs in. Raises E_INVALID_REQUEST outside tmux."""
        inside = terminal.inside()
        if inside is None:
            raise AgtmuxError("E_INVALID_REQUEST", "this command works inside tmux only: run it in a tmux pane")
        return cls(*inside)

    def argv(self, *words: str) -> list[str]:
        """Return the argument list of one tmux command."""
        return [*self._argv, *map(literal, words)]

    def try_run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one tmux command, and return its exit status and output. Raises E_UNSUPPORTED, E_TIMEOUT."""
        try:
            return subprocess.run(
                self.argv(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=TIMEOUT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise AgtmuxError("E_TIMEOUT", f"tmux did not answer within {TIMEOUT:g} s: try again") from None
        except OSError as error:
            raise AgtmuxError("E_UNSUPPORTED", f"cannot start tmux: {error.strerror}") from None

    def run(self, *words: str) -> str:
        """Run one tmux command and return its output. Raises E_PRECONDITION_FAILED with tmux's message if it fails."""
        done = self.try_run(*words)
        if done.returncode:
            reason = one_line(done.stderr.strip().partition("\n")[0])[:200]
            raise AgtmuxError("E_PRECONDITION_FAILED", f"tmux refused {words[0]}: {reason or 'it gave no reason'}")
        return done.stdout.removesuffix("\n")

    def values(self, formats: Sequence[str]) -> list[str]:
        """Return the values of formats such as ``#{version}``."""
        mark = os.urandom(6).hex()
        return self.run("display-message", "-p", mark.join(formats)).split(mark)

    def options(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the values of user options; "" for those that are not set."""
        return dict(zip(names, self.values([f"#{{{name}}}" for name in names]), strict=True))

    def client(self, name: str | None) -> Client:
        """Return the client of that name. None: the one that this process is shown in. Raises E_REF_NOT_FOUND."""
        if name is None:
            (name,) = self.values(["#{client_name}"])
        mark = os.urandom(6).hex()
        fields = "#{session_id} #{window_id} #{pane_id} #{client_width} #{client_height}"
        for row in self.run("list-clients", "-F", f"{mark}{fields} #{{client_name}}").split(mark)[1:]:
            session, window, pane, columns, rows, found = row.removesuffix("\n").split(" ", 5)
            if found == name and session:
                return Client(name, session, window, pane, int(columns), int(rows))
        shown = one_line(name) if name else "that shows this pane"
        raise AgtmuxError("E_REF_NOT_FOUND", f"this tmux server has no client {shown}: run tmux list-clients")

    def show_error(self, client: str | None, error: AgtmuxError) -> None:
        """Show an error in the status line of a client, which has room for one short line."""
        missing = error.code == "E_DAEMON_UNREACHABLE"
        self.show_message(client, "no daemon answers: run agtmux daemon start" if missing else error.message)

    def show_message(self, client: str | None, text: str) -> None:
        """Show a text in the status line of a client. A client that has gone is no error."""
        to = ["-c", client] if client is not None else []
        self.try_run("display-message", *to, "-d", str(SHOWN_FOR), f"agtmux: {message(one_line(text))}")
