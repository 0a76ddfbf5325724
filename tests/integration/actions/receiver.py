"""A pane whose program writes down every byte that it gets."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agtmuxd.actions.access import TargetAccess
from agtmuxd.actions.keystrokes import Keystrokes
from agtmuxd.actions.pane_check import one_pane
from agtmuxd.targets.local.executor import LocalExecutor
from agtmuxd.tmux.keys import WriteGuard
from agtmuxd.tmux.server import parse_version
from tests.conftest import Tmux, until


class Receiver:
    """A raw program in a pane, and hands on it."""

    def __init__(self, tmux: Tmux, folder: Path, bracketed: bool) -> None:
        self.tmux, self.file = tmux, folder / f"keys{bracketed}"
        ask = "\\x1b[?2004h" if bracketed else ""
        self.pane = tmux.start(sys.executable, "-c", RECEIVER, str(self.file), ask, session=f"raw{bracketed}")
        until(lambda: "ready" in tmux.run("capture-pane", "-p", "-t", self.pane))
        self.executor = LocalExecutor({"PATH": os.environ["PATH"]})
        argv = (self.executor.find_tmux(), "-u", "-S", str(tmux.socket))
        self.reached = TargetAccess("t", "host", "local", self.executor, argv, 10.0)

    async def keystrokes(self) -> Keystrokes:
        read = await one_pane(self.reached, self.pane)
        assert read.server is not None
        assert read.row is not None
        return Keystrokes(
            self.reached, WriteGuard(self.pane, read.server.pid, read.row.pid), parse_version(read.server.version)
        )

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes that arrived, and nothing behind them."""
        until(lambda: self.file.stat().st_size >= size, within=30)
        got = self.file.read_bytes()
        os.truncate(self.file, 0)
        return got


RECEIVER = """
import os, sys, tty
tty.setraw(0)
os.write(1, sys.argv[2].encode().decode("unicode_escape").encode() + b"ready")
with open(sys.argv[1], "ab", buffering=0) as out:
    while data := os.read(0, 65536):
        out.write(data)
"""
