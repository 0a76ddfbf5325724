"""An npm agent is a shim and the program it starts: what is left of the shim for an instant after is no agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import NS, Proc
from agtmuxd.targets.executor import Machine
from agtmuxd.targets.roster import Roster
from tests.rig import pane_row

ADAPTERS = discover(points=())
ROW = pane_row("%1", pid=10)
SHELL = Proc(10, 1, 10, 11, 1, "S", "50", "bash", ("bash",))
PATH = "/opt/node_modules/@github/copilot-linux-x64/copilot"


def shim(pid: int = 11) -> Proc:
    return Proc(pid, 10, pid, pid, 1, "S", str(pid), "node", ("node", "/usr/bin/copilot"))


def native(pid: int, parent: int = 11) -> Proc:
    return Proc(pid, parent, 11, 11, 1, "S", str(pid), "MainThread", (PATH,))


class _Table:
    """An executor that tells one process table, and nothing else."""

    def __init__(self) -> None:
        self.procs: Sequence[Proc] = ()

    async def process_table(self) -> list[Proc]:
        return list(self.procs)

    async def machine(self) -> Machine:
        return Machine(home="/home/x", booted_at=None)

    async def environs(self, procs: Any, names: Any) -> dict[int, dict[str, str]]:
        return {}


@pytest.mark.tc("TC-114")
async def test_a_shim_that_outlives_its_program_is_no_new_agent() -> None:
    """Until it starts another one; a shim of its own that runs alone is one, for the program may still come."""
    table: Any = _Table()
    known: Any = ADAPTERS
    roster = Roster(table, known, lambda *_: {}, status_files=lambda _: False)

    async def agent(*procs: Proc) -> int | None:
        table.procs = (SHELL, *procs)
        await roster.identify([ROW], NS)
        found = roster.agents.get("%1")
        return None if found is None else found.proc.pid

    assert await agent(shim()) == 11
    assert await agent(shim(), native(12)) == 12
    assert await agent(shim(), native(12), native(13, parent=12)) == 12, "a fork of the program on its way to a tool"
    assert await agent(shim()) is None
    assert await agent(shim()) is None
    assert await agent(shim(), native(14)) == 14
    assert await agent() is None
    assert await agent(shim(15)) == 15
