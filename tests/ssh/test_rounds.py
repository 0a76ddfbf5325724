"""The rounds that a local target is observed by, over ssh: the same tests, another executor. And what a round costs."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import Source
from agtmuxd.core.state.debounce import DebounceState
from agtmuxd.core.state.health import Health
from agtmuxd.core.state.observation import HealthChange, Observation
from agtmuxd.targets.executor import ProgramResult, TargetExecutor
from agtmuxd.targets.local.executor import LocalExecutor
from agtmuxd.targets.observer import Observer
from agtmuxd.targets.ssh.executor import SshExecutor
from agtmuxd.tmux.server import tmux_argv
from tests.conftest import Tmux, until
from tests.integration.tmux import test_round as suite
from tests.ssh.sshd import Sshd

globals().update({name: test for name, test in vars(suite).items() if name.startswith("test_")})


@pytest.fixture
async def observer(new_sshd: Callable[..., Sshd], reach: Callable[..., SshExecutor]) -> AsyncIterator[suite.Observer]:
    """In the place of the local one."""
    new_sshd("vm1", max_sessions=4)
    yield suite.Observer(reach("vm1"))


class Sink:
    """Keeps what an observer told."""

    def __init__(self) -> None:
        self.seen: list[Observation] = []
        self.health: list[HealthChange] = []

    async def observe(self, seen: Observation) -> None:
        self.seen.append(seen)

    async def report_health(self, change: HealthChange) -> None:
        self.health.append(change)

    def last_levels(self, target_id: str, pane_id: str, pid: int, start: str) -> dict[Source, DebounceState]:
        return {}


class Clock:
    """Counts in steps of a quarter of a second, however long a round takes."""

    def __init__(self) -> None:
        self.now = 1_767_225_600_000_000_000

    def __call__(self) -> int:
        self.now += 1
        return self.now

    def tick(self) -> None:
        self.now += 250_000_000


@pytest.fixture(params=["local", "ssh"])
async def executor(
    request: pytest.FixtureRequest, new_sshd: Callable[..., Sshd], reach: Callable[..., SshExecutor]
) -> AsyncIterator[TargetExecutor]:
    if request.param == "ssh":
        new_sshd("vm1", max_sessions=4)
        yield reach("vm1")
        return
    local = LocalExecutor(os.environ)
    yield local
    await local.close()


def watched(executor: TargetExecutor, tmux: Tmux) -> tuple[Observer, Sink, Clock]:
    sink, clock = Sink(), Clock()
    argv = tmux_argv("tmux", str(tmux.socket))
    observer = Observer("t", executor, lambda: argv, discover([]), sink, clock, local=False)
    return observer, sink, clock


def agents(tmux: Tmux, short_dir: Path, count: int) -> None:
    program = short_dir / "bin" / "claude"
    program.parent.mkdir()
    shutil.copy(shutil.which("sleep") or "sleep", program)
    tmux.start(str(program), "86400", session="main", cols=200, rows=200)
    for number in range(1, count):
        tmux.run("new-window", "-d", "-t", "main:", "-n", f"w{number}", "--", str(program), "86400")
    until(lambda: tmux.run("list-panes", "-a", "-F", "#{pane_current_command}").split() == ["claude"] * count)


@pytest.mark.tc("TC-040")
async def test_an_observer_tells_the_same_over_ssh_as_here(
    executor: TargetExecutor, tmux: Tmux, short_dir: Path
) -> None:
    """Agents come, are described alike, and go with their server; a new server is another one."""
    tmux.env["HOME"] = str(short_dir)
    agents(tmux, short_dir, 2)
    observer, sink, clock = watched(executor, tmux)
    await observer.once()
    first = sink.seen[-1]
    assert [(a.agent_type, a.suspended, a.headless) for a in first.agents.values()] == [("claude", False, False)] * 2
    assert {row.pane_id: row.pid for row in first.panes} == {p: a.pid for p, a in first.agents.items()}
    here = await LocalExecutor(os.environ).machine()
    assert here.booted_at is not None
    for agent in first.agents.values():
        began = here.booted_at + int(agent.process_start) * 10_000_000
        assert abs(agent.process_started_at - began) < 2_000_000_000
    tmux.stop()
    clock.tick()
    await observer.once()
    assert (sink.seen[-1].boot_id, sink.seen[-1].panes, sink.seen[-1].agents) == (None, (), {})
    tmux.start()
    clock.tick()
    await observer.once()
    assert sink.seen[-1].boot_id not in (None, first.boot_id)
    assert observer.health.level == "ok"
    assert [change.health for change in sink.health] == ["ok"]


@pytest.mark.tc("TC-015")
async def test_a_status_file_is_found_by_the_environment_of_its_agent(
    executor: TargetExecutor, tmux: Tmux, short_dir: Path
) -> None:
    elsewhere = short_dir / "far home"
    tmux.env["HOME"] = str(elsewhere)
    agents(tmux, short_dir, 1)
    observer, sink, clock = watched(executor, tmux)
    await observer.once()
    (agent,) = sink.seen[-1].agents.values()
    sessions = elsewhere / ".claude" / "sessions"
    sessions.mkdir(parents=True)
    status = f'{{"pid": {agent.pid}, "procStart": "{agent.process_start}", "status": "busy", "entrypoint": "cli"}}'
    (sessions / f"{agent.pid}.json").write_text(status)
    clock.tick()
    await observer.once()
    (agent,) = sink.seen[-1].agents.values()
    assert [source for source, _ in agent.levels] == [Source.POLLER, Source.STATUS]


async def test_a_round_costs_one_tmux_call_and_one_file_batch_however_many_agents(
    tmux: Tmux, short_dir: Path, new_sshd: Callable[..., Sshd], reach: Callable[..., SshExecutor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    new_sshd("vm1", max_sessions=4)
    executor = reach("vm1")
    asked: Counter[str] = Counter()
    run = executor.run

    async def counted(argv: Sequence[str], **more: Any) -> ProgramResult:
        asked["tmux" if argv[0] == "tmux" else "script"] += 1
        return await run(argv, **more)

    monkeypatch.setattr(executor, "run", counted)
    tmux.env["HOME"] = str(short_dir)
    agents(tmux, short_dir, 20)
    observer, sink, clock = watched(executor, tmux)
    await observer.once()
    assert len(sink.seen[-1].agents) == 20
    assert asked == {"tmux": 2, "script": 3}, "the listing, the table, all environments, the screens, all files"
    asked.clear()
    tables = observer.tables
    for _ in range(5):
        clock.tick()
        await observer.once()
    assert asked == {"tmux": 5, "script": 5 + observer.tables - tables}
    assert observer.tables - tables <= 1, "young processes are looked at once more"


@pytest.mark.tc("TC-034")
async def test_a_target_that_was_down_for_long_is_read_again_soon_once_it_answers(tmux: Tmux) -> None:
    local = LocalExecutor(os.environ)
    observer, _, clock = watched(local, tmux)
    observer._tries = 20
    observer.health = Health("down", clock(), "timeout", None, (), 0)
    assert observer._rest() > 20
    await observer.once()
    assert (observer.health.level, observer.health.good) == ("down", 1)
    assert observer._rest() < 1
    clock.tick()
    await observer.once()
    assert observer.health.level == "ok"
    await local.close()


_HALF = '''#!{python} -IS
"""tmux, but for what the file beside it says: then only so much of the answer is given, and no end of it."""
import os, re, subprocess, sys, time
folder = os.path.dirname(os.path.abspath(__file__))
given = sys.stdin.buffer.read()
done = subprocess.run(["tmux", *sys.argv[1:]], input=given, capture_output=True)
out = done.stdout
try:
    with open(folder + "/cut") as file:
        where = file.read()
except FileNotFoundError:
    where = ""
if where:
    nonce = re.findall(rb'display-message -p "([0-9a-z]+)e"', given)[-1]
    marks = [found.start() for found in re.finditer(nonce, out)]
    at = {{"nothing": 0, "half": len(out) // 2, "in a mark": marks[2] + 3, "before a screen": marks[-2],
          "before the end": marks[-1], "after the end": len(out)}}[where]
    sys.stdout.buffer.write(out[:at])
    sys.stdout.buffer.flush()
    open(folder + "/stopped", "w").close()
    time.sleep(600)
sys.stdout.buffer.write(out)
sys.stderr.buffer.write(done.stderr)
sys.exit(done.returncode)
'''


@pytest.mark.tc("TC-023")
@pytest.mark.parametrize(
    "where", ["nothing", "half", "in a mark", "before a screen", "before the end", "after the end"]
)
async def test_a_link_that_ends_in_the_middle_of_a_round_leaves_what_was_known(
    tmux: Tmux, short_dir: Path, new_sshd: Callable[..., Sshd], reach: Callable[..., SshExecutor], where: str
) -> None:
    """A part of an answer is none, however whole it looks: nothing of it is taken in, and the next one is whole."""
    server = new_sshd("vm1", max_sessions=4)
    half = short_dir / "half"
    half.write_text(_HALF.format(python=sys.executable))
    half.chmod(0o700)
    agents(tmux, short_dir, 2)
    sink, clock = Sink(), Clock()
    observer = Observer(
        "t", reach("vm1"), lambda: tmux_argv(str(half), str(tmux.socket)), discover([]), sink, clock, local=False
    )
    await observer.once()
    assert len(sink.seen) == 1
    assert len(sink.seen[0].agents) == 2
    first, second = sorted(sink.seen[0].agents)
    tmux.run("kill-pane", "-t", second)  # what a whole round would show

    (short_dir / "cut").write_text(where)
    clock.tick()
    under_way = asyncio.create_task(observer.once())
    while not (short_dir / "stopped").exists():
        assert not under_way.done(), "it waits for the rest"
        await asyncio.sleep(0.01)
    (short_dir / "cut").unlink()
    server.hang_up()
    await under_way
    assert len(sink.seen) == 1, "nothing of it is taken in"
    assert (observer.health.level, observer.health.reason) == ("degraded", "lost")

    clock.tick()
    await observer.once()
    assert [sorted(seen.agents) for seen in sink.seen[1:]] == [[first]]
    clock.tick()
    await observer.once()
    assert (observer.health.level, observer.health.reason) == ("ok", None)
