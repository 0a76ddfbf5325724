"""How well recordings in a folder are read without hooks: ``python -m tests.replay.blind FOLDER [--spans] [NAME...]``

For blind sets, which are read before they are in the corpus. Two ways: with status and session files, as the daemon
reads them, and by the screen alone. ``--spans`` lists each stretch in which another state was shown than the true one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from agtmuxd.adapters.discovery import discover
from tests.corpus import offline, recording, together

WAYS = {"files": True, "screen": False}
"""Whether status and session files are read."""
Shown = list[tuple[int, str]]


def spans(one: recording.Recording, shown: Shown) -> Iterator[tuple[int, int, str, str]]:
    """(from, to, true state, shown state) of every stretch that is not right, in ms; ``to`` is its last sample."""
    now: tuple[int, int, str, str] | None = None
    for at, state in shown:
        label = one.label_at(at)
        wrong = label is not None and state not in label.accepted and not label.state == state == "no_agent"
        if now is not None and not (wrong and label is not None and now[2:] == (label.state, state)):
            yield now
            now = None
        if wrong and label is not None:
            now = (now[0] if now else at, at, label.state, state)
    if now is not None:
        yield now


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay.blind", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name", nargs="*", help="parts of AGENT/SCENARIO; without one, all")
    parser.add_argument("--spans", action="store_true")
    asked = parser.parse_args()
    recording.ROOT = asked.folder
    names = [n for n in recording.names() if not asked.name or any(part in n for part in asked.name)]
    adapters = discover(points=()).adapters
    for way, files in WAYS.items():
        scores: dict[str, offline.Score] = {}
        scenes: dict[str, offline.Score] = {}
        for name in names:
            one = recording.load(name)
            shown = together.states(one, adapters[one.agent], hooks=False, status=files, transcript=files)
            scenes[name] = together.score(one, shown)
            for key in (one.agent, "all"):
                scores.setdefault(key, offline.Score()).add(scenes[name])
            if asked.spans:
                for begin, end, truth, seen in spans(one, shown):
                    print(f"{way} {name} {begin / 1000:.2f}-{end / 1000:.2f} s: {truth} shown as {seen}")
        print(f"\nWithout hooks, {'with status and session files' if files else 'the screen alone'}:")
        print(offline.table(scenes))
        print(offline.table(scores), flush=True)


if __name__ == "__main__":
    main()
