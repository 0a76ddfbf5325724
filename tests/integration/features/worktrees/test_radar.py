"""Files that two agents changed are found after a turn, published once, and never looked for without cause."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.agents.model import Agent
from agtmuxd.config import WorktreeSettings
from agtmuxd.features.worktrees import radar as module
from agtmuxd.features.worktrees import store as rows
from agtmuxd.features.worktrees.model import Owner, Worktree
from agtmuxd.features.worktrees.radar import CollisionRadar
from agtmuxd.stream.history import Batch
from tests.git_repo import git, repository
from tests.rig import Clock, Rig

pytestmark = pytest.mark.tc("TC-830")


def add(record: Worktree, connection: sqlite3.Connection) -> None:
    rows.add_worktree(connection, record)


class Directory:
    """Two agents: the runtimes rt-x and rt-y."""

    def all(self) -> list[Agent]:
        return [Agent("x", "xena", 1, runtime_id="rt-x"), Agent("y", "yuri", 1, runtime_id="rt-y")]

    def of_runtime(self, runtime_id: str) -> Agent | None:
        return next((one for one in self.all() if one.runtime_id == runtime_id), None)


class Scene:
    """A radar over a real store, with rows of panes made by the test."""

    def __init__(self, rig: Rig, **settings: Any) -> None:
        directory: Any = Directory()
        self.rig = rig
        self.settings = WorktreeSettings(**{"radar_interval": 0, **settings})
        rig.pipeline.repository.active = {("t-host", f"%{n}"): one for n, one in enumerate(("rt-x", "rt-y"))}
        self.radar = CollisionRadar(
            store=rig.store, write=rig.pipeline.write, view=rig.view, repository=rig.pipeline.repository,
            agents=directory, settings=lambda: self.settings, clock=time.time_ns, environ=os.environ,
        )  # fmt: skip
        self.looks = 0

    async def state(self, runtime: str, cwd: Path, state: str) -> None:
        item = {"runtime_id": runtime, "cwd": str(cwd), "state": state, "identity": {"target": "host"}}
        change: Any = type("Change", (), {"item": item})
        await self.radar.on_changes(Batch(1, 1, {"panes": [change]}))

    async def turn(self, runtime: str, cwd: Path, path: str | None = None, text: str = "x") -> None:
        """Let an agent have a turn in which it writes a file, and wait until the radar has nothing more to do."""
        await self.state(runtime, cwd, "running")
        if path is not None:
            (cwd / path).parent.mkdir(parents=True, exist_ok=True)
            (cwd / path).write_text(text)
        await self.state(runtime, cwd, "idle")
        await self.quiet()

    async def quiet(self) -> None:
        async with asyncio.timeout(20):
            while not self.radar.is_idle:  # noqa: ASYNC110 nothing but this tells
                await asyncio.sleep(0.01)

    def published(self) -> list[tuple[str, Any]]:
        found = [c for _, changes in self.rig.published for c in changes.get("coord", ())]
        return [(one.op, None if one.item is None else one.item["path"]) for one in found]


@contextlib.asynccontextmanager
async def scene(tmp_path: Path, **settings: Any) -> AsyncIterator[Scene]:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        made = Scene(rig, **settings)
        task = asyncio.create_task(made.radar.run())
        try:
            yield made
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = repository(tmp_path / "r")
    (top / "a.py").write_text("a")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "files")
    return top


async def test_two_worktrees_with_the_same_file_collide_once_until_it_is_over(tmp_path: Path, top: Path) -> None:
    base = git(top, "rev-parse", "HEAD")
    trees = []
    async with scene(tmp_path) as one:
        for name in ("x", "y"):
            path = tmp_path / f"w{name}"
            git(top, "worktree", "add", "-q", "-b", name, str(path))
            record = Worktree(name, "r", str(top / ".git"), Owner(name, None, name), str(path), name, "main", base,
                              "active", None, None, 1, 1)  # fmt: skip
            await one.rig.store.run(partial(add, record))
            trees.append(path)
        await one.turn("rt-x", trees[0], "a.py")
        git(trees[0], "commit", "-q", "-a", "-m", "what is committed counts too")
        assert one.published() == []
        await one.turn("rt-y", trees[1], "a.py")
        await one.turn("rt-y", trees[1], "a.py", "again")
        await one.turn("rt-x", trees[0], "b.py")
        assert one.published() == [("upsert", "a.py")]
        (item,) = await one.radar.items()
        assert [(agent["agent"], agent["tree"]) for agent in item["agents"]] == [
            ("xena", str(trees[0])), ("yuri", str(trees[1]))
        ]  # fmt: skip
        assert item["certain"] is True
        git(trees[1], "checkout", "-q", "--", "a.py")
        await one.turn("rt-y", trees[1])
        assert one.published() == [("upsert", "a.py"), ("delete", None)]
        assert await one.radar.items() == []


async def test_in_one_tree_the_turns_tell_who_wrote(tmp_path: Path, top: Path) -> None:
    async with scene(tmp_path) as one:
        await one.state("rt-y", top, "idle")
        await one.turn("rt-x", top, "a.py")
        assert one.published() == []
        one.radar._turns["rt-x"].past = [(s - 10**10, e - 10**10) for s, e in one.radar._turns["rt-x"].past]
        await one.turn("rt-y", top, "a.py", "mine now")
        assert one.published() == [("upsert", "a.py")]


async def test_git_runs_only_after_a_turn_with_a_second_agent_in_the_repository(
    tmp_path: Path, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def counted(program: str, tree: str, base: str | None, environ: Any) -> dict[str, int]:
        looks.append(tree)
        return {}

    monkeypatch.setattr(module, "changed_files", counted)
    async with scene(tmp_path) as one:
        await one.turn("rt-x", top)
        await one.turn("rt-y", tmp_path)
        assert looks == [], "one agent in a repository, one outside of it"
        await one.state("rt-y", top, "idle")
        await one.state("rt-y", top, "waiting_approval")
        await one.quiet()
        assert looks == [], "no turn ended"
        await one.turn("rt-y", top)
        assert looks == [str(top)]
        one.settings = WorktreeSettings(radar=False)
        await one.turn("rt-y", top)
        assert looks == [str(top)]


async def test_a_tree_is_looked_at_again_only_after_the_interval_and_then_once(
    tmp_path: Path, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def counted(program: str, tree: str, base: str | None, environ: Any) -> dict[str, int]:
        looks.append(tree)
        return {}

    monkeypatch.setattr(module, "changed_files", counted)
    async with scene(tmp_path, radar_interval=1) as one:
        await one.state("rt-y", top, "idle")
        await one.turn("rt-x", top)
        for _ in range(5):
            await one.state("rt-x", top, "running")
            await one.state("rt-x", top, "idle")
        async with asyncio.timeout(20):
            while not any(one.radar._due.values()):  # noqa: ASYNC110 nothing but this tells
                await asyncio.sleep(0.001)
        assert looks == [str(top)], "put off"
        await one.quiet()
        assert looks == [str(top), str(top)]
        assert one.radar.health().counters["looks"] == 2


async def test_trees_that_were_put_off_are_looked_at_once_and_then_there_is_peace(
    tmp_path: Path, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two trees of one agent whose intervals end at different times do not wake each other for ever."""
    looks = []

    def counted(program: str, tree: str, base: str | None, environ: Any) -> dict[str, int] | None:
        looks.append(tree)
        return None  # also a tree that cannot be read

    monkeypatch.setattr(module, "changed_files", counted)
    async with scene(tmp_path, radar_interval=1) as one:
        record = Worktree("w", "r", str(top / ".git"), Owner("x", None, "x"), str(tmp_path / "w"), "b", "main",
                          "c" * 40, "active", None, None, 1, 1)  # fmt: skip
        git(top, "worktree", "add", "-q", "-b", "w", str(tmp_path / "w"))
        await one.rig.store.run(partial(add, record))
        await one.state("rt-y", top, "idle")
        one.radar._looked[str(top)] = time.monotonic() - 0.5
        await one.turn("rt-x", top)
        one.radar._looked[str(top)] -= 0.5
        await one.turn("rt-x", top)
        assert (looks.count(str(top)), looks.count(str(tmp_path / "w"))) == (2, 2)
        assert one.radar.is_idle


async def test_open_collisions_are_known_after_a_restart(tmp_path: Path, top: Path) -> None:
    async with scene(tmp_path) as one:
        await one.state("rt-y", top, "running")
        await one.turn("rt-x", top, "a.py")
        assert [item["certain"] for item in await one.radar.items()] == [False]
    async with scene(tmp_path) as one:
        assert [item["path"] for item in await one.radar.items()] == ["a.py"]
        await one.state("rt-y", top, "running")
        await one.turn("rt-x", top, "a.py", "more")
        assert one.published() == []
