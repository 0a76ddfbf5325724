"""What session files, logs and chat files add to the other sources, counted without a daemon.

    python -m tests.replay.offline [AGENT...] [--stretches N] [--jobs N]

Owns the four ways a recording is played through adapters and state engine (hooks or none, those files or none). Knows
nothing of documents and aims.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import product

from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.registry import Registry
from tests.corpus import recording, together
from tests.corpus.offline import Score
from tests.replay.blind import spans

Way = tuple[bool, bool]
"""With hooks, with session files."""
WAYS: tuple[Way, ...] = tuple(product((True, False), (False, True)))
AGENTS = ("claude", "codex", "copilot", "gemini", "opencode", "pi", "qwen", "cline")


@cache
def _registry() -> Registry:
    return discover(points=())


def _play(work: tuple[str, Way]) -> tuple[str, Way, Score]:
    name, way = work
    one = recording.load(name)
    shown = together.states(one, _registry().adapters[one.agent], hooks=way[0], transcript=way[1])
    return one.agent, way, together.score(one, shown)


def measure(agents: Iterable[str] = AGENTS, jobs: int = 2) -> dict[tuple[str, Way], Score]:
    """The score of every agent's recordings, and of ``all``, in each of the four ways."""
    work = [(name, way) for agent in agents for name in recording.names(agent) for way in WAYS]
    found: dict[tuple[str, Way], Score] = {}
    with ProcessPoolExecutor(jobs) as pool:
        for agent, way, score in pool.map(_play, work, chunksize=8):
            for key in (agent, "all"):
                found.setdefault((key, way), Score()).add(score)
    return found


def rows(scores: dict[tuple[str, Way], Score]) -> list[str]:
    """A table: the percentage of wrong time by agent and way."""
    out = [
        "| agent | hooks | hooks and session files | neither | session files |",
        "|---|---|---|---|---|",
    ]
    for agent in sorted({agent for agent, _ in scores}, key=lambda one: (one == "all", one)):
        cells = (scores[agent, way] for way in WAYS)
        out.append(f"| {agent} | " + " | ".join(f"{100 * one.wrong / one.total:.2f} %" for one in cells) + " |")
    return out


def stretches(work: tuple[str, Way]) -> list[tuple[int, str]]:
    """(ms, where and what) of each stretch of one recording in which a wrong state was shown, or none."""
    name, way = work
    one = recording.load(name)
    shown = together.states(one, _registry().adapters[one.agent], hooks=way[0], transcript=way[1])
    step = together.STEP // 5
    return [
        (end - begin + step, f"{name} at {begin} ms: {truth} as {seen}")
        for begin, end, truth, seen in spans(one, shown)
    ]


def main() -> None:
    """Command line: the table, and the longest wrong stretches in each way with session files."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay.offline", description=__doc__)
    parser.add_argument("agent", nargs="*", help=f"of {', '.join(AGENTS)}; without one, all")
    parser.add_argument("--stretches", type=int, default=0, metavar="N", help="list the N longest wrong stretches")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    agents = asked.agent or AGENTS
    print("\n".join(rows(measure(agents, asked.jobs))))
    for way in WAYS if asked.stretches else ():
        if not way[1]:
            continue
        work = [(name, way) for agent in agents for name in recording.names(agent)]
        with ProcessPoolExecutor(asked.jobs) as pool:
            found = [one for part in pool.map(stretches, work, chunksize=8) for one in part]
        print(f"\n{'with' if way[0] else 'without'} hooks:")
        print(*(f"{ms:6} ms  {where}" for ms, where in sorted(found, reverse=True)[: asked.stretches]), sep="\n")


if __name__ == "__main__":
    main()
