"""Puts what an agent tells on tape: its hooks, as agtmux would get them, and the lines of its session files.

Owns the listening; what a hook or a line means is the adapters' business. Times and places become the placeholders of
``tests/corpus/FORMAT.md``.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from agtmuxd.adapters.discovery import discover
from tests.agents.driver import Driver

if TYPE_CHECKING:
    from tests.agents.record import Tape

POLL_S = 0.1
LONGEST = 300
"""Characters of a text that is kept whole."""
_TREES = {"gemini": "tmp/*/chats/*.jsonl", "copilot": "session-state/*/events.jsonl"}
_ISO = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_PROGRAM = """#!/bin/sh
at=$(date +%s%3N)
cd "{heard}" && cat >.$$ && {{ echo "$at $*"; cat .$$; }} >$at-$$.part && mv $at-$$.part $at-$$.hook
"""


class Ears:
    """Listens to one agent. A context manager: hooks are installed on entry, all is on the tape after exit."""

    def __init__(self, driver: Driver, tape: Tape) -> None:
        self.driver, self.tape = driver, tape
        world = driver.world
        self.home = discover(points=()).adapters[driver.agent].config_home(driver.env(), world.home)
        self._heard = world.root / "heard"
        self._began = int(time.time() * 1000) - tape.now()
        self._places = {
            str(self.home): "$CONFIG",
            str(world.work): "$WORK",
            str(world.home): "$HOME",
            hashlib.sha256(str(world.work).encode()).hexdigest(): "$HASHWORK",
        }
        self._read: dict[Path, int] = {}
        self._held: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._heard.mkdir()
        program = self.driver.world.bin / "agtmux"
        program.write_text(_PROGRAM.format(heard=self._heard))
        program.chmod(0o755)
        adapter = discover(points=()).adapters[self.driver.agent]
        for plan in adapter.plan_hooks(self.home, f"{program} hook", remove=False):
            plan.path.parent.mkdir(parents=True, exist_ok=True)
            plan.path.write_text(plan.after or "")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._lines()
        for path in sorted(self._heard.glob("*.hook")):
            head, _, text = path.read_text(errors="replace").partition("\n")
            at, *words = head.split()
            payload = json.loads(text or "{}")
            named = words[words.index("--event") + 1] if "--event" in words else payload.get("hook_event_name")
            told = self._placed(payload)
            self.tape.write("hook", at=int(at) - self._began, event=named, via="agent", payload=told)

    def _run(self) -> None:
        while not self._over.wait(POLL_S):
            self._lines()
            if self.driver.agent == "copilot":
                self._holds()

    def _lines(self) -> None:
        """What session files have grown by."""
        tree = _TREES.get(self.driver.agent)
        for path in sorted(self.home.glob(tree)) if tree else ():
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            for line in data[self._read.get(path, 0) : whole].splitlines():
                name = str(path.relative_to(self.home))
                self.tape.write("transcript", file=name, line=self._placed(json.loads(line)))
            self._read[path] = max(whole, self._read.get(path, 0))

    def _holds(self) -> None:
        """The sessions whose files the agent's processes hold open."""
        if self.driver.pane is None:
            return
        found = set()
        for process in self.driver.processes():
            for entry in Path(f"/proc/{process.pid}/fd").glob("*"):
                try:
                    target = entry.readlink()
                except OSError:
                    continue
                if target.name.endswith(".hold") and target.parent.parent.name == "session-state":
                    found.add(target.parent.name)
        if sorted(found) != self._held:
            self._held = sorted(found)
            self.tape.write("held", sessions=self._held)

    def _placed(self, value: Any) -> Any:
        """With placeholders, and long texts cut."""
        if isinstance(value, dict):
            return {key: self._placed(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._placed(one) for one in value]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value - self._began) < 86_400_000:
            return f"$MS({value - self._began})"
        if not isinstance(value, str):
            return value
        for place, name in self._places.items():
            value = value.replace(place, name)
        value = _ISO.sub(self._moment, value)
        return value if len(value) <= LONGEST else f"{value[:LONGEST]}…({len(value)})"

    def _moment(self, found: re.Match[str]) -> str:
        at = datetime.fromisoformat(found[0].replace("Z", "+00:00"))
        return f"$ISO({int(at.timestamp() * 1000) - self._began})"
