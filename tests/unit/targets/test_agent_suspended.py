"""A stopped agent draws nothing: its pane shows a shell, which says nothing of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.contract import Identity
from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import MS, Claim, Proc, Sample, Source
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.roster import Roster
from tests.corpus import offline
from tests.corpus.recording import Recording, load
from tests.rig import pane_row

ADAPTERS = discover(points=()).adapters


class _Nothing:
    """An executor and adapters that nothing is asked of: the agent is known, and has no status file."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


class _Watch:
    """Rounds of one pane that holds a recorded agent."""

    def __init__(self, one: Recording) -> None:
        nothing: Any = _Nothing()
        self.roster = Roster(nothing, nothing, lambda *_: {}, status_files=lambda _: False)
        proc = Proc(7, 1, 7, 7, 1, "S", "99", one.agent, (one.agent,))
        self.agent = Agent("%1", ADAPTERS[one.agent], Identity(one.agent), proc, 0, None, Path("/"), {})
        self.roster.agents["%1"] = self.agent

    async def sees(self, sample: Sample, at: int, state: str) -> Claim | None:
        self.agent.proc = replace(self.agent.proc, state=state)
        row = pane_row(
            "%1", title=sample.title, alternate_on=sample.alternate_on, cursor_visible=sample.cursor_visible,
            cursor_x=sample.cursor_x, cursor_y=sample.cursor_y, cols=sample.cols, rows=sample.rows,
        )  # fmt: skip
        await self.roster.look({"%1": row}, {"%1": "\n".join(sample.lines)}, at * MS)
        result = self.agent.steady[Source.POLLER].current
        return result.claim if result is not None else None


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini"])
async def test_what_an_agent_showed_before_it_was_stopped_stands_until_it_goes_on(agent: str) -> None:
    one = load(f"{agent}/v1-suspend")
    checked = 0
    for stop, cont in offline.stops(one):
        watch = _Watch(one)
        before = None
        for t in range(max(0, stop - 8000), stop - 400, 100):
            before = await watch.sees(one.sample_at(t), t, "S")
        assert before is not None
        for t in range(stop, cont, 100):
            assert await watch.sees(one.sample_at(t), t, "T") is before
            assert [source for source, _ in watch.agent.levels] == [Source.POLLER]  # it was read, and nothing is new
        for t in range(cont, cont + 200, 50):  # the shell's screen is there for an instant
            assert await watch.sees(one.sample_at(stop + 1500), t, "S") is before
        checked += 1
    assert checked > 1
