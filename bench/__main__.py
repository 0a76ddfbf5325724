"""``python -m bench [--quick] [--json] [CASE ...]``: each budget measured, beside a reference of the same run."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from bench import commands, dashboard, ingest, latency, load, remote, signals, store
from bench.measure import Figure

CASES: dict[str, Callable[[bool], list[Figure]]] = {
    "list": commands.listing,
    "hook": commands.hook,
    "top": dashboard.top,
    "ingest": ingest.events,
    "quiet": load.quiet,
    "quiet-copilot": load.quiet_copilot,
    "changing": load.changing,
    "thousand": load.thousand,
    "watchers": latency.hundred,
    "screens": latency.active,
    "quiet-screens": latency.from_quiet,
    "turns": latency.turns,
    "frozen": remote.frozen,
    "far-hook": remote.hook,
    "start": load.start,
    "large": store.large,
    "signals": signals.push,
    "waits": signals.waits,
}


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    tmux = subprocess.run(["tmux", "-V"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "tmux": tmux,
        "load": " ".join(f"{x:.1f}" for x in os.getloadavg()),
    }


def main() -> int:
    """0 when every budget was kept, 1 when one was not."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="shorter runs, for a look while working")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, nothing else")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"no case {unknown[0]}; there are {', '.join(CASES)}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))  # so that every world is taken down
    where = machine()
    if not options.json:
        print(", ".join(f"{name} {value}" for name, value in where.items()))
    figures: list[Figure] = []
    for name in options.cases or CASES:
        if not options.json:
            print(f"{name}: {(CASES[name].__doc__ or '').strip()}", flush=True)
        made = CASES[name](options.quick)
        figures += made
        if not options.json:
            print("\n".join(figure.line() for figure in made), flush=True)
    if options.json:
        print(json.dumps({**where, "quick": options.quick, "figures": [f.to_json() for f in figures]}, indent=1))
    return 1 if any(figure.kept is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
