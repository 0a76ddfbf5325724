"""Agents whose session files are read, with a pipeline of their own: the scaffold of the tests of transcripts.

Owns no expectation. Adapters and files are the real ones; Copilot's are held open by a real process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agtmux.protocol.redact import redact
from agtmuxd.core.model import NS, Claim, Proc, Source, State, Write
from agtmuxd.core.state.debounce import DebounceState
from agtmuxd.ingest.transcripts.follower import TranscriptFollower
from agtmuxd.targets.agent import Agent as Watched
from agtmuxd.targets.local import process_table
from tests.rig import T0, TARGET, Agent, Clock, Rig, event

SPINS = DebounceState(current=Write(Claim.RUNNING, "spinner"), current_since=T0)


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / NS, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TranscriptRig:
    """A pipeline, a clock, agents as the observer knows them, and their files."""

    def __init__(self, rig: Rig, home: Path) -> None:
        self.rig, self.home, self.clock = rig, home, rig.clock
        self.watched: list[Watched] = []
        self.on = True
        self.moved: Callable[[], object] = object
        self.ahead = 0
        self.begin()

    def begin(self) -> None:
        """A daemon that starts (again)."""
        self.transcripts = TranscriptFollower(
            self.rig.pipeline.repository, self.rig.registry,
            lambda: ((TARGET, a) for a in self.watched), self.rig.pipeline.submit,
            redact, self.clock, wanted=lambda _name: self.on, moved=lambda: self.moved(),
            ahead=lambda: self.ahead,
        )  # fmt: skip

    def agent(self, agent: Agent, proc: Proc | None = None) -> Watched:
        """The observer's view of one of the rig's agents."""
        seen = proc or Proc(agent.pid, 1, agent.pid, agent.pid, 7, "S", agent.start, agent.kind, (agent.kind,))
        found = self.rig.registry.identify(replace(seen, argv=seen.argv or (agent.kind,)))
        assert found is not None
        one = Watched(
            pane_id=agent.pane, adapter=found[0], identity=found[1], proc=seen, started_at=agent.started_at,
            status_path=None, home=self.home, steady={},
        )  # fmt: skip
        self.watched.append(one)
        return one

    async def named(self, agent: Agent, path: Path | str) -> None:
        """A hook names the file."""
        payload = {"source": "startup", "transcript_path": str(path), "session_id": "s-1"}
        at = self.clock()
        await self.rig.post(event("SessionStart", agent, at=at, payload=payload))

    def write(self, path: Path, *lines: dict[str, Any] | str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            for line in lines:
                file.write(line if isinstance(line, str) else json.dumps(line) + "\n")

    async def look(self) -> None:
        for _ in range(100):
            if await self.transcripts.once():
                return

    def events(self) -> list[str]:
        return [row[0] for row in self.rig.rows(
            "SELECT event_type FROM events WHERE source = 'transcript' ORDER BY event_time")]  # fmt: skip

    def state(self) -> State:
        return self.rig.the_state().state


@asynccontextmanager
async def transcript_rig(tmp_path: Path) -> AsyncIterator[TranscriptRig]:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        yield TranscriptRig(rig, tmp_path / "home")


NATIVE = ("/opt/copilot-linux-x64/copilot",)


@contextmanager
def holder(home: Path) -> Iterator[tuple[Proc, Callable[[str], None]]]:
    """A process that holds the file of a session open; what lets it go over to another, with ``+`` to one more."""
    code = (
        "import os, sys\n"
        "held = []\n"
        "for line in sys.stdin:\n"
        "    if line[0] != '+':\n"
        "        held = []\n"
        "    folder = os.path.join(sys.argv[1], 'session-state', line.strip('+\\n'))\n"
        "    os.makedirs(folder, exist_ok=True)\n"
        "    held.append(open(os.path.join(folder, f'inuse.{os.getpid()}.hold'), 'w'))\n"
        "    print(flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def go_over(session: str) -> None:
        stdin.write(session + "\n")
        stdin.flush()
        stdout.readline()

    found = process_table.read_one(process.pid)
    assert found is not None
    try:
        yield replace(found, comm="MainThread", argv=NATIVE), go_over
    finally:
        process.kill()
        process.wait()
        stdin.close()
        stdout.close()


@dataclass(frozen=True, slots=True)
class Copilot:
    """A Copilot in a pane, as the rig and as the observer know it; ``go_over``: see ``holder``."""

    agent: Agent
    watched: Watched
    go_over: Callable[[str], None]


@asynccontextmanager
async def copilot(h: TranscriptRig, levels: Mapping[Source, Write | None] | None = None) -> AsyncIterator[Copilot]:
    """A process of Copilot that has ``session-1`` open; no round has seen it yet. ``levels``: what its screen shows."""
    with holder(h.home) as (proc, go_over):
        agent = Agent(kind="copilot", pid=proc.pid, start=proc.start, levels=dict(levels or {}))
        watched = h.agent(agent, proc)
        go_over("session-1")
        yield Copilot(agent, watched, go_over)


def log_of(h: TranscriptRig, session: str) -> Path:
    return h.home / "session-state" / session / "events.jsonl"


def logged(at: int, kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "id": f"{kind}-{at}", "timestamp": iso(at), "data": data}


def shell(request: str, command: str) -> dict[str, object]:
    """What Copilot's log says of a request to run a command."""
    return {"requestId": request, "permissionRequest": {"kind": "shell", "fullCommandText": command}}
