"""What many tests share: a short directory, a private tmux server, a terminal to attach to it, a wait with a deadline.

Every server is told by its own socket to stop, and no other is touched.
"""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import libtmux
import pytest
from hypothesis import settings

from tests.tmux_server import private_server

settings.register_profile("agtmux", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("agtmux")

T = TypeVar("T")


def until(predicate: Callable[[], T], *, within: float = 10.0, what: str = "") -> T:
    """Poll until the predicate says something true, and return that. Fails the test after ``within`` seconds."""
    deadline = time.monotonic() + within
    pause = 0.005
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within:g} s: {what or predicate}; last: {value!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what starts a tmux server, so that ``-m tmux`` runs it on the version that comes first in PATH."""
    for item in items:
        if {"tmux", "new_tmux"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.tmux)


class Tmux:
    """A private tmux server on a socket of its own, without a configuration file.

    libtmux builds it and looks into it. ``run`` calls tmux directly: libtmux hands no text to the standard input, and
    drops the empty rows at the end of a capture.
    """

    def __init__(self, socket: Path, program: str = "tmux") -> None:
        self.socket = socket
        self.program = program
        self.env = clean_environment()

    @property
    def argv(self) -> list[str]:
        return [self.program, "-u", "-S", str(self.socket), "-f", "/dev/null"]

    @property
    def server(self) -> libtmux.Server:
        """This server as libtmux sees it."""
        return private_server(self.socket, self.env, self.program)

    def try_run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.argv, *arguments], input=stdin, text=True, capture_output=True, timeout=30, env=self.env, check=False
        )

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run one tmux command; its output without the last newline. Fails the test when tmux complains."""
        done = self.try_run(*arguments, stdin=stdin)
        if done.returncode != 0:
            pytest.fail(f"tmux {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.removesuffix("\n")

    def ask(self, *arguments: str) -> str:
        """One tmux command by libtmux; its output. Fails the test when tmux complains."""
        done = self.server.cmd(*arguments)
        if done.returncode != 0:
            pytest.fail(f"tmux {' '.join(arguments)}: {' '.join(done.stderr)}")
        return "\n".join(done.stdout)

    def start(self, *command: str, session: str = "main", cols: int = 80, rows: int = 24) -> str:
        """A new session of one pane that runs ``command`` (by default ``cat``) without a shell; its pane id.

        libtmux's ``new_session`` takes a shell's command only.
        """
        size = ("-x", str(cols), "-y", str(rows))
        return self.ask(
            "new-session", "-d", "-P", "-F", "#{pane_id}", "-s", session, *size, "--", *(command or ("cat",))
        )

    def show(self, pane: str, fmt: str) -> str:
        return self.ask("display-message", "-p", "-t", pane, fmt)

    def pid(self, pane: str) -> int:
        return int(libtmux.Pane.from_pane_id(self.server, pane).pane_pid or 0)

    def settle(self, pane: str) -> None:
        """Wait until the pane's program has taken in all that this server was told to type, and sleeps again.

        tmux answers after what it was told before; then nothing must be left in the pane's terminal.
        """
        result = self.show(pane, "#{pane_tty} #{pane_pid}").split()
        fd = os.open(result[0], os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            until(lambda: _unread(fd) == 0 and _sleeps(int(result[1])), what=f"{pane} has read what was typed")
        finally:
            os.close(fd)

    def stop(self) -> None:
        """End this server, if it runs, and wait until it has ended."""
        message = self.try_run("display-message", "-p", "#{pid}")
        if message.returncode != 0 or not message.stdout.strip():
            return
        pid = int(message.stdout)
        self.try_run("kill-server")  # its client may see the server go before it has its answer
        until(lambda: not _alive(pid), what=f"tmux server {pid} ends")


def _unread(fd: int) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"))
    return int(count)


def _sleeps(pid: int) -> bool:
    """Whether it waits for something, as a program does that has nothing to do."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


class Terminal:
    """A pseudo-terminal with a tmux client attached in it, as a user has one."""

    def __init__(self, tmux: Tmux, session: str, cols: int, rows: int, term: str = "xterm-256color") -> None:
        self.received = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        self._process = subprocess.Popen(
            [*tmux.argv, "attach-session", "-t", session],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**tmux.env, "TERM": term},
        )  # fmt: skip
        os.close(slave)
        os.set_blocking(self._master, False)
        until(lambda: self._drain() and tmux.run("list-clients", "-t", session), what="the client attaches")

    def _drain(self) -> bool:
        with suppress(BlockingIOError, OSError):
            while data := os.read(self._master, 65536):
                self.received = (self.received + data)[-1_000_000:]
        return True

    def read(self) -> bytes:
        """All that the terminal was sent so far."""
        self._drain()
        return self.received

    def type(self, data: bytes) -> None:
        """Type into the terminal, as its user does."""
        os.write(self._master, data)

    def close(self) -> None:
        """Detach by ending the client. Idempotent."""
        if self._master < 0:
            return
        self._process.terminate()
        until(lambda: self._drain() and self._process.poll() is not None, what="the client ends")
        os.close(self._master)
        self._master = -1


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which no agent or tmux of the machine shows."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "SHELL") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "TERM": "xterm-256color", **(extra or {})}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(OSError):  # a container whose first process does not reap keeps them as zombies
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory with a path short enough for Unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="agt", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def new_tmux(short_dir: Path) -> Iterator[Callable[[], Tmux]]:
    """Makes private tmux servers (not started); all are stopped at the end."""
    made: list[Tmux] = []

    def make() -> Tmux:
        made.append(Tmux(short_dir / f"s{len(made)}"))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def tmux(new_tmux: Callable[[], Tmux]) -> Tmux:
    """One private tmux server, not started."""
    return new_tmux()


@pytest.fixture
def attach() -> Iterator[Callable[..., Terminal]]:
    """Attaches terminals: ``attach(tmux, "session", cols, rows)``; all are closed at the end."""
    made: list[Terminal] = []

    def make(tmux: Tmux, session: str, cols: int = 100, rows: int = 30, term: str = "xterm-256color") -> Terminal:
        made.append(Terminal(tmux, session, cols, rows, term))
        return made[-1]

    yield make
    for terminal in made:
        terminal.close()
