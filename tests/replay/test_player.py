"""A replay is seen by tmux and the process table as the recorded agent was."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from agtmuxd.targets.local.process_table import read_open
from tests.agents.processes import below, read
from tests.agents.terminal import Pane
from tests.agents.world import REPO, World
from tests.corpus import recording


def _play(world: World, name: str, pause_at: int, *options: str) -> Pane:
    """The recording, held before its line at ``pause_at`` ms."""
    path = REPO / f"tests/corpus/{name}.jsonl"
    command = [sys.executable, "-m", "tests.replay.player", str(path), "--speed", "20", "--log", f"{world.root}/log"]
    command += ["--pause-at", str(pause_at), "--pause-until", f"{world.root}/never", *options]
    return world.tmux.open("replay", world.env(PYTHONPATH=str(REPO)), world.work, "exec " + shlex.join(command))


@pytest.mark.tc("TC-101")
@pytest.mark.parametrize(
    ("name", "at", "comm"),
    [
        ("claude/e1-bash-approval", 9000, "claude"),
        ("codex/e-exec-approval", 6000, "codex"),
        ("gemini/e1-shell-approve", 10000, "node"),
    ],
)
def test_a_held_replay_looks_like_the_agent(name: str, at: int, comm: str) -> None:
    """Screen, title and the agent's process are those of the recording at that moment."""
    want = recording.load(name).sample_at(at - 1)
    with World() as world:
        pane = _play(world, name, at)

        def drawn() -> bool:
            look = pane.look()
            rows = [row.rstrip() for row in look.text.splitlines()]
            while rows and not rows[-1]:
                rows.pop()
            return tuple(rows) == tuple(row.rstrip() for row in want.lines) and look.title == want.title.strip()

        pane.wait(lambda _: drawn(), f"{name} at {at} ms", 20)
        seen = [process.comm for process in (read(pane.pid), *below(pane.pid)) if process]
        assert comm in seen, seen


@pytest.mark.tc("TC-101")
def test_a_replay_feeds_hooks_with_the_panes_own_values(tmp_path: Path) -> None:
    """Hooks run with the recorded payload on standard input and this pane's TMUX_PANE."""
    out = tmp_path / "hooks"
    with World() as world:
        hook = f'cat >> {out}; echo " $TMUX_PANE" >> {out}'
        pane = _play(world, "claude/e1-bash-approval", 6000, "--hook-cmd", hook)

        def output() -> str:  # the pane follows its payload, which has no line end
            return out.read_text().rpartition('"PermissionRequest"')[2] if out.exists() else ""

        pane.wait(lambda _: "\n" in output(), "the hook of the approval", 20)
        assert output().splitlines()[0].endswith(f" {pane.id}")


@pytest.mark.tc("TC-101")
def test_a_replayed_agent_holds_open_what_the_real_one_does(tmp_path: Path) -> None:
    """Copilot's process has a file of its session open, by which its log is known."""
    with World() as world:
        pane = _play(world, "copilot/e1-shell-approve", 9000, "--config-home", str(tmp_path))

        def held() -> list[str]:
            found = [path for process in below(pane.pid) for path in read_open(process.pid)]
            return [path for path in found if path.endswith(".hold")]

        pane.wait(lambda _: bool(held()), "a file that is held open", 20)
        [path] = held()
        log = Path(path).parent / "events.jsonl"
        pane.wait(lambda _: log.exists(), "the log beside it", 20)
