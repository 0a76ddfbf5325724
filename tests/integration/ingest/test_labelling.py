"""Where the labels of panes come from, and that nothing there delays or breaks anything else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agtmux.protocol.redact import redact
from agtmuxd.core.model import Project, Source
from agtmuxd.ingest.labelling import AFTER_FAILURE, SELDOM, Labelling, LabelSources
from agtmuxd.stream.published import PublishedRows, changes_for
from agtmuxd.targets.agent import Agent as Watched
from agtmuxd.targets.executor import ExecutorError, TargetExecutor
from agtmuxd.targets.local.patience import Patience
from tests.git_repo import git, repository
from tests.rig import BUSY, TARGET, Agent, Clock, Rig, pane_row
from tests.rows import by_key, pane

pytestmark = pytest.mark.tc("TC-263")


class World:
    """A pipeline with one agent in a folder, and what its labels come from."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.agent = Agent(levels={Source.POLLER: BUSY})
        self.status: Mapping[str, Any] | None = None
        self.said: tuple[str, int] | None = None
        self.executor: TargetExecutor | None = None
        self.wrong: str | None = None
        self.counted: list[str] = []
        self.now = 1000.0
        self.looked: list[str] = []
        self.make()

    def make(self, patience: Patience[Project] | None = None) -> None:
        self.labelling = Labelling(
            self.rig.pipeline.repository,
            LabelSources(self.rig.registry, self._agents, lambda _: self.executor, lambda _: self.said),
            self.rig.pipeline.label, redact, self.counted.append, self._trouble, patience,
        )  # fmt: skip

    def _agents(self) -> list[tuple[str, Watched]]:
        seen = SimpleNamespace(pane_id=self.agent.pane, status_data=self.status)
        return [(TARGET, cast(Watched, seen))]

    def _trouble(self, wrong: str | None) -> None:
        self.wrong = wrong

    async def round(self, folder: Path | str, **more: Any) -> None:
        self.rig.clock.forward(2)  # titles are published at most once a second
        await self.rig.round(self.agent, panes=(pane_row("%1", cwd=str(folder), **more),))

    async def look(self, after: float = 2.0) -> dict[str, Any]:
        """Look once, so many seconds later. Give the row."""
        self.now += after
        async with asyncio.TaskGroup() as group:
            await self.labelling.once(self.now, group)
        return self.rig.item() or {}


@asynccontextmanager
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = Clock()
    async with Rig(tmp_path / "a.db", clock) as rig:
        made = World(rig)
        await rig.steady(made.agent, Source.POLLER, BUSY)
        yield made


async def test_the_row_follows_the_repository_and_an_unchanged_one_is_not_published_again(tmp_path: Path) -> None:
    folder = repository(tmp_path / "agtmux")
    async with world(tmp_path) as w:
        await w.round(folder)
        assert (await w.look())["branch"] == "main"
        before = w.rig.view.sequence
        await w.look()
        assert w.rig.view.sequence == before
        git(folder, "switch", "-q", "-c", "next")
        row = await w.look()
        assert (row["project"], row["branch"], w.rig.view.sequence) == ("agtmux", "next", before + 1)


async def test_a_pane_without_an_agent_is_looked_at_once_and_then_seldom(tmp_path: Path) -> None:
    folder = repository(tmp_path / "agtmux")
    async with world(tmp_path) as w:
        await w.rig.round(w.agent, panes=("%1", pane_row("%2", cwd=str(folder))))
        await w.look(SELDOM)
        git(folder, "switch", "-q", "-c", "next")
        await w.look()
        row = w.rig.item("%2")
        assert row is not None and row["branch"] == "main"
        await w.look(SELDOM)
        row = w.rig.item("%2")
        assert row is not None and row["branch"] == "next"


