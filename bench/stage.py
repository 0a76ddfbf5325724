"""What the stand-ins show: frames out of recordings of the real agent, written to the panes' terminals.

Owns the drawing. Knows no daemon.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.corpus.recording import Recording, load

from agtmuxd.core.model import Sample


@dataclass(frozen=True, slots=True)
class Film:
    """Screens in the order in which they were recorded."""

    frames: tuple[Sample, ...]


def film(recording: str, start: int, end: int) -> Film:
    """The frames of a recording between two moments (ms)."""
    return Film(tuple(s for t, s in _load(recording).samples() if start <= t < end))


def still(recording: str, at: int) -> Film:
    return Film((_load(recording).sample_at(at),))


def _load(name: str) -> Recording:
    return load(name)


def running() -> Film:
    """A turn of seven seconds, about five frames a second: spinner, seconds and tokens count up."""
    return film("claude/c-prompt-done", 73_845, 80_309)


def idle() -> Film:
    """Started, nothing asked yet, an empty field."""
    return still("claude/b-start-idle", 5_000)


def done() -> Film:
    """The turn of ``running`` is over."""
    return still("claude/c-prompt-done", 81_500)


def resting_copilot() -> Film:
    return still("copilot/e1-shell-approve", 6_000)


def approval() -> Film:
    return still("claude/e1-bash-approval", 8_000)


def interrupted() -> Film:
    """A turn that was ended by Escape: no hook tells of it."""
    return still("claude/d1-interrupt-stream", 12_000)


class Terminal:
    """One pane's terminal; only rows that differ are written, as the agent itself does."""

    def __init__(self, tty: str) -> None:
        self._fd = os.open(tty, os.O_WRONLY | os.O_NOCTTY)
        self._rows: list[str] = []
        self._title: str | None = None
        os.write(self._fd, b"\x1b[?1049h\x1b[2J")

    def show(self, frame: Sample) -> None:
        out = []
        height = max(len(frame.lines), len(self._rows))
        for y in range(height):
            new = frame.lines[y] if y < len(frame.lines) else ""
            old = self._rows[y] if y < len(self._rows) else ""
            if new != old or not self._rows:
                out.append(f"\x1b[{y + 1};1H{new}\x1b[K" if len(new) < frame.cols else f"\x1b[{y + 1};1H{new}")
        if frame.title != self._title:
            out.append(f"\x1b]2;{frame.title}\x07")
        if out:
            sign = "h" if frame.cursor_visible else "l"
            out.append(f"\x1b[?25{sign}\x1b[{frame.cursor_y + 1};{frame.cursor_x + 1}H")
            os.write(self._fd, "".join(out).encode())
        self._rows, self._title = list(frame.lines), frame.title

    def close(self) -> None:
        os.close(self._fd)


class Stage:
    """Draws a film on each terminal, over and over, at ``rate`` frames a second, each pane from another place."""

    def __init__(self, terminals: Sequence[Terminal], reel: Film, rate: float = 5.0) -> None:
        self._terminals, self._reel, self._rate = terminals, reel, rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, name="stage", daemon=True)

    def _play(self) -> None:
        step, count = 0, len(self._terminals)
        due = time.monotonic()
        while not self._stop.is_set():
            for i, terminal in enumerate(self._terminals):
                terminal.show(self._reel.frames[(step + i * 7) % len(self._reel.frames)])
                due += 1 / self._rate / count
                late = due - time.monotonic()
                if late > 0:
                    time.sleep(late)  # spread over the period, as sixty agents are
            step += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
