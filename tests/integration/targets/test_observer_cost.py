"""What watching costs: one tmux client a round, and nothing written while nothing changes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from agtmuxd.adapters.discovery import discover
from agtmuxd.ingest.pipeline import Pipeline
from agtmuxd.repository import Target
from agtmuxd.store import history
from agtmuxd.store.current import load_repository
from agtmuxd.store.db import Store, open_database
from agtmuxd.stream.published import PublishedRows
from agtmuxd.targets.local.executor import LocalExecutor
from agtmuxd.targets.observer import Observer
from tests.conftest import Tmux
from tests.corpus.recording import load

HOST = "t-host"


@dataclass(frozen=True)
class ObservedServer:
    """A door on a database file and an observer of one server, both real; rounds come when the test says so."""

    observer: Observer
    pipeline: Pipeline
    path: Path
    clients: Path
    statements: list[str]  # what the writer was asked, begun and ended transactions too

    def started(self) -> int:
        """How many tmux clients the observer has started so far."""
        return len(self.clients.read_text().splitlines()) if self.clients.exists() else 0


@asynccontextmanager
async def _watching(tmux: Tmux, folder: Path) -> AsyncIterator[ObservedServer]:
    """``tmux`` through a program that notes each of its starts."""
    counted, clients = folder / "counted-tmux", folder / "clients"
    counted.write_text(f'#!/bin/sh\necho "$*" >>{clients}\nexec {shutil.which(tmux.program)} "$@"\n')
    counted.chmod(0o700)
    path = folder / "agtmux.db"
    connection, _ = open_database(str(path))
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    stream_id, upcoming = history.load_stream(connection, "s-test", time.time_ns())
    view, store, registry = PublishedRows(stream_id, upcoming - 1), Store(connection), discover([])
    store.start()

    def publish(sequence: int, _at: int, changes: object) -> None:
        view.apply(sequence, changes)  # type: ignore[arg-type]

    pipeline = Pipeline(store, load_repository(connection), view, registry, publish, time.time_ns, pending={})
    task = asyncio.create_task(pipeline.run())
    executor = LocalExecutor({**os.environ, "CLAUDE_CONFIG_DIR": str(folder)})
    try:
        await pipeline.add_target(Target(HOST, "host", "local", None, True, "ok", 0, None, None, None, {}, 0))
        argv = [str(counted), "-u", "-S", str(tmux.socket)]
        observer = Observer(HOST, executor, lambda: argv, registry, pipeline, time.time_ns, local=True)
        yield ObservedServer(observer, pipeline, path, clients, statements)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await executor.close()
        store.close()


def _agent(tmux: Tmux, folder: Path) -> str:
    """A pane that shows a recorded, quiet Claude Code and runs a process of its name."""
    shutil.copy2(Path(shutil.which("sleep") or "/bin/sleep").resolve(), folder / "claude")
    sample = load("claude/b-start-idle").sample_at(10_000)
    drawn = folder / "screen"
    drawn.write_text("\x1b[2J\x1b[H" + "\r\n".join(sample.lines) + f"\x1b]2;{sample.title}\x07")
    return tmux.start(
        "sh",
        "-c",
        f"cat {drawn}; CLAUDE_CONFIG_DIR={folder} {folder}/claude 600; true",
        cols=sample.cols,
        rows=sample.rows,
    )


async def _calm(watched: ObservedServer) -> None:
    """Rounds until one of them asks for nothing to be written."""
    deadline = asyncio.get_running_loop().time() + 30
    while True:
        watched.statements.clear()
        await watched.observer.once()
        if not watched.statements and [s.state for s in watched.pipeline.repository.states.values()] == ["idle"]:
            return
        assert asyncio.get_running_loop().time() < deadline, watched.pipeline.repository.states
        await asyncio.sleep(0.1)


@pytest.mark.tc("TC-109")
async def test_a_round_that_shows_nothing_new_writes_nothing(tmux: Tmux, short_dir: Path) -> None:
    pane = _agent(tmux, short_dir)
    async with _watching(tmux, short_dir) as watched:
        await _calm(watched)
        reader = sqlite3.connect(f"file:{watched.path}?mode=ro", uri=True)
        version = "PRAGMA data_version"  # another number after each commit of another connection
        before, rounds = reader.execute(version).fetchone(), watched.observer.rounds
        wal = Path(f"{watched.path}-wal").stat().st_mtime_ns
        watched.statements.clear()
        read_at = watched.pipeline._session_state.read_at[HOST]
        for _ in range(5):
            await watched.observer.once()
        assert watched.observer.rounds == rounds + 5
        assert watched.pipeline._session_state.read_at[HOST] > read_at
        assert reader.execute(version).fetchone() == before
        assert Path(f"{watched.path}-wal").stat().st_mtime_ns == wal
        assert watched.statements.count("BEGIN IMMEDIATE") <= 1, "a timer may have rung, the rounds ask for none"
        tmux.run("rename-window", "-t", pane, "another name")
        await watched.observer.once()
        assert reader.execute(version).fetchone() != before
        reader.close()


@pytest.mark.tc("TC-109")
async def test_a_round_is_one_tmux_client_however_many_panes_are_captured(tmux: Tmux, short_dir: Path) -> None:
    _agent(tmux, short_dir)
    for i in range(6):
        tmux.run("new-window", "-d", "-t", "main", f"exec {short_dir}/claude {600 + i}")
    async with _watching(tmux, short_dir) as watched:
        await watched.observer.once()  # meets the agents, so it reads their panes in a second go
        assert watched.observer.agents == 7
        before = watched.started()
        for _ in range(4):
            await watched.observer.once()
        assert watched.started() - before == 4


@pytest.mark.tc("TC-115")
@pytest.mark.parametrize("turns", range(4))
async def test_a_watch_that_is_called_off_just_as_something_happens_ends(
    tmux: Tmux, short_dir: Path, turns: int
) -> None:
    tmux.start("sleep", "600")
    async with _watching(tmux, short_dir) as watched:
        watch = asyncio.create_task(watched.observer.run())
        while watched.observer.rounds < 2 or watched.observer.health.last_good is None:
            watched.observer.request_refresh(0)
            await asyncio.sleep(0.05)
        rounds = 0
        while rounds != watched.observer.rounds:  # until it rests
            rounds = watched.observer.rounds
            await asyncio.sleep(0.4)
        watched.observer.request_refresh(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        watch.cancel()
        done, _ = await asyncio.wait({watch}, timeout=5)
        watch.cancel()
        assert done, "it goes on"


def _asks(tmux: Tmux, pane: str) -> None:
    """Let the agent's screen show a recorded approval."""
    sample = load("claude/e1-bash-approval").sample_at(6_000)
    drawn = "\x1b[2J\x1b[H" + "\r\n".join(sample.lines) + f"\x1b]2;{sample.title}\x07"
    Path(tmux.show(pane, "#{pane_tty}")).write_text(drawn)


