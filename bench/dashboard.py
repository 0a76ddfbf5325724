"""``agtmux top`` in a terminal: until its first rows are there, from a key to what it draws, and what it costs."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.unit.daemon_stub import environment
from tests.unit.top.rows import item
from tests.unit.top.stage import Stage as Stub

from bench.measure import Figure, Span, median, p95, rss_mib, spawn_ms
from bench.stage import Stage, Terminal, running
from bench.world import CLI, World, wait_for

COLS, ROWS = 160, 50
REFERENCE = [sys.executable, "-c", "import click, textual.app"]


class Dashboard:
    """``agtmux top`` in a pseudo-terminal. What it writes is kept with the time at which it came."""

    def __init__(self, env: dict[str, str]) -> None:
        self._control, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLS, 0, 0))
        self.pieces: list[tuple[float, bytes]] = []
        self._news = threading.Condition()
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [str(CLI), "top"], stdin=inner, stdout=inner, stderr=inner, env=env, start_new_session=True
        )
        os.close(inner)
        threading.Thread(target=self._read, name="terminal", daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._control, 1 << 16)
            except OSError:
                return
            with self._news:
                self.pieces.append((time.perf_counter(), piece))
                self._news.notify_all()

    def first(self, mark: bytes, since: float, within: float = 20) -> float:
        """When ``mark`` came, at or after ``since``. Raises TimeoutError."""
        end = time.perf_counter() + within
        with self._news:
            while True:
                for at, piece in self.pieces:
                    if at >= since and mark in piece:
                        return at
                if not self._news.wait(max(0.0, end - time.perf_counter())):
                    raise TimeoutError(f"no {mark!r} within {within:g} s")

    def press(self, text: str) -> float:
        """Type; the clock then."""
        self.pieces.clear()
        now = time.perf_counter()
        os.write(self._control, text.encode())
        return now

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        os.close(self._control)


def top(quick: bool) -> list[Figure]:
    """The dashboard: first frame, a key with 500 rows, CPU with ten agents at work (TC-311)."""
    return [*_first_frame(8 if quick else 25), *_keys(40 if quick else 200), *_cost(15 if quick else 60)]


def _first_frame(times: int) -> list[Figure]:
    with World() as world:
        for _, _, tty in world.agents(world.server(), 60):
            Terminal(tty).show(running().frames[0])
        world.start()
        world.await_agents(60, known=False)
        took, bare = [], []
        for _ in range(times + 2):
            with Dashboard(world.env) as seen:
                took.append((seen.first(b"claude", seen.began) - seen.began) * 1000)
            bare.append(spawn_ms(REFERENCE, world.env)[0])
    return [
        Figure("top", "agtmux top, start -> first rows, 60 agents, median", median(took[2:]), "ms", 450),
        Figure("top", "... p95", p95(took[2:]), "ms"),
        Figure("top", "... fastest", min(took[2:]), "ms"),
        Figure("top", 'python -c "import click, textual.app", median', median(bare[2:]), "ms"),
        Figure("top", "... ratio of the medians", median(took[2:]) / median(bare[2:]), "x"),
    ]


def _keys(times: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="agtb-", dir="/tmp") as folder:
        stub = Stub(Path(folder), *(item(f"%{n}", "running", task=f"step {n}") for n in range(500))).start()
        env = environment(Path(folder), AGTMUX_NO_AUTOSTART="1", TERM="xterm-256color")
        with Dashboard(env) as seen:
            seen.first(b"step 0", seen.began)
            time.sleep(1.5)
            took = []
            for n in range(times):
                at = seen.press("jjGkkg"[n % 6])
                took.append((seen.first(b">", at) - at) * 1000)
                time.sleep(0.05)
            at = seen.press("/")
            seen.first(b"@target", at)
            filtered = []
            for letter in "497":
                at = seen.press(letter)
                filtered.append((seen.first(b"shown", at) - at) * 1000)
                time.sleep(0.3)
            memory = rss_mib(seen.process.pid)
        stub.stop()
    return [
        Figure("top", "key -> what it draws, 500 rows, p95", p95(took), "ms", 30),
        Figure("top", "... median", median(took), "ms"),
        Figure("top", "letter of the filter -> list, 500 rows, slowest", max(filtered), "ms"),
        Figure("top", "RSS with 500 rows", memory, "MiB"),
    ]


def _cost(seconds: float) -> list[Figure]:
    with World() as world:
        panes = world.agents(world.server(), 10, "busy")
        terminals = [Terminal(tty) for _, _, tty in panes]
        film = running()
        for terminal in terminals:
            terminal.show(film.frames[0])
        world.start()
        world.await_agents(10)
        with Stage(terminals, film), Dashboard(world.env) as seen:
            seen.first(b"claude", seen.began)
            wait_for(lambda: time.perf_counter() > seen.began + 5, 10, "the start is over")
            span = Span(seen.process.pid, [])
            time.sleep(seconds)
            own, _, machine = span.percent()
    return [
        Figure("top", f"CPU of agtmux top, 10 agents at work, {seconds:g} s", own, "%", 2.0),
        Figure("top", "... whole machine meanwhile", machine, "%", note="of 100 % per core"),
    ]