async def test_names_and_messages_come_from_title_status_file_and_transcript_without_secrets(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.round("/src", title="✳ Mend the shed")
        w.said = ("Looking at it.", 5)
        row = await w.look()
        assert (row["agent_name"], row["message"]) == ("Mend the shed", "Looking at it.")
        w.status = {"name": "token sk-ant-api03-" + "A" * 90, "nameSource": "user"}
        row = await w.look()
        assert "sk-ant" not in row["agent_name"]
        w.said = ("older", 4)
        assert (await w.look())["message"] == "Looking at it."


async def test_a_folder_that_hangs_leaves_its_row_without_a_project_and_health_says_so(tmp_path: Path) -> None:
    folder = repository(tmp_path / "agtmux")
    back = threading.Event()

    def hang(_path: str) -> Project:
        back.wait(60)
        return Project("agtmux")

    async with world(tmp_path) as w:
        await w.round(folder)
        assert (await w.look())["project"] == "agtmux"
        w.make(Patience(hang, limit=0.05))
        row = await w.look()
        assert row["project"] is None
        assert w.wrong is not None and str(folder) in w.wrong
        back.set()
        for thread in threading.enumerate():
            if thread.name == "folders":
                await asyncio.to_thread(thread.join, 10)
        assert (await w.look())["project"] == "agtmux"
        assert w.wrong is None


class Far:
    """A machine behind ssh whose files are these."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.asked = 0
        self.fails = False

    async def read_files(self, paths: Sequence[str], *, max_bytes: int = 65536) -> dict[str, bytes | None]:
        self.asked += 1
        if self.fails:
            raise ExecutorError("timeout", "no answer")
        folders = {path for path in paths if any(name.startswith(f"{path}/") for name in self.files)}
        return {path: self.files.get(path) for path in paths if path not in folders}


async def test_a_machine_behind_ssh_is_asked_seldom_and_more_seldom_after_a_failure(tmp_path: Path) -> None:
    far = Far({"/src/.git/HEAD": b"ref: refs/heads/main\n"})
    async with world(tmp_path) as w:
        host = w.rig.pipeline.repository.targets[TARGET]
        await w.rig.pipeline.add_target(replace(host, kind="ssh"))
        assert (await w.look())["project"] is None, "no executor"
        w.executor = cast(TargetExecutor, far)
        row = await w.look(SELDOM)
        assert (row["project"], row["branch"], far.asked) == ("src", "main", 1)
        await w.look()
        assert far.asked == 1
        await w.round("/new")
        assert (await w.look())["project"] == "new", "a new folder is asked about soon"
        await w.round("/src")
        assert (await w.look())["branch"] == "main"
        far.fails = True
        row = await w.look(SELDOM)
        assert (row["branch"], w.counted) == ("main", ["projects_not_read"]), "it stays as it was last read"
        await w.look(SELDOM)
        assert far.asked == 4
        far.fails, far.files = False, {"/src/.git/HEAD": b"ref: refs/heads/next\n"}
        assert (await w.look(AFTER_FAILURE))["branch"] == "next"
        await w.rig.health("down")
        await w.look(AFTER_FAILURE)
        assert far.asked == 5, "a target that is down is not asked"


async def test_folders_that_no_pane_is_in_are_forgotten(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for n in range(5):
            await w.round(tmp_path / f"{n}")
            await w.look()
        assert [folder for _, folder in w.rig.pipeline.repository.projects] == [str(tmp_path / "4")]


async def test_news_of_a_pane_cause_a_look_soon_and_a_failure_ends_nothing(tmp_path: Path) -> None:
    folder = repository(tmp_path / "agtmux")
    async with world(tmp_path) as w:
        w.rig.pipeline.on_changes = w.labelling.on_changes
        failures = iter([RuntimeError("boom")])
        tell = w.labelling._publish

        async def sometimes(*some: Any) -> None:
            for error in failures:
                raise error
            await tell(*some)

        w.labelling._publish = sometimes
        running = asyncio.create_task(w.labelling.run())
        async with asyncio.timeout(30):
            while w.counted != ["label_failures"]:
                await w.round(folder)
                await asyncio.sleep(0.01)
            while (w.rig.item() or {}).get("branch") != "main":
                assert not running.done()
                await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


def test_only_news_of_folder_title_or_agent_cause_a_look() -> None:
    labelling = Labelling(cast(Any, None), cast(Any, None), cast(Any, None), redact, print, print)
    view = PublishedRows("s", 0, by_key(pane("%1")))
    for change, news in (({"state": "idle"}, False), ({"title": "x"}, True), ({"cwd": "/b"}, True)):
        labelling.on_changes(changes_for(view, by_key(pane("%1", **change))))
        assert labelling._news.is_set() is news, change
        labelling._news.clear()
