"""Puts what an agent tells beside its screen on tape: hooks, status file, lines of its session files.

Owns the listening; what a hook or a line means is the adapters' business. Times and places become the placeholders of
``tests/corpus/FORMAT.md``. ``changed`` has the moments at which the agent itself says that a turn began or ended.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from agtmuxd.adapters.discovery import discover
from tests.agents.driver import Driver

if TYPE_CHECKING:
    from tests.agents.record import Tape

POLL_S = 0.06
LONGEST, LARGEST = 300, 4000
"""Characters of a text, and of a line, that are kept."""
_TREES = {
    "claude": "projects/**/*.jsonl",
    "codex": "sessions/**/*.jsonl",
    "gemini": "tmp/*/chats/*.jsonl",
    "copilot": "session-state/*/events.jsonl",
}
_CUT = ("claude", "codex")
_LEFT_OUT = ("attachment", "file-history-snapshot")
_ISO = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_ENDS = ("task_started", "task_complete", "turn_aborted", "assistant.turn_end", "abort", "session.error")
_PROGRAM = """#!/bin/sh
exec "{python}" -S -E "{script}" "$@"
"""
_SCRIPT = """\
import json, os, sys, time
def above():
    pid, out = os.getppid(), []
    while pid > 1:
        out.append(pid)
        with open(f"/proc/{pid}/stat") as stat:
            pid = int(stat.read().rpartition(")")[2].split()[1])
    return out
