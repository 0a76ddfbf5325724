"""What people recognise panes by, in the rows: published, kept over a restart, gone with the runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmuxd.core.model import Project, Source
from agtmuxd.ingest import labels
from agtmuxd.repository import AgentText
from tests.rig import BUSY, T0, TARGET, Agent, Clock, Rig, event, pane_row

pytestmark = pytest.mark.tc("TC-263")
FOLDER = (TARGET, "/src")


async def test_a_project_is_in_the_rows_of_all_panes_in_its_folder_and_of_no_other(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(agent, panes=("%1", "%2", pane_row("%3", cwd="/other")))
        await rig.pipeline.label({FOLDER: Project("agtmux", "main", "rows")}, {})
        for pane in ("%1", "%2"):
            item = rig.item(pane)
            assert item is not None
            assert (item["project"], item["branch"], item["worktree"]) == ("agtmux", "main", "rows")
        other = rig.item("%3")
        assert other is not None and other["project"] is None
        before = rig.view.sequence
        await rig.pipeline.label({FOLDER: Project("agtmux", "next")}, {})
        assert rig.view.sequence == before + 1
        changed = sorted(change.key for change in rig.published[-1][1]["panes"])
        assert changed == ["host/%1", "host/%2"]
        await rig.round(agent, panes=("%1", "%2", pane_row("%3", cwd="/src")))
        moved = rig.item("%3")
        assert moved is not None and moved["branch"] == "next", "a pane that comes there has it at once"
        await rig.pipeline.label({FOLDER: None}, {})
        gone = rig.item("%1")
        assert gone is not None and gone["project"] is None


async def test_words_are_in_the_row_of_their_runtime_and_end_with_it(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.steady(agent, Source.POLLER, BUSY)
        runtime = rig.runtime_id()
        await rig.pipeline.label({}, {runtime: AgentText("shed", "All done."), "no-such-runtime": AgentText("x", "y")})
        item = rig.item()
        assert item is not None and (item["agent_name"], item["message"]) == ("shed", "All done.")
        again = Agent(pid=agent.pid + 1, levels={Source.POLLER: BUSY})
        clock.forward(1)
        await rig.steady(again, Source.POLLER, BUSY)
        item = rig.item()
        assert item is not None and (item["agent_name"], item["message"]) == (None, None)
        assert runtime not in rig.pipeline.repository.agent_texts


async def test_a_hook_that_reports_the_last_message_puts_it_in_the_row(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.steady(agent, Source.POLLER, BUSY)
        said = {"last_assistant_message": "\n  It works now.\nSecond line"}
        await rig.post(event("Stop", agent, at=clock.forward(1), payload=said))
        item = rig.item()
        assert item is not None and item["message"] == "It works now."
        older = {"last_assistant_message": "older"}
        await rig.post(event("Stop", agent, at=clock() - 10**9 // 2, ingested=clock(), payload=older, spooled=True))
        item = rig.item()
        assert item is not None and item["message"] == "It works now.", "an older message that comes late"


async def test_a_restart_changes_no_row(tmp_path: Path) -> None:
    clock, agent = Clock(), Agent(levels={Source.POLLER: BUSY})
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.steady(agent, Source.POLLER, BUSY)
        text = {rig.runtime_id(): AgentText("shed", "Done.", T0)}
        await rig.pipeline.label({FOLDER: Project("agtmux", "main")}, text)
        before = rig.item()
    async with Rig(tmp_path / "a.db", clock) as rig:
        labels.restore(rig.pipeline.repository, rig.view.panes)
        await rig.steady(agent, Source.POLLER, BUSY)
        after = rig.item()
        assert before is not None and after is not None
        assert after["message_at"] == "2026-01-01T00:00:00.000Z"
        fields = ("project", "branch", "agent_name", "message", "message_at")
        assert [after[name] for name in fields] == [before[name] for name in fields]
        told = [c.item for _, changes in rig.published for c in changes.get("panes", ()) if c.item]
        assert all(item["project"] == "agtmux" for item in told), "no row was without it meanwhile"


async def test_what_an_older_daemon_published_is_taken_over(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        old = {"identity": {"target": "host", "pane_id": "%1"}, "cwd": "/src", "runtime_id": None}
        labels.restore(rig.pipeline.repository, {"host/%1": old, "gone/%1": {"identity": {"target": "gone"}}})
        assert not rig.pipeline.repository.projects
