"""An agent that starts where none was is found at once on this machine, however far apart the rounds are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agtmuxd.core.model import MS, NS
from agtmuxd.targets.local import process_table
from agtmuxd.targets.local.new_processes import NewProcesses
from tests.acceptance.stage import PATIENCE, Agent, Daemon, Place
from tests.conftest import Tmux, until

pytestmark = [
    pytest.mark.tc("TC-100"),
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are listed by Linux only"),
]

START = 1_000 * NS


@pytest.fixture
def seldom(place: Place, tmux: Tmux, daemon: Daemon) -> Daemon:
    """A daemon whose rounds are too far apart to find anybody while this test waits."""
    assert PATIENCE < 300
    place.config.write_text(
        f'[host]\ntmux_socket = "{tmux.socket}"\n[observe]\nempty_interval = 600\nquiet_interval = 600\n'
        "process_interval = 600\n"
    )
    return daemon.start()


def test_an_agent_in_the_first_session_of_a_server_is_found(seldom: Daemon, agent: Callable[..., Agent]) -> None:
    until(lambda: seldom.health()["targets"][0]["last_seen_at"], within=PATIENCE, what="the first round")
    assert seldom.wait_agent(agent().start().pane)["agent_type"] == "claude"


def test_an_agent_that_a_shell_starts_and_one_in_a_new_window_are_found(
    seldom: Daemon, tmux: Tmux, agent: Callable[..., Agent]
) -> None:
    shell = tmux.start("bash", "--norc", "--noprofile", "-i", session="main")
    until(lambda: seldom.panes(all="true"), within=PATIENCE, what="the shell is listed")
    one = agent()
    tmux.run("send-keys", "-t", shell, "-l", f"sh -c '{' '.join(one.argv)}; true'")
    tmux.run("send-keys", "-t", shell, "Enter")
    assert seldom.wait_agent(shell)["agent_type"] == "claude"
    two = agent().start_in("new-window", "-t", "main")
    assert seldom.wait_agent(two.pane)["agent_type"] == "claude"


class Machine:
    """A /proc of a few files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def process(self, pid: int, comm: str, *children: int) -> None:
        task = self.root / str(pid) / "task" / str(pid)
        task.mkdir(parents=True, exist_ok=True)
        (task / "children").write_text("".join(f"{child} " for child in children))
        (self.root / str(pid) / "comm").write_text(f"{comm}\n")


def test_what_starts_is_news_once_and_what_ends_is_none(tmp_path: Path) -> None:
    machine, seen = Machine(tmp_path), NewProcesses(str(tmp_path))
    machine.process(10, "bash")
    assert not seen.check_for_changes("", 1, [10], START)
    machine.process(10, "bash", 12)
    machine.process(12, "sh")
    assert seen.check_for_changes("", 1, [10], START + NS)
    assert not seen.check_for_changes("", 1, [10], START + 2 * NS)
    machine.process(12, "claude")  # the same process, another program
    assert seen.check_for_changes("", 1, [10], START + 3 * NS)
    machine.process(10, "bash", 12)
    assert not seen.check_for_changes("", 1, [10], START + 30 * NS)


def test_a_build_that_starts_programs_all_the_time_is_news_ever_more_seldom(tmp_path: Path) -> None:
    machine, seen = Machine(tmp_path), NewProcesses(str(tmp_path))
    machine.process(10, "bash")
    listed = []
    for turn in range(60):
        machine.process(10, "bash", 100 + turn)
        machine.process(100 + turn, "cc1")
        if seen.check_for_changes("", 1, [10], START + turn * 500 * MS):
            listed.append(turn)
    assert len(listed) < 12
    machine.process(10, "bash")
    seen.check_for_changes("", 1, [10], START + 100 * NS)
    machine.process(10, "bash", 500)
    assert seen.check_for_changes("", 1, [10], START + 101 * NS)


def test_a_pane_full_of_processes_costs_no_more_than_a_few_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, reads = Machine(tmp_path), 0
    machine.process(10, "bash", *range(1000, 1400))
    for pid in range(1000, 1400):
        machine.process(pid, "worker")

    read_whole = process_table.read_whole

    def counted(path: str) -> bytes | None:
        nonlocal reads
        reads += 1
        return read_whole(path)

    monkeypatch.setattr(process_table, "read_whole", counted)
    NewProcesses(str(tmp_path)).check_for_changes("", 1, [10], START)
    assert 0 < reads < 25


def test_a_kernel_that_lists_no_children_gives_no_news(tmp_path: Path) -> None:
    seen = NewProcesses(str(tmp_path))
    assert not any(seen.check_for_changes("", 1, [10], START + turn * NS) for turn in range(3))
