"""Who may act, told by a process table: an agent and what it started may not, whoever else is seen may."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agtmuxd.actions.access import TargetAccess
from agtmuxd.actions.callers import Callers
from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import Proc
from agtmuxd.repository import Repository

KNOWN = discover([])
RUNTIME = "rt-0123456789abcdef"
SOCKET, SERVER = "/no, where/tmux.sock", 40


def proc(pid: int, ppid: int, comm: str, start: str = "s") -> Proc:
    return Proc(pid, ppid, pid, -1, 0, "S", start, comm)


class Machine:
    """A process table, and the environment of whoever asks."""

    def __init__(self, *table: Proc, **env: str) -> None:
        self.table, self.env = table, env
        self.of: set[int] | None = None  # whose environment that is; None: everybody's

    async def process_table(self) -> tuple[Proc, ...]:
        return self.table

    async def argv(self, pid: int, start: str) -> tuple[str, ...] | None:
        return next((p.argv for p in self.table if (p.pid, p.start) == (pid, start)), None)

    async def environs(self, processes: list[tuple[int, str]], names: tuple[str, ...]) -> dict[int, dict[str, str]]:
        listed = {name: self.env[name] for name in names if name in self.env}
        return {pid: listed if self.of is None or pid in self.of else {} for pid, _ in processes}


def callers(machine: Machine) -> Callers:
    """Of a machine on which ``claude`` runs in %1 as process 50."""
    runtime = SimpleNamespace(pid=50, process_start="s", agent_type="claude", pane_id="%1", target_id="t")
    repository = SimpleNamespace(
        targets={"host": SimpleNamespace(target_id="t", kind="local")}, active={("t", "%1"): RUNTIME},
        runtimes={RUNTIME: runtime},
    )  # fmt: skip
    reached = TargetAccess("t", "host", "local", cast(Any, machine), ("tmux",), 1.0)
    return Callers(cast(Repository, repository), lambda _: reached, {(SOCKET, SERVER): "t"}, KNOWN.kind_of)


INIT, TMUX, BASH = proc(1, 0, "init"), proc(SERVER, 1, "tmux: server"), proc(45, SERVER, "bash")
AGENT = proc(50, 45, "2.1.329")
PANE = {"TMUX": f"{SOCKET},{SERVER},0", "TMUX_PANE": "%1"}


@pytest.mark.tc("TC-113")
@pytest.mark.parametrize(
    ("machine", "pid", "why"),
    [
        (Machine(INIT, proc(60, 1, "agtmux")), 60, None),
        (Machine(INIT, TMUX, BASH, proc(60, 45, "agtmux"), **PANE), 60, None),  # the shell beside the agent
        (
            Machine(INIT, TMUX, BASH, AGENT, proc(55, 50, "sh"), proc(60, 55, "agtmux")),
            60,
            "the caller is claude in %1",
        ),
        (Machine(INIT, TMUX, BASH, proc(50, 45, "vim", "later"), proc(60, 50, "agtmux")), 60, None),
        (Machine(INIT, proc(70, 1, "claude"), proc(60, 70, "agtmux")), 60, "the caller belongs to claude"),
        (Machine(INIT, proc(60, 1, "claude")), 60, None),  # its own name says nothing
        (Machine(INIT, proc(60, 1, "agtmux"), **PANE), 60, "the caller was started by claude in %1"),
        (Machine(INIT, proc(60, 1, "agtmux"), TMUX="nonsense"), 60, None),
        (Machine(INIT), 60, "the caller's process cannot be seen from here"),
        (Machine(INIT), None, "the caller's process cannot be seen from here"),
        (Machine(proc(60, 61, "agtmux"), proc(61, 60, "ring")), 60, None),  # a table is not read at one instant
    ],
)
async def test_an_agent_and_what_it_started_may_not_act(machine: Machine, pid: int | None, why: str | None) -> None:
    found = await callers(machine).identify_agent(1000, pid)
    assert found.why == why
    assert (found.caller.uid, found.caller.pid) == (1000, pid)
    assert (await callers(machine).identify_agent(1000, pid, name_only=True)).why is None


@pytest.mark.tc("TC-219")
async def test_a_process_in_a_container_may_not_act() -> None:
    """It could type into a shell of this machine, and so leave the container."""
    machine = Machine(INIT, proc(60, 1, "agtmux"))
    for pid in (60, None):
        judge = callers(machine)
        judge._apart = {pid: True}.__contains__
        assert (await judge.identify_agent(1000, pid)).why == "the caller runs in a container"
    judge = callers(machine)
    judge._apart = lambda _pid: True
    assert (await judge.identify_agent(1000, 60, name_only=True)).why is None


def words(pid: int, ppid: int, comm: str, *argv: str) -> Proc:
    return replace(proc(pid, ppid, comm), argv=argv)


@pytest.mark.tc("TC-141")
@pytest.mark.parametrize(
    ("table", "why"),
    [
        # a helper of the agent that does not descend from it, known by the script that node runs
        ((INIT, words(70, 1, "node", "node", "/x/claude-code/cli.js")), "the caller belongs to claude"),
        # an agent that has just begun in a pane that is watched
        ((INIT, TMUX, BASH, words(70, 45, "codex", "codex")), "the caller belongs to codex"),
        (
            (INIT, TMUX, BASH, words(70, 45, "node", "node", "--no-warnings", "/x/bin/gemini")),
            "the caller belongs to gemini",
        ),
        # one of another kind, in a terminal that nobody watches
        ((INIT, words(70, 1, "codex", "codex")), None),
        ((INIT, TMUX, BASH, words(70, 45, "vim", "vim", "claude")), None),
        ((INIT, TMUX, BASH, words(70, 45, "python3", "python3", "/x/agtmux", "run", "make")), None),
    ],
)
async def test_an_agent_above_the_caller_is_known_by_its_command_line(table: tuple[Proc, ...], why: str | None) -> None:
    machine = Machine(*table, proc(80, table[-1].pid, "sh"), proc(90, 80, "agtmux"))
    assert (await callers(machine).identify_agent(1000, 90)).why == why


@pytest.mark.tc("TC-141")
async def test_a_parent_that_left_the_pane_tells_where_it_came_from() -> None:
    """The command itself may have been started without the pane's variables."""
    machine = Machine(INIT, proc(55, 1, "sh"), proc(60, 55, "agtmux"), **PANE)
    machine.of = {55}
    assert (await callers(machine).identify_agent(1000, 60)).why == "the caller was started by claude in %1"


@pytest.mark.tc("TC-031")
async def test_the_audit_names_a_caller_and_those_above_it() -> None:
    machine = Machine(INIT, TMUX, BASH, proc(60, 45, "sh"), proc(61, 60, "agtmux"))
    assert (await callers(machine).identify_agent(0, 61)).caller.command == "agtmux < sh < bash < tmux: server"


@pytest.mark.tc("TC-141")
async def test_of_a_long_command_line_only_the_first_words_are_tried() -> None:
    machine = Machine(INIT, words(70, 1, "make", "make", *("x" * 8,) * 60_000), proc(90, 70, "agtmux"))
    asked: list[int] = []
    judge = callers(machine)
    judge._kind_of = lambda link: asked.append(len(link.argv))
    assert (await judge.identify_agent(1000, 90)).why is None
    assert max(asked) <= 16
