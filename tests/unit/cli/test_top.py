"""``agtmux top`` and ``agtmux pick`` as programs in a terminal: how they start, end and refuse to start."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.conftest import until
from tests.unit.daemon_stub import agtmux, command, environment
from tests.unit.top.rows import ago, item
from tests.unit.top.stage import Stage


@pytest.fixture
def stage(short_dir: Path) -> Iterator[Stage]:
    made = Stage(short_dir, item("%1", "idle"), item("%2", "waiting_input", agent_type="codex", since=ago(5))).start()
    yield made
    made.stop()


class Terminal:
    """The program in a pseudo-terminal of 80x24; ``printed`` is all that it wrote there."""

    def __init__(self, folder: Path, *argv: str, stdout: int | None = None, **env: str) -> None:
        self.control, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(inner)
        self.printed = b""
        self.process = subprocess.Popen(
            command(argv), stdin=inner, stdout=inner if stdout is None else stdout, stderr=inner,
            env=environment(folder, AGTMUX_NO_AUTOSTART="1", TERM="xterm-256color", **env), start_new_session=True,
        )  # fmt: skip
        self.inner = inner
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while piece := os.read(self.control, 65536):
                self.printed += piece
        except OSError:
            return

    def shows(self, words: str) -> None:
        until(lambda: words.encode() in self.printed, within=30, what=f"{words!r} in {self.printed[-3000:]!r}")

    def type(self, text: str) -> None:
        os.write(self.control, text.encode())

    def end(self) -> int:
        return self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        os.close(self.inner)
        os.close(self.control)


@pytest.mark.tc("TC-306")
def test_it_draws_in_a_terminal_and_leaves_it_as_it_was(short_dir: Path, stage: Stage) -> None:
    """The other screen, the cursor, the mouse and the modes of the terminal are put back."""
    with Terminal(short_dir, "top") as terminal:
        terminal.shows("codex")
        terminal.type("q")
        assert terminal.end() == 0
        for sequence in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[?2004l", b"\x1b[?7h"):
            assert terminal.printed.rindex(sequence) > terminal.printed.rindex(b"codex")
        assert termios.tcgetattr(terminal.inner) == terminal.before


@pytest.mark.tc("TC-306")
@pytest.mark.parametrize("how", ["ctrl-c", "term", "hup"])
def test_it_ends_by_ctrl_c_and_by_signals_too(short_dir: Path, stage: Stage, how: str) -> None:
    with Terminal(short_dir, "top") as terminal:
        terminal.shows("codex")
        if how == "ctrl-c":
            terminal.type("\x03")
        else:
            terminal.process.send_signal(signal.SIGTERM if how == "term" else signal.SIGHUP)
        assert terminal.end() == 0
        assert b"\x1b[?1049l" in terminal.printed


@pytest.mark.tc("TC-306")
def test_it_ends_at_once_though_the_daemon_hangs(short_dir: Path, stage: Stage) -> None:
    """No thread that waits for an answer holds it up."""
    gate = threading.Event()
    stage.answers["view-output"] = lambda _: {"output": "late"} if gate.wait(60) else {}
    with Terminal(short_dir, "top") as terminal:
        terminal.shows("codex")
        until(lambda: stage.done("view-output"), what="the pane is read")
        terminal.type("q")
        assert terminal.process.wait(4) == 0
    gate.set()


@pytest.mark.tc("TC-306")
def test_without_the_mouse_the_terminal_keeps_it(short_dir: Path, stage: Stage) -> None:
    """By the option, or by the configuration."""
    (short_dir / "config.toml").write_text("[top]\nmouse = false\n")
    for argv in (("top", "--no-mouse"), ("top",)):
        with Terminal(short_dir, *argv) as terminal:
            terminal.shows("codex")
            terminal.type("q")
            assert terminal.end() == 0
            assert b"\x1b[?1000h" not in terminal.printed


@pytest.mark.tc("TC-302")
def test_without_colours_it_prints_none(short_dir: Path, stage: Stage) -> None:
    """NO_COLOR, or ``--color never``. An empty NO_COLOR is none."""
    cases: list[tuple[tuple[str, ...], dict[str, Any], bool]] = [
        (("top",), {"NO_COLOR": "1"}, False),
        (("top", "--color", "never"), {}, False),
        (("top",), {"NO_COLOR": ""}, True),
    ]
    for argv, env, coloured in cases:
        with Terminal(short_dir, *argv, **env) as terminal:
            terminal.shows("codex")
            terminal.type("q")
            assert terminal.end() == 0
            assert (b"\x1b[1;35" in terminal.printed or b";35m" in terminal.printed) is coloured


@pytest.mark.tc("TC-306")
def test_pick_prints_the_chosen_ref_and_nothing_else(short_dir: Path, stage: Stage) -> None:
    """So that a shell can use it, while the list is drawn on the terminal. Escape leaves with another status."""
    read, write = os.pipe()
    with Terminal(short_dir, "pick", "--print", stdout=write) as terminal:
        terminal.shows("codex")
        terminal.type("claude")
        until(lambda: terminal.printed.count(b"claude") > 2)
        terminal.type("\r")
        assert terminal.end() == 0
    os.close(write)
    assert os.read(read, 65536) == b"pane:host/work/@1/%1\n"
    os.close(read)
    with Terminal(short_dir, "pick", "--print") as terminal:
        terminal.shows("codex")
        terminal.type("\x1b")
        assert terminal.end() == 130


@pytest.mark.tc("TC-306")
def test_going_there_from_a_popup_runs_the_command_in_its_place(short_dir: Path, stage: Stage) -> None:
    """Its status is that of the command."""
    stage.answers["attach"] = {"kind": "local", "socket": "/nowhere", "server_pid": 1, "switch": [], "whole": ["x"],
                               "argv": ["/bin/sh", "-c", "echo gone there; exit 3"]}  # fmt: skip
    for argv in (("top", "--popup"), ("pick",), ("top", "--pick")):
        with Terminal(short_dir, *argv) as terminal:
            terminal.shows("codex")
            terminal.type("\r")
            assert terminal.end() == 3
            terminal.shows("gone there")


@pytest.mark.tc("TC-306")
def test_the_terminal_is_lent_to_attach_and_taken_back(short_dir: Path, stage: Stage) -> None:
    """Outside tmux, going there attaches; afterwards the dashboard is back."""
    stage.answers["attach"] = {"kind": "local", "socket": "/nowhere", "server_pid": 1, "switch": [], "whole": ["x"],
                               "argv": ["/bin/sh", "-c", "echo I have the terminal; sleep 0.2; exit 3"]}  # fmt: skip
    with Terminal(short_dir, "top") as terminal:
        terminal.shows("codex")
        terminal.type("\r")
        terminal.shows("I have the terminal")
        terminal.shows("/bin/sh ended with status 3")
        terminal.type("q")
        assert terminal.end() == 0


@pytest.mark.tc("TC-304")
@pytest.mark.parametrize(
    ("config", "argv", "says"),
    [
        ("[top.keys]\napprove = 'q'\n", ["top"], "[top.keys] gives q of quit to approve"),
        ("[top]\ntheme = 'pink'\n", ["top"], "[top] theme: there is no "),
        ("top = 5\n", ["top"], "top in the configuration is not a table"),
        ("", ["top", "--print"], "--print needs --pick"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_it_is(
    short_dir: Path, stage: Stage, config: str, argv: list[str], says: str
) -> None:
    """A wrong setting is named, and the terminal is left alone."""
    (short_dir / "config.toml").write_text(config)
    with Terminal(short_dir, *argv) as terminal:
        terminal.shows(says)
        assert terminal.end() == 2
        assert b"\x1b[?1049h" not in terminal.printed


@pytest.mark.tc("TC-306")
def test_without_a_terminal_or_a_daemon_it_says_what_to_do(short_dir: Path) -> None:
    for argv in (["top"], ["pick"]):
        done = agtmux(short_dir, *argv)
        assert done.returncode == 2
        assert b"the dashboard needs a terminal: use agtmux ls or agtmux watch instead" in done.stderr
    with Terminal(short_dir, "top") as terminal:
        terminal.shows("agtmux daemon start (E_DAEMON_UNREACHABLE)")
        assert terminal.end() == 3
        assert b"\x1b[?1049h" not in terminal.printed
