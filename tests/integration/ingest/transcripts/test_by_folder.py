"""A session file is found by its folder and the turn that began it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.core.model import MS, NS, Proc, Source, State
from agtmuxd.targets.agent import Agent as Watched
from agtmuxd.targets.local import process_table
from tests.integration.ingest.transcripts.test_follower import START
from tests.integration.ingest.transcripts.transcript_rig import SPINS, TranscriptRig, iso, transcript_rig
from tests.rig import T0, Agent, event


@pytest.fixture
def sleepers(tmp_path: Path) -> Iterator[list[Proc]]:
    """Two processes that work in one folder."""
    work = tmp_path / "work"
    work.mkdir()
    code = "import sys; print(flush=True); sys.stdin.read()"
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=work, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    procs = []
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
        found = process_table.read_one(process.pid)
        assert found is not None
        procs.append(replace(found, comm="codex", argv=("codex",)))
    yield procs
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def thread(at: int, cwd: Path, session: str = "thread-1") -> list[dict[str, Any]]:
    meta = {"id": session, "cwd": str(cwd), "originator": "codex-tui", "source": "vscode"}
    started = {
        "type": "event_msg",
        "timestamp": iso(at),
        "payload": {"type": "task_started", "turn_id": f"t-{session}"},
    }
    return [{"type": "session_meta", "timestamp": iso(at), "payload": meta}, started]


def codex_of(h: TranscriptRig, proc: Proc, pane: str = "%1") -> tuple[Agent, Watched]:
    agent = Agent(pane=pane, kind="codex", pid=proc.pid, start=proc.start)
    return agent, h.agent(agent, proc)


@pytest.mark.tc("TC-016")
async def test_codex_is_known_by_the_file_that_began_with_its_turn_and_then_by_its_thread(
    tmp_path: Path, sleepers: list[Proc]
) -> None:
    async with transcript_rig(tmp_path) as h:
        agent, watched = codex_of(h, sleepers[0])
        await h.rig.round(agent)
        hook = event(
            "PermissionRequest", at=T0 + 100 * MS, agent_type="codex", pane_id="%9",
            payload={"session_id": "thread-1", "tool_name": "shell", "tool_input": {"command": "ls"}},
        )  # fmt: skip
        [posted] = await h.rig.post(hook)
        assert posted.status == "pending_bind"
        h.write(h.home / "sessions/2026/01/01/rollout-1.jsonl", *thread(T0, tmp_path / "work"))
        watched.steady[Source.POLLER] = SPINS
        h.clock.forward(1)
        await h.look()
        await h.look()
        assert h.events() == ["task_started"]
        assert h.state() is State.WAITING_APPROVAL
        assert h.rig.rows("SELECT agent_session_id FROM runtimes") == [("thread-1",)]


def chat(at: int, cwd: Path, session: str) -> list[dict[str, Any]]:
    folder = hashlib.sha256(str(cwd).encode()).hexdigest()
    head = {"sessionId": session, "projectHash": folder, "startTime": iso(at - 30 * NS), "kind": "main"}
    return [head, {"id": f"u-{session}", "timestamp": iso(at), "type": "user", "content": [{"text": "paint it"}]}]


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize("mine", [True, False])
async def test_geminis_chat_file_is_known_by_its_folder_and_the_moment_its_turn_began(
    tmp_path: Path, sleepers: list[Proc], mine: bool
) -> None:
    async with transcript_rig(tmp_path) as h:
        proc = replace(sleepers[0], comm="node", argv=("node", "/opt/bin/gemini"))
        agent = Agent(kind="gemini", pid=proc.pid, start=proc.start)
        watched = h.agent(agent, proc)
        await h.rig.round(agent)
        file = h.home / "tmp/work/chats/session-1.jsonl"
        h.write(file, *chat(T0, tmp_path / ("work" if mine else "elsewhere"), "s-1"))
        h.write(h.home / "tmp/other/chats/session-2.jsonl", *chat(T0, tmp_path / "other", "s-2"))
        watched.steady[Source.POLLER] = SPINS
        h.clock.forward(1)
        await h.look()
        h.clock.forward(2)
        h.write(file, {"id": "c", "timestamp": iso(h.clock()), "type": "info", "content": "Request cancelled."})
        await h.look()
        assert h.events() == (["cancelled"] if mine else [])
        assert (h.state() is State.IDLE) is mine


@pytest.mark.tc("TC-016")
async def test_a_thread_that_was_resumed_is_known_by_its_turn(tmp_path: Path, sleepers: list[Proc]) -> None:
    async with transcript_rig(tmp_path) as h:
        agent, watched = codex_of(h, sleepers[0])
        old = thread(START - 99 * NS, tmp_path / "work")
        again = {"type": "event_msg", "timestamp": iso(T0), "payload": {"type": "task_started", "turn_id": "t-2"}}
        h.write(h.home / "sessions/2026/01/01/rollout-1.jsonl", *old, again)
        watched.steady[Source.POLLER] = SPINS
        await h.rig.round(agent)
        h.clock.forward(1)
        await h.look()
        await h.look()
        assert h.rig.rows("SELECT event_type, event_time FROM events WHERE source = 'transcript'") == [
            ("task_started", T0)
        ]


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize("doubt", ["other folder", "too old", "too new", "no turn", "two files", "rival"])
async def test_a_file_that_may_be_anothers_is_nobodys(tmp_path: Path, sleepers: list[Proc], doubt: str) -> None:
    async with transcript_rig(tmp_path) as h:
        agent, watched = codex_of(h, sleepers[0])
        watched.steady[Source.POLLER] = SPINS
        at = {"too old": T0 - 3 * NS, "too new": T0 + 5 * NS}.get(doubt, T0)
        cwd = tmp_path if doubt == "other folder" else tmp_path / "work"
        folder = h.home / "sessions/2026/01/01"
        h.write(folder / "rollout-1.jsonl", *thread(at, cwd))
        if doubt == "no turn":
            watched.steady.clear()
        if doubt == "two files":
            h.write(folder / "rollout-2.jsonl", *thread(at, cwd, "thread-2"))
        if doubt == "rival":
            _, other = codex_of(h, sleepers[1], "%2")
            other.steady[Source.POLLER] = replace(SPINS, current_since=T0 + 400 * MS)
        await h.rig.round(agent)
        h.clock.forward(2)
        await h.look()
        await h.look()
        assert h.events() == []


@pytest.mark.tc("TC-016")
async def test_a_quiet_neighbour_in_the_same_folder_is_no_rival_once_its_screen_was_read(
    tmp_path: Path, sleepers: list[Proc]
) -> None:
    async with transcript_rig(tmp_path) as h:
        agent, watched = codex_of(h, sleepers[0])
        codex_of(h, sleepers[1], "%2")
        watched.steady[Source.POLLER] = SPINS
        h.write(h.home / "sessions/2026/01/01/rollout-1.jsonl", *thread(T0, tmp_path / "work"))
        await h.rig.round(agent)
        h.clock.forward(0.5)
        await h.look()
        assert h.events() == []
        h.clock.forward(1)
        await h.look()
        await h.look()
        assert h.events() == ["task_started"]
        assert os.path.realpath(f"/proc/{sleepers[1].pid}/cwd") == os.path.realpath(tmp_path / "work")
