"""Who may act, told by a process table: an agent and what it started may not, whoever else is seen may."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from agtmuxd.core.model import Proc
from agtmuxd.execute.callers import Callers
from agtmuxd.execute.reach import Reached
from agtmuxd.world import World

RUNTIME = "rt-0123456789abcdef"
SOCKET, SERVER = "/no, where/tmux.sock", 40


def proc(pid: int, ppid: int, comm: str, start: str = "s") -> Proc:
    return Proc(pid, ppid, pid, -1, 0, "S", start, comm)


class Machine:
    """A process table, and the environment of whoever asks."""

    def __init__(self, *table: Proc, **env: str) -> None:
        self.table, self.env = table, env

    async def process_table(self) -> tuple[Proc, ...]:
        return self.table

    async def environs(self, processes: list[tuple[int, str]], names: tuple[str, ...]) -> dict[int, dict[str, str]]:
        return {pid: {name: self.env[name] for name in names if name in self.env} for pid, _ in processes}


def callers(machine: Machine, *, allowed: bool = False) -> Callers:
    """Of a machine on which ``claude`` runs in %1 as process 50."""
    runtime = SimpleNamespace(pid=50, process_start="s", agent_type="claude", pane_id="%1", target_id="t")
    world = SimpleNamespace(
        targets={"host": SimpleNamespace(target_id="t", kind="local")}, active={("t", "%1"): RUNTIME},
        runtimes={RUNTIME: runtime},
    )  # fmt: skip
    reached = Reached("t", "host", "local", cast(Any, machine), ("tmux",), 1.0)
    return Callers(cast(World, world), lambda _: reached, {(SOCKET, SERVER): "t"}, lambda: allowed)


INIT, TMUX, BASH = proc(1, 0, "init"), proc(SERVER, 1, "tmux: server"), proc(45, SERVER, "bash")
AGENT = proc(50, 45, "2.1.329")
PANE = {"TMUX": f"{SOCKET},{SERVER},0", "TMUX_PANE": "%1"}


@pytest.mark.tc("TC-113")
@pytest.mark.parametrize(
    ("machine", "pid", "why"),
    [
        (Machine(INIT, proc(60, 1, "agtmux")), 60, None),
        (Machine(INIT, TMUX, BASH, proc(60, 45, "agtmux"), **PANE), 60, None),  # the shell beside the agent
        (Machine(INIT, TMUX, BASH, AGENT, proc(55, 50, "sh"), proc(60, 55, "agtmux")), 60, "claude in %1 asks"),
        (Machine(INIT, TMUX, BASH, proc(50, 45, "vim", "later"), proc(60, 50, "agtmux")), 60, None),
        (Machine(INIT, proc(70, 1, "claude"), proc(60, 70, "agtmux")), 60, "a process of claude asks"),
        (Machine(INIT, proc(60, 1, "claude")), 60, None),  # its own name says nothing
        (Machine(INIT, proc(60, 1, "agtmux"), **PANE), 60, "a process that claude in %1 left behind asks"),
        (Machine(INIT, proc(60, 1, "agtmux"), TMUX="nonsense"), 60, None),
        (Machine(INIT), 60, "the process that asks cannot be seen from here"),
        (Machine(INIT), None, "the process that asks cannot be seen from here"),
        (Machine(proc(60, 61, "agtmux"), proc(61, 60, "ring")), 60, None),  # a table is not read at one instant
    ],
)
async def test_an_agent_and_what_it_started_may_not_act(machine: Machine, pid: int | None, why: str | None) -> None:
    caller, why_not = await callers(machine).meet(1000, pid)
    assert why_not == why
    assert (caller.uid, caller.pid) == (1000, pid)
    assert (await callers(machine, allowed=True).meet(1000, pid))[1] is None


@pytest.mark.tc("TC-031")
async def test_the_audit_names_a_caller_and_those_above_it() -> None:
    caller, _ = await callers(Machine(INIT, TMUX, BASH, proc(60, 45, "sh"), proc(61, 60, "agtmux"))).meet(0, 61)
    assert caller.command == "agtmux < sh < bash < tmux: server"
