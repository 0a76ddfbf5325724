"""Which processes of a pane are its agents."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmuxd.core.model import Proc
from agtmuxd.core.process_tree import AgentProcess, Match, ProcessIndex, find_agents, hidden_by

TTY = 5


def _proc(
    pid: int, ppid: int, comm: str, *, pgid: int | None = None, tpgid: int = -1, tty: int = TTY, state: str = "S"
) -> Proc:
    return Proc(pid, ppid, pid if pgid is None else pgid, tpgid, tty, state, "1", comm)


def _identify(proc: Proc) -> Match[str] | None:
    """Agents by name: ``a…`` counts outermost, ``b…`` innermost; what stands behind a dash tells them apart."""
    name = proc.comm.partition("-")[0]
    return Match(name, name == "b", proc.comm) if name in ("a", "b") else None


def _find(table: list[Proc], pane: int = 10) -> list[AgentProcess[Any]]:
    return find_agents(ProcessIndex(table), pane, _identify)


def _pids(table: list[Proc], pane: int = 10) -> list[int]:
    return [found.proc.pid for found in _find(table, pane)]


SHELL = _proc(10, 1, "bash")


def test_an_agent_is_found_below_any_shells_and_wrappers() -> None:
    assert _pids([_proc(10, 1, "a")]) == [10]
    assert _pids([SHELL, _proc(11, 10, "a")]) == [11]
    assert _pids(
        [SHELL, _proc(11, 10, "npx"), _proc(12, 11, "sh"), _proc(13, 12, "sudo"), _proc(14, 13, "a", tty=9)]
    ) == [14]


def test_a_pane_without_an_agent_has_none() -> None:
    assert _pids([SHELL, _proc(11, 10, "vim"), _proc(20, 1, "a", tty=6)]) == []
    assert _pids([_proc(11, 1, "a")], pane=10) == []


@pytest.mark.tc("TC-140")
@pytest.mark.parametrize("name", ["tmux: server", "tmux"])
def test_an_agent_in_an_inner_tmux_is_no_agent_of_the_pane_around_it(name: str) -> None:
    """Its server may run below the pane: in the foreground, or in a sandbox that keeps its orphans."""
    inner = [_proc(20, 10, name, tty=0), _proc(21, 20, "bash", tty=9), _proc(22, 21, "a", tty=9)]
    assert _pids([SHELL, *inner]) == []
    assert _pids([SHELL, _proc(11, 10, "b"), *inner]) == [11]


def test_a_shim_and_its_program_are_one_agent() -> None:
    inner = [SHELL, _proc(11, 10, "b-shim"), _proc(12, 11, "b-program", pgid=11)]
    (found,) = _find(inner)
    assert (found.proc.pid, found.match.value, [link.pid for link in found.chain]) == (12, "b-program", [11, 12])
    outer = [SHELL, _proc(11, 10, "a-shim"), _proc(12, 11, "a-program", pgid=11)]
    (found,) = _find(outer)
    assert (found.proc.pid, found.match.value) == (11, "a-shim")


def test_what_an_agent_runs_is_its_tool_and_no_agent_of_the_pane() -> None:
    table = [
        SHELL,
        _proc(11, 10, "b"),
        _proc(12, 11, "bash"),
        _proc(13, 12, "a"),
        _proc(14, 12, "b"),
        _proc(15, 11, "a", pgid=11),
        _proc(16, 11, "b", pgid=16),
    ]
    assert _pids(table) == [11]


def test_a_reparented_process_of_the_panes_terminal_counts() -> None:
    assert _pids([SHELL, _proc(30, 1, "a")]) == [30]
    assert _pids([SHELL, _proc(30, 1, "sh"), _proc(31, 30, "a", tty=0)]) == [31]


def test_who_started_the_pane_is_not_in_it() -> None:
    above = [_proc(2, 1, "a"), _proc(3, 2, "sh"), _proc(10, 3, "a"), _proc(11, 3, "b", pgid=3)]
    assert _pids(above) == [10, 11]


def test_a_nested_tmux_server_is_another_place() -> None:
    assert _pids([SHELL, _proc(11, 10, "tmux"), _proc(40, 1, "tmux", tty=0), _proc(41, 40, "a", tty=7)]) == []


def test_the_foreground_comes_first_and_then_the_outermost() -> None:
    stopped = _proc(11, 10, "a", tpgid=14, state="T")
    deep = [_proc(14, 10, "sh", tpgid=14), _proc(15, 14, "b", pgid=14, tpgid=14)]
    found = _find([SHELL, stopped, *deep])
    assert [(entry.proc.pid, entry.foreground, entry.proc.state) for entry in found] == [
        (15, True, "S"),
        (11, False, "T"),
    ]
    assert _pids([SHELL, _proc(20, 10, "sh"), _proc(11, 20, "a"), _proc(21, 10, "b")]) == [21, 11]


@pytest.mark.parametrize("state", ["Z", "X"])
def test_a_process_that_ended_is_gone(state: str) -> None:
    assert _pids([SHELL, _proc(11, 10, "a", state=state)]) == []


def test_candidates_are_all_processes_of_the_pane_and_no_others() -> None:
    table = [
        SHELL,
        _proc(11, 10, "sh"),
        _proc(12, 11, "x", tty=0),
        _proc(30, 1, "y"),
        _proc(31, 30, "z"),
        _proc(50, 1, "o", tty=0),
    ]
    assert [proc.pid for proc in ProcessIndex(table).candidates(10)] == [10, 11, 12, 30, 31]
    assert ProcessIndex(table).candidates(99) == []


_TABLE = st.lists(
    st.builds(
        _proc, st.integers(1, 12), st.integers(0, 12), st.sampled_from(["sh", "a", "b"]),
        pgid=st.integers(1, 3), tpgid=st.integers(1, 3), tty=st.integers(0, 2),
    ),
    unique_by=lambda proc: proc.pid,
)  # fmt: skip


@settings(max_examples=500)
@given(_TABLE, st.integers(1, 12))
def test_any_table_even_one_with_rings_is_walked_to_an_end(table: list[Proc], pane: int) -> None:
    index = ProcessIndex(table)
    candidates = {proc.pid for proc in index.candidates(pane)}
    found = find_agents(index, pane, _identify)
    assert {link.pid for entry in found for link in entry.chain} <= candidates
    assert len({entry.proc.pid for entry in found}) == len(found)
    assert [entry.proc for entry in find_agents(index, pane, _identify)] == [entry.proc for entry in found]
    assert bool(found) == any(_identify(index.by_pid[pid]) for pid in candidates)


def _wrapped(proc: Proc) -> Match[str] | None:
    """``w…`` gives way, ``h…`` runs headless, and ``a`` is an agent like any other."""
    name = proc.comm.partition("-")[0]
    return Match(name, False, proc.comm, name == "w", name != "h") if name in ("a", "h", "w") else None


@pytest.mark.tc("TC-046")
@pytest.mark.parametrize(
    ("below", "counts"),
    [
        ([], [11]),
        ([_proc(12, 11, "sh"), _proc(13, 12, "npx"), _proc(14, 13, "a")], [14]),
        ([_proc(12, 11, "make"), _proc(13, 12, "h")], [11]),
        ([_proc(12, 11, "w"), _proc(13, 12, "sh")], [11]),
        ([_proc(12, 11, "sh"), _proc(13, 12, "w"), _proc(14, 13, "sh")], [11]),
        ([_proc(12, 11, "w"), _proc(13, 12, "a")], [13]),
        ([_proc(12, 11, "a"), _proc(13, 12, "h")], [12]),
    ],
)
def test_a_wrapper_gives_way_to_the_agent_that_runs_in_it(below: list[Proc], counts: list[int]) -> None:
    found = find_agents(ProcessIndex([SHELL, _proc(11, 10, "w"), *below]), 10, _wrapped)
    assert [one.proc.pid for one in found] == counts


def test_a_wrapper_beside_an_agent_gives_way_to_none() -> None:
    table = [SHELL, _proc(11, 10, "w"), _proc(12, 11, "sh"), _proc(13, 10, "a")]
    assert {one.proc.pid for one in find_agents(ProcessIndex(table), 10, _wrapped)} == {11, 13}


@pytest.mark.tc("TC-210")
@pytest.mark.parametrize(
    ("table", "hides"),
    [
        ([_proc(10, 1, "bash", tpgid=11), _proc(11, 10, "docker", tpgid=11)], 11),
        ([_proc(10, 1, "docker", tpgid=10)], 10),
        ([_proc(10, 1, "-zsh", tpgid=10)], None),
        ([_proc(10, 1, "bash", tpgid=10), _proc(11, 10, "make", tpgid=10)], None),
        ([_proc(10, 1, "bash", tpgid=10), _proc(11, 10, "docker", tpgid=10, state="T")], 11),
        (
            [_proc(10, 1, "bash", tpgid=12), _proc(11, 10, "ssh", tpgid=12, state="T"), _proc(12, 10, "vi", tpgid=12)],
            12,
        ),
        ([_proc(10, 1, "bash", tpgid=11), _proc(11, 10, "bash", tpgid=11), _proc(12, 11, "ssh", tpgid=11)], None),
        (
            [_proc(10, 1, "bash", tpgid=11), _proc(11, 10, "script", tpgid=11), _proc(12, 11, "ssh", tpgid=12, tty=9)],
            11,
        ),
        ([], None),
    ],
)
def test_what_hides_an_agent_is_the_job_in_the_foreground(table: list[Proc], hides: int | None) -> None:
    found = hidden_by(ProcessIndex(table), 10)
    assert (None if found is None else found.pid) == hides