@pytest.mark.tc("TC-109")
async def test_agents_are_known_to_be_as_they_were_while_rounds_show_nothing_new(tmux: Tmux, short_dir: Path) -> None:
    """So that nobody who goes by them has to go through them all again."""
    pane = _agent(tmux, short_dir)
    async with _watching(tmux, short_dir) as watched:
        await _calm(watched)
        while True:
            stirs, tables = watched.observer.roster.revision, watched.observer.tables
            for _ in range(5):
                await watched.observer.once()
            if watched.observer.tables == tables:  # which is read now and then, and may tell anything
                break
        assert watched.observer.roster.revision == stirs
        _asks(tmux, pane)
        await watched.observer.once()
        assert watched.observer.roster.revision > stirs


@pytest.mark.tc("TC-109")
async def test_a_change_that_could_not_be_stored_is_told_again(
    tmux: Tmux, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pane = _agent(tmux, short_dir)
    async with _watching(tmux, short_dir) as watched:
        await _calm(watched)

        async def full(_seen: object) -> None:
            raise OSError(28, "no space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(watched.pipeline, "observe", full)
            _asks(tmux, pane)
            with pytest.raises(OSError, match="no space"):
                await watched.observer.once()
        for _ in range(3):
            await watched.observer.once()
        assert [s.state for s in watched.pipeline.repository.states.values()] == ["waiting_approval"]


@pytest.mark.tc("TC-034")
async def test_what_changed_while_a_target_was_down_is_told_once_it_is_back(tmux: Tmux, short_dir: Path) -> None:
    """The first good round after it proves nothing yet, and must not swallow what it saw."""
    pane = _agent(tmux, short_dir)
    async with _watching(tmux, short_dir) as watched:
        await _calm(watched)
        observer = watched.observer
        for _ in range(3):
            observer.health = observer.health.failed(time.time_ns(), "lost")
        assert observer.health.level == "down"
        _asks(tmux, pane)
        for _ in range(4):
            await observer.once()
        assert observer.health.level == "ok"
        assert [s.state for s in watched.pipeline.repository.states.values()] == ["waiting_approval"]


def _status(folder: Path, watched: ObservedServer, status: str) -> None:
    """Let the one agent's status file say this, as written a while ago: no clock is coarse enough to hide the next."""
    (agent,) = watched.observer.roster.agents.values()
    path = folder / "sessions" / f"{agent.proc.pid}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"pid": agent.proc.pid, "procStart": agent.proc.start, "status": status}))
    then = time.time() - 60
    os.utime(path, (then, then))


@pytest.mark.tc("TC-109")
async def test_rounds_that_read_the_same_still_see_the_status_file_and_what_time_brings(
    tmux: Tmux, short_dir: Path
) -> None:
    _agent(tmux, short_dir)
    async with _watching(tmux, short_dir) as watched:
        await _calm(watched)
        _status(short_dir, watched, "idle")
        await _calm(watched)
        roster, held = watched.observer.roster, None
        deadline = asyncio.get_running_loop().time() + 30
        while roster.seen() is not held:  # nothing is another, so nothing was looked at again
            assert asyncio.get_running_loop().time() < deadline
            held = roster.seen()
            await asyncio.sleep(0.1)  # a process table may be due
            await watched.observer.once()
        _status(short_dir, watched, "busy")
        await watched.observer.once()
        assert [s.state for s in watched.pipeline.repository.states.values()] == ["running"]
        assert roster.seen() is not held