names = ("TMUX", "TMUX_PANE", "CLAUDE_PID", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SESSION_ATTENDED", "CLAUDECODE")
told = {"at": time.time(), "above": above(), "env": {n: os.environ[n] for n in names if n in os.environ}}
told["argv"] = sys.argv[1:]
try:
    told["payload"] = json.loads(sys.stdin.read() or "{}")
    with open(__file__ + "l", "a") as log:
        log.write(json.dumps(told) + "\\n")
except ValueError:
    pass
"""


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class EventRecorder:
    """Listens to one agent. A context manager: hooks are installed on entry, all is on the tape after exit."""

    def __init__(self, driver: Driver, tape: Tape, *, hooks: bool = True) -> None:
        self.driver, self.tape, self.hooks = driver, tape, hooks
        self.changed: list[int] = []
        self.hooked: list[tuple[str, int]] = []
        world = driver.world
        self.home = discover(points=()).adapters[driver.agent].config_home(driver.env(), world.home)
        self._script = world.root / "hook.py"
        self._began = int(time.time() * 1000) - tape.now()
        self._places = (
            (str(self.home), "$CONFIG"),
            (str(world.work), "$WORK"),
            (re.sub(r"[^A-Za-z0-9]", "-", str(world.work)), "$DASHWORK"),
            (str(world.home), "$HOME"),
            (str(world.root), "$LAB"),
            (hashlib.sha256(str(world.work).encode()).hexdigest(), "$HASHWORK"),
        )
        self._read: dict[Path, int] = {}
        self._held: list[str] = []
        self._status: str | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        if self.hooks:
            self._install()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        self.changed += self._messages()
        self.changed.sort()

    def _install(self) -> None:
        self._script.write_text(_SCRIPT)
        program = self.driver.world.bin / "agtmux"
        program.write_text(_PROGRAM.format(python=sys.executable, script=self._script))
        program.chmod(0o755)
        adapter = discover(points=()).adapters[self.driver.agent]
        for plan in adapter.plan_hooks(self.home, f"{program} hook", remove=False):
            plan.path.parent.mkdir(parents=True, exist_ok=True)
            plan.path.write_text(plan.after or "")

    def _run(self) -> None:
        while not self._over.wait(POLL_S):
            self._look()

    def _look(self) -> None:
        for record in self._new(self._script.with_suffix(".pyl")):
            self._hook(record)
        tree = _TREES.get(self.driver.agent)
        for path in sorted(self.home.glob(tree)) if tree else ():
            for line in self._new(path):
                self._line(str(path.relative_to(self.home)), line)
        if self.driver.agent == "copilot":
            self._holds()
        if self.driver.agent == "claude":
            self._look_status()

    def _new(self, path: Path) -> Iterator[dict[str, Any]]:
        """The whole lines that a file got since the last look."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return
        whole, before = data.rfind(b"\n") + 1, self._read.get(path, 0)
        self._read[path] = max(whole, before)
        for line in data[before:whole].splitlines():
            if line.strip():
                yield json.loads(line)

    def _line(self, name: str, line: dict[str, Any]) -> None:
        """One line of a session file."""
        kinds = (line.get("type"), (line.get("payload") or {}).get("type") if "payload" in line else None)
        ends = any(kind in _ENDS for kind in kinds) or (self.driver.agent == "gemini" and kinds[0] == "gemini")
        if ends and "timestamp" in line:
            self.changed.append(round(_epoch(line["timestamp"]) * 1000) - self._began)
        kept = self._placed(line)
        large = self.driver.agent in _CUT and len(json.dumps(kept)) > LARGEST
        if not large and line.get("type") not in _LEFT_OUT:
            self.tape.write("transcript", file=self._text(name), line=kept)

    def _hook(self, record: dict[str, Any]) -> None:
        payload, words = record["payload"], record["argv"]
        named = words[words.index("--event") + 1] if "--event" in words else payload.get("hook_event_name")
        at = int(record["at"] * 1000) - self._began
        self.hooked.append((str(named), at))
        via = "agent" if self.driver.at.pid in record["above"] else "daemon"
        env = {k: "$PID" if k == "CLAUDE_PID" else self._text(v) for k, v in record["env"].items()}
        env |= {name: f"${name.removeprefix('TMUX_')}" for name in ("TMUX", "TMUX_PANE") if name in env}
        self.tape.write("hook", at=at, event=named, via=via, payload=self._placed(payload), env=env)

    def _look_status(self) -> None:
        """Claude's own status file."""
        found = sorted((self.home / "sessions").glob("*.json"))
        try:
            text = found[0].read_text(encoding="utf-8") if found else None
            data = None if text is None else json.loads(text)
        except (FileNotFoundError, ValueError):  # gone, or half written: looked at again
            return
        if text == self._status:
            return
        self._status = text
        if data is None:
            self.tape.write("status_file", file="sessions/$PID.json", removed=True)
            return
        if "statusUpdatedAt" in data:
            self.changed.append(round(data["statusUpdatedAt"]) - self._began)
        result = self._placed(data)
        result |= {"pid": "$PID", "procStart": "$PROCSTART"} | ({"tmux": "$TMUXLOC"} if "tmux" in result else {})
        self.tape.write("status_file", file="sessions/$PID.json", data=result)

    def _messages(self) -> list[int]:
        """When OpenCode's messages were complete, by its database."""
        out: list[int] = []
        for path in sorted((self.driver.world.home / ".local/share/opencode").glob("*.db")):
            base = sqlite3.connect(path)
            try:
                body = [json.loads(row[0]) for row in base.execute("select data from message")]
            finally:
                base.close()
            times = [one["time"]["completed"] for one in body if "completed" in one.get("time", {})]
            out += [round(at) - self._began for at in times]
        return out

    def _holds(self) -> None:
        """The sessions whose files Copilot's processes hold open."""
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
        """With placeholders, without tokens, and long texts cut."""
        if isinstance(value, dict):
            secret = [key for key, one in value.items() if isinstance(one, str) and "token" in key.lower()]
            return {self._text(key): self._placed(one) for key, one in value.items() if key not in secret}
        if isinstance(value, list):
            return [self._placed(one) for one in value]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value - self._began) < 86_400_000:
            return f"$MS({value - self._began})"
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        for place, name in self._places:
            text = text.replace(place, name)
        text = _ISO.sub(lambda found: f"$ISO({round(_epoch(found[0]) * 1000) - self._began})", text)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…({len(text)})"
