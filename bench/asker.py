"""``python -m bench.asker SOCKET TARGET TIMES``: how long each of so many reads took, in ms, as JSON.

A process of its own: in the one that draws on the terminals its threads would wait for each other.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

from bench.watchers import Poster


def ask(path: str, target: str, times: int) -> list[float]:
    """Read ``target`` so many times, with pauses, in another process: ms of each."""
    argv = [sys.executable, "-m", "bench.asker", path, target, str(times)]
    done = subprocess.run(argv, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    return cast(list[float], json.loads(done.stdout))


def main() -> None:
    path, target, times = sys.argv[1:]
    poster, took = Poster(path), []
    for _ in range(int(times)):
        at = time.perf_counter()
        poster.request("GET", target)
        took.append((time.perf_counter() - at) * 1000)
        time.sleep(0.03)
    print(json.dumps(took))


if __name__ == "__main__":
    main()
