"""Accuracy: plays recordings side by side before a real daemon, and scores what ``agtmux watch`` streamed.

    python -m tests.replay.run [--only claude/e1] [--jobs 6] [--no-hooks] [--json FILE] [--stretches N]

Private tmux server, daemon and folders, as for the real agents; nothing of the user's is touched.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.agents.observe import BIN, Daemon
from tests.agents.world import REPO, World
from tests.replay.player import load
from tests.replay.score import Result, Score, longest, observations, summary, text

CORPUS = REPO / "tests/corpus"
HOMES = {
    "claude": ("CLAUDE_CONFIG_DIR", ""), "codex": ("CODEX_HOME", ""), "gemini": ("GEMINI_CLI_HOME", ".gemini"),
    "copilot": ("COPILOT_HOME", ""), "opencode": ("OPENCODE_CONFIG_DIR", ""),
    "pi": ("PI_CODING_AGENT_DIR", ""), "qwen": ("QWEN_HOME", ""), "cline": ("CLINE_HOME", ""),
}  # fmt: skip
"""Per agent: the variable that names its folder, and what lies below it."""


class TimedLines(threading.Thread):
    """The lines of ``agtmux watch``, each with the moment it came in."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self.rows: list[dict[str, Any]] = []
        command = [str(BIN / "agtmux"), "watch", "--format", "jsonl"]
        self._process = subprocess.Popen(command, env=world.env(), stdout=subprocess.PIPE, text=True)
        self.start()

    def run(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.rows.append({"wall_time": time.time(), **json.loads(line)})

    def end(self) -> None:
        """Stops the watcher; ``rows`` is complete then."""
        self._process.terminate()
        self._process.wait(10)
        self.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()


class Stage:
    """Where recordings are played."""

    def __init__(self, world: World, daemon: Daemon, hooks: bool) -> None:
        self.world, self.daemon, self.hooks = world, daemon, hooks

    def play(self, path: Path) -> tuple[Path, Path, str]:
        """One recording to its end: (recording, replay log, pane id)."""
        head, _ = load(path)
        base = self.world.root / f"{head['agent']}-{head['scenario']}"
        variable, below = HOMES.get(head["agent"], ("", ""))
        home, work, log = base / "home" / below, base / "work", base / "log.jsonl"
        for folder in (home, work):
            folder.mkdir(parents=True)
        command = [sys.executable, "-m", "tests.replay.player", str(path), "--config-home", str(home)]
        command += ["--cwd", str(work), "--log", str(log), "--fresh-ids"]
        if self.hooks and variable:
            env = {variable: str(base / "home")}
            self.daemon.cli("hooks", "install", "--agent", head["agent"], env=env, check=False)
            command += ["--hook-cmd", "settings", "--notify-cmd", "settings"]
        env = self.world.env(PYTHONPATH=str(REPO))
        pane = self.world.tmux.open(base.name[:40], env, work, "exec " + shlex.join(command))
        if head.get("remain_on_exit"):
            self.world.tmux.run("set-option", "-p", "-t", pane.id, "remain-on-exit", "on", check=False)
        limit = time.monotonic() + head["duration_ms"] / 1000 + 30
        while time.monotonic() < limit and not self._ended(log):
            time.sleep(0.3)
        self.world.tmux.run("kill-pane", "-t", pane.id, check=False)
        print(f"played {head['agent']}/{head['scenario']} in {pane.id}", file=sys.stderr, flush=True)
        return path, log, pane.id

    def play_again(self, path: Path) -> tuple[Path, Path, str]:
        """A recording whose player could not begin, once more. Raises RuntimeError if it cannot begin again."""
        head, _ = load(path)
        base = self.world.root / f"{head['agent']}-{head['scenario']}"
        base.rename(base.with_name(f"{base.name}-first"))
        print(f"not begun, once more: {head['agent']}/{head['scenario']}", file=sys.stderr, flush=True)
        played = self.play(path)
        if not begun(played[1]):
            left = played[1].read_text() if played[1].exists() else "no log"
            raise RuntimeError(f"{path} cannot be played: {left[-2000:]}")
        return played

    @staticmethod
    def _ended(log: Path) -> bool:
        return log.exists() and any(f'"kind": "{k}"' in log.read_text() for k in ("done", "crash"))


def begun(log: Path) -> bool:
    """Whether a player got as far as to begin its recording."""
    return log.exists() and '"kind": "begin"' in log.read_text()


def recordings(only: list[str]) -> list[Path]:
    """Those of the corpus whose agent/scenario contains one of the texts; the longest first."""
    found = [p for p in CORPUS.glob("*/*.jsonl") if not only or any(o in f"{p.parent.name}/{p.stem}" for o in only)]
    return sorted(found, key=lambda p: -int(load(p)[0]["duration_ms"]))


def play(paths: list[Path], *, hooks: bool, jobs: int) -> dict[str, Result]:
    """Plays the recordings before a daemon of their own; the result by agent, and of ``all``."""
    results: dict[str, Result] = {}
    with World() as world, Daemon(world) as daemon:
        watch, stage = TimedLines(world), Stage(world, daemon, hooks=hooks)
        with ThreadPoolExecutor(jobs) as pool:
            played = list(pool.map(stage.play, paths))
        played = [one if begun(one[1]) else stage.play_again(one[0]) for one in played]
        time.sleep(1.0)
        watch.end()
        for path, log, pane in played:
            labels = json.loads(path.with_suffix(".labels.json").read_text(encoding="utf-8"))
            rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
            result = Score(labels, rows, observations(watch.rows, pane)).run()
            for name in (path.parent.name, "all"):
                results.setdefault(name, Result()).add(result)
    return dict(sorted(results.items()))


def measure(paths: list[Path], *, hooks: bool, jobs: int) -> dict[str, dict[str, Any]]:
    """The figures of ``play``."""
    return {name: summary(result) for name, result in play(paths, hooks=hooks, jobs=jobs).items()}


def main(argv: list[str]) -> int:
    """Prints the figures per agent and in all; 1 if there was nothing to play."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--only", action="append", default=[], metavar="TEXT", help="agent/scenario contains TEXT")
    ap.add_argument("--jobs", type=int, default=6)
    ap.add_argument("--no-hooks", action="store_true", help="screen, title, status file and processes only")
    ap.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    ap.add_argument("--stretches", type=int, default=0, metavar="N", help="list the N longest wrong stretches")
    options = ap.parse_args(argv)
    paths = recordings(options.only)
    if not paths:
        return 1
    results = play(paths, hooks=not options.no_hooks, jobs=options.jobs)
    figures = {name: summary(result) for name, result in results.items()}
    print("\n\n".join(text(figures[name], name) for name in [*(n for n in figures if n != "all"), "all"]))
    if options.stretches:
        print("\nlongest wrong stretches:", *longest(results["all"], options.stretches), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
