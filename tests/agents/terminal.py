"""A private tmux server and its panes: open, type, look, wait for what is seen. Knows no agent."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.tmux_server import private_server

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Look:
    """What a pane shows at one moment."""

    text: str
    title: str
    command: str

    def has(self, pattern: str) -> bool:
        """Whether a line-wise regular expression is found in the text."""
        return re.search(pattern, self.text, re.MULTILINE) is not None


class ScreenTimeoutError(AssertionError):
    """What was waited for did not come; the message holds the last screen."""


class Tmux:
    """A private tmux server with a bare environment of its own. A context manager.

    libtmux builds it and opens its windows. ``run`` calls tmux directly: libtmux drops the empty rows at the end of a
    capture, and takes no several commands at once.
    """

    def __init__(self, socket: Path, env: dict[str, str], size: tuple[int, int] = (120, 40)) -> None:
        self.socket = socket
        self.env = env
        self.columns, self.rows = size

    def run(self, *args: str, check: bool = True) -> str:
        """Standard output of one tmux command. Raises CalledProcessError if it fails and ``check`` is set."""
        command = ["tmux", "-u", "-S", str(self.socket), "-f", "/dev/null", *args]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, errors="replace", check=False)
        if check and done.returncode:
            raise RuntimeError(f"tmux {' '.join(args[:2])}: {done.stderr.strip()}")
        return done.stdout

    def __enter__(self) -> Self:
        # the first pane keeps the server alive and gives every later one its size
        self._session = private_server(self.socket, self.env).new_session(
            "lab", window_name="keep", x=self.columns, y=self.rows, window_command="exec sleep 86400"
        )
        for name, value in (("status", "off"), ("default-terminal", "tmux-256color"), ("history-limit", "5000")):
            self.run("set-option", "-g", name, value)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.run("kill-server", check=False)

    def open(self, name: str, env: dict[str, str], cwd: Path, command: str = "exec bash --norc --noprofile") -> Pane:
        """A window of its own for one agent, by default with a shell in it."""
        window = self._session.new_window(name, start_directory=cwd, window_shell=command, environment=env)
        pane = window.active_pane
        if pane is None or pane.pane_id is None:
            raise RuntimeError(f"the window {name} closed at once")
        return Pane(self, pane.pane_id)


class Pane:
    """One pane of a private server."""

    def __init__(self, tmux: Tmux, pane_id: str) -> None:
        self.tmux = tmux
        self.id = pane_id

    @property
    def pid(self) -> int:
        """The pane's own process (its shell)."""
        return int(self.tmux.run("display-message", "-p", "-t", self.id, "#{pane_pid}"))

    def look(self) -> Look:
        """Screen, title and foreground command, all of one moment; empty once the pane has gone."""
        head = "#{pane_current_command}\t#{pane_title}"
        args = ("display-message", "-p", "-t", self.id, head, ";", "capture-pane", "-p", "-t", self.id)
        first, _, text = self.tmux.run(*args, check=False).partition("\n")
        command, _, title = first.partition("\t")
        return Look("\n".join(row.rstrip() for row in text.splitlines()), title.strip(), command)

    def keys(self, *names: str) -> None:
        """tmux key names, sent together."""
        self.tmux.run("send-keys", "-t", self.id, *names)

    def letters(self, text: str) -> None:
        """Text, typed; whether it shows is not looked at."""
        self.tmux.run("send-keys", "-t", self.id, "-l", text)

    def wait(self, seen: Callable[[Look], bool], what: str, timeout: float = 30) -> Look:
        """The first look for which ``seen`` holds. Raises ScreenTimeoutError after ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while True:
            look = self.look()
            if seen(look):
                return look
            if time.monotonic() > end:
                shown = "\n".join(f"  | {row}" for row in look.text.splitlines() if row.strip())
                raise ScreenTimeoutError(f"{what}: not seen in {timeout:.0f} s; title {look.title!r}, screen:\n{shown}")
            time.sleep(POLL_S)

    def wait_text(self, pattern: str, timeout: float = 30) -> Look:
        """Waits for a regular expression on the screen."""
        return self.wait(lambda look: look.has(pattern), f"/{pattern}/", timeout)

    def wait_still(self, still: float = 0.3, timeout: float = 3) -> None:
        """Waits until the screen has not changed for ``still`` seconds; an animated one is given up on quietly."""
        end, since, last = time.monotonic() + timeout, time.monotonic(), self.look().text
        while time.monotonic() < end and time.monotonic() - since < still:
            time.sleep(POLL_S / 2)
            text = self.look().text
            if text != last:
                since, last = time.monotonic(), text

    def type(self, text: str) -> None:
        """Types text without submitting it; returns when it stands on the screen."""
        self.tmux.run("send-keys", "-t", self.id, "-l", text)
        self.wait(lambda look: text in look.text, f"typed text {text!r}", 10)
        self.wait_still()
