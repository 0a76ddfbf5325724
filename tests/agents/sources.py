"""What an agent tells beside its screen, on tape: hooks, Claude's status file, lines of transcripts.

Hooks are written to a file by a script of the world; all files are looked at by one thread. What is private or differs
from run to run is replaced as ``tests/corpus/FORMAT.md`` has it.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from agtmuxd.adapters.claude import adapter as claude
from agtmuxd.adapters.codex import adapter as codex
from tests.agents.world import World

POLL_S = 0.05
LONGEST, LARGEST = 300, 4000
"""Characters of a text, and of a line, that are kept."""
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
try:
    told["payload"] = json.loads(sys.stdin.read())
    with open(sys.argv[1], "a") as log:
        log.write(json.dumps(told) + "\\n")
except ValueError:
    pass
"""
_EVENTS = {"claude": claude.EVENTS, "codex": codex.EVENTS}
_TURNS = ("task_started", "task_complete", "turn_aborted")
_FOLDERS = {"claude": (".claude", "projects"), "codex": (".codex", "sessions")}


class Writes(Protocol):
    """A tape."""

    def now(self) -> int: ...
    def write(self, kind: str, *, at: int | None = None, **what: object) -> None: ...


def hooks(world: World, agent: str) -> dict[str, Any]:
    """Settings that make the agent tell every event that we know of to a file."""
    script = world.root / "hook.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    line = f"{sys.executable} -S -E {script} {world.root / 'hooks.jsonl'}"
    return {event: [{"hooks": [{"type": "command", "command": line, "timeout": 5}]}] for event in _EVENTS[agent]}


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Sources:
    """Follows what the agent of one pane writes. A context manager."""

    def __init__(self, world: World, agent: str, pane_pid: int, tape: Writes) -> None:
        self.world, self.agent, self.pane_pid, self.tape = world, agent, pane_pid, tape
        self.hooked: list[tuple[str, int]] = []
        self.changed: list[int] = []  # when the agent itself changed, by its own files
        self._began = time.time() - tape.now() / 1000
        folder, self._logs = _FOLDERS[agent]
        self._config = world.home / folder
        self._read: dict[Path, int] = {}
        self._status: str | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def since(self, at: int, *events: str) -> int | None:
        """When the last of these events after ``at`` was told, or None."""
        return next((t for name, t in reversed(self.hooked) if t >= at and name in events), None)

    def _run(self) -> None:
        while not self._over.wait(POLL_S):
            self._look()
        self._look()

    def _look(self) -> None:
        for told in self._new(self.world.root / "hooks.jsonl"):
            self._hook(told)
        for path in sorted((self._config / self._logs).rglob("*.jsonl")):
            for line in self._new(path):
                if line.get("type") == "event_msg" and line["payload"].get("type") in _TURNS:
                    self.changed.append(round((_epoch(line["timestamp"]) - self._began) * 1000))
                kept = self._clean(line)
                if len(json.dumps(kept)) <= LARGEST and kept.get("type") not in ("attachment", "file-history-snapshot"):
                    self.tape.write("transcript", file=self._text(str(path.relative_to(self._config))), line=kept)
        if self.agent == "claude":
            self._look_status()

    def _hook(self, told: dict[str, Any]) -> None:
        payload = told["payload"]
        event = str(payload.get("hook_event_name"))
        at = int((told["at"] - self._began) * 1000)
        self.hooked.append((event, at))
        via = "agent" if self.pane_pid in told["above"] else "daemon"
        env = {k: "$PID" if k == "CLAUDE_PID" else self._text(v) for k, v in told["env"].items()}
        env |= {name: f"${name.removeprefix('TMUX_')}" for name in ("TMUX", "TMUX_PANE") if name in env}
        self.tape.write("hook", at=at, event=event, via=via, payload=self._clean(payload), env=env)

    def _look_status(self) -> None:
        found = sorted((self._config / "sessions").glob("*.json"))
        text = found[0].read_text(encoding="utf-8") if found else None
        if text == self._status:
            return
        if text is None:
            self.tape.write("status_file", file="sessions/$PID.json", removed=True)
        else:
            try:
                data = json.loads(text)
            except ValueError:  # half written: looked at again
                return
            if "statusUpdatedAt" in data:
                self.changed.append(round(data["statusUpdatedAt"] - self._began * 1000))
            told = self._clean(data)
            told |= {"pid": "$PID", "procStart": "$PROCSTART"} | ({"tmux": "$TMUXLOC"} if "tmux" in told else {})
            self.tape.write("status_file", file="sessions/$PID.json", data=told)
        self._status = text

    def _new(self, path: Path) -> list[dict[str, Any]]:
        """The whole lines that a file got since the last look."""
        try:
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._read[path] = self._read.get(path, 0) + len(whole)
        return [json.loads(line) for line in whole.splitlines() if line.strip()]

    def _clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._text(k): self._clean(v) for k, v in value.items() if "token" not in k.lower()}
        if isinstance(value, list):
            return [self._clean(v) for v in value]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value / 1000 - self._began) < 3600:
            return f"$MS({value - int(self._began * 1000)})"
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text):
            return f"$ISO({round((_epoch(text) - self._began) * 1000)})"
        work = str(self.world.work)
        for found, named in (
            (str(self._config), "$CONFIG"),
            (work, "$WORK"),
            (re.sub(r"[^A-Za-z0-9]", "-", work), "$DASHWORK"),
            (str(self.world.home), "$HOME"),
            (str(self.world.root), "$LAB"),
        ):
            text = text.replace(found, named)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…({len(text)})"
