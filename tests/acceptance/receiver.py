"""A program of the command channel that keeps each message it gets: one JSON line a message."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from tests.acceptance.stage import PATIENCE, Place
from tests.conftest import until

Item = dict[str, Any]
FAST = 'dwell = "0s"\ncooldown = "0s"\nmin_turn = "0s"\n'


class Receiver:
    """The program and what it kept. ``refuse()``: it fails from now on."""

    def __init__(self, folder: Path, name: str = "inbox") -> None:
        self.name = name
        self._kept = folder / f"{name}.jsonl"
        self._refuses = folder / f"{name}.refuses"
        self._program = folder / f"{name}.sh"
        self._program.write_text(
            f'#!/bin/sh\nif [ -e "{self._refuses}" ]; then echo "no room here" >&2; exit 3; fi\ncat >> "{self._kept}"\n'
        )
        self._program.chmod(self._program.stat().st_mode | stat.S_IXUSR)

    def channel(self, more: str = "") -> str:
        """The channel's lines of the configuration."""
        return f'[[notify.channels]]\nname = "{self.name}"\nkind = "command"\nargv = ["{self._program}"]\n{more}\n'

    def refuse(self, refuses: bool = True) -> None:
        self._refuses.touch() if refuses else self._refuses.unlink(missing_ok=True)

    def got(self) -> list[Item]:
        if not self._kept.exists():
            return []
        return [json.loads(line) for line in self._kept.read_text("utf-8").splitlines()]

    def kinds(self) -> list[str]:
        return [str(one["data"]["kind"]) for one in self.got()]

    def wait(self, count: int) -> list[Item]:
        """The messages, once there are so many."""
        until(lambda: len(self.got()) >= count, within=PATIENCE, what=f"{count} messages: {self.got()}")
        return self.got()


def configure(place: Place, *parts: str) -> None:
    """Add these parts to the configuration."""
    place.config.write_text(place.config.read_text("utf-8") + "\n" + "\n".join(parts), "utf-8")
