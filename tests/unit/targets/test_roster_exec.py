"""A process that becomes another agent by an exec keeps pid and start, and nothing else that was known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmuxd.core.model import NS, Proc, Source, State
from agtmuxd.core.state.debounce import DebounceState
from agtmuxd.targets.roster import Roster
from tests.rig import BUSY, Agent, Clock, Rig
from tests.unit.targets.test_recognition import ADAPTERS, ROW, SHELL, _Table

SPINS = {Source.POLLER: DebounceState(current=BUSY)}


@pytest.mark.tc("TC-114")
async def test_the_next_agent_of_a_process_is_looked_at_anew() -> None:
    table: Any = _Table()
    known: Any = ADAPTERS
    roster = Roster(table, known, lambda *_: dict(SPINS), status_files=lambda _: False)

    async def environs(procs: Any, names: Any) -> dict[int, dict[str, str]]:
        return {pid: {"HOME": "/home/y"} for pid, _ in procs}

    table.environs = environs

    async def named(name: str) -> Any:
        table.procs = (SHELL, Proc(11, 10, 11, 11, 1, "S", "77", name, (name,)))
        await roster.identify([ROW], NS)
        return roster.agents["%1"]

    first = await named("claude")
    assert first.steady == SPINS, "as it is remembered"
    assert await named("claude") is first
    second = await named("codex")
    assert (second.identity.agent_type, second.adapter.agent_type) == ("codex", "codex")
    assert (second.steady, second.home) == ({}, Path("/home/y/.codex"))


@pytest.mark.tc("TC-114")
async def test_a_runtime_that_never_heard_of_a_level_is_told_what_it_says(tmp_path: Path) -> None:
    clock = Clock()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.steady(Agent(), Source.POLLER, BUSY)
        other = Agent(kind="codex", levels={Source.POLLER: BUSY})  # what is remembered of the process is the other's
        clock.forward(1)
        await rig.round(other)
        assert rig.the_state().state is State.RUNNING
        assert rig.rows("SELECT count(*) FROM candidates WHERE source = 'poller'") == [(2,)]
