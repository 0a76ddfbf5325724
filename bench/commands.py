"""Whole processes: the listing and the hook, beside an interpreter that imports what no CLI can do without."""

from __future__ import annotations

import os
import shlex
import sys
import time

from bench.measure import Figure, median, p95, spawn_ms
from bench.stage import Terminal, idle
from bench.watchers import TimedWatcher
from bench.world import CLI, World

REFERENCE = [sys.executable, "-c", "import click, json, socket"]


def listing(quick: bool) -> list[Figure]:
    """Case 1: ``agtmux list panes --json`` with 60 agents."""
    case, times = "list", 20 if quick else 60
    with World() as world:
        panes = world.agents(world.server(), 60)
        for _, _, tty in panes:
            Terminal(tty).show(idle().frames[0])
        world.start()
        world.await_agents(60)
        command = [str(CLI), "list", "panes", "--json"]
        runs = [
            [spawn_ms(c, world.env) for c in (command, REFERENCE, [sys.executable, "-c", "pass"])]
            for _ in range(times + 3)
        ][3:]  # the first ones read files from disk
        ours, theirs, bare = ([run[i][0] for run in runs] for i in range(3))
        cpu, their_cpu = ([run[i][1] for run in runs] for i in range(2))
        return [
            Figure(case, "agtmux list panes --json, 60 agents, median", median(ours), "ms", 90),
            Figure(case, "... p95", p95(ours), "ms"),
            Figure(case, "... fastest", min(ours), "ms"),
            Figure(case, 'python -c "import click, json, socket", median', median(theirs), "ms"),
            Figure(case, "... ratio of the medians", median(ours) / median(theirs), "x", 2.0),
            Figure(case, 'python -c "pass", median', median(bare), "ms"),
            Figure(case, "CPU of agtmux list panes --json, median", median(cpu), "ms"),
            Figure(case, "CPU of the reference, median", median(their_cpu), "ms"),
        ]


def hook(quick: bool) -> list[Figure]:
    """Cases 2 and 3: ``agtmux hook claude`` as a child of an agent, and when a watcher is told."""
    times = 30 if quick else 150
    with World() as world:
        agent = world.hooking_agent(world.server())
        world.start()
        world.await_agents(1, known=False)
        ear = TimedWatcher(world.socket)
        whole, listed, bare = [], [], []
        for i in range(times + 3):
            mark = f"prompt {i} {os.urandom(4).hex()}"
            began, ended = agent.hook(f"{shlex.quote(str(CLI))} hook claude", prompted(mark, 12_000 if i % 2 else 200))
            took = (ended - began) * 1000
            heard = ear.first(lambda item, mark=mark: item.get("task") == mark, began, 2)  # type: ignore[misc]
            began_bare = agent.tell(f"{shlex.quote(sys.executable)} -S -c pass")
            base = (agent.done() - began_bare) * 1000
            if i >= 3:
                whole.append(took)
                bare.append(base)
                listed.append((heard - began) * 1000 if heard is not None else 2000.0)
            time.sleep(0.02)
        return [
            Figure("hook", "agtmux hook claude, whole process, p95", p95(whole), "ms", 50),
            Figure("hook", "... median", median(whole), "ms"),
            Figure("hook", "... fastest", min(whole), "ms"),
            Figure("hook", "python -S -c pass, run the same way, p95", p95(bare), "ms"),
            Figure("hook", "... median", median(bare), "ms"),
            Figure("hook", "ratio of the medians", median(whole) / median(bare), "x"),
            Figure("hook", "hook process start -> line at a watcher, p95", p95(listed), "ms", 75),
            Figure("hook", "... median", median(listed), "ms"),
            Figure("hook", "... fastest", min(listed), "ms"),
        ]


def prompted(prompt: str, padding: int) -> dict[str, object]:
    """What Claude Code tells its hooks of a prompt with so many characters more."""
    return {
        "session_id": "5d3c1b1e-0000-4000-8000-000000000001",
        "transcript_path": "/tmp/none.jsonl",
        "cwd": "/tmp",
        "permission_mode": "default",
        "hook_event_name": "UserPromptSubmit",
        "prompt": prompt + "\n" + "words " * (padding // 6),
    }
