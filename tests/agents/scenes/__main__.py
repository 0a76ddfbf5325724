"""Records these scenes, behind ``tests.agents.isolate``: ``python -m tests.agents.scenes AGENT/NAME...``"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.agents.kinds import KINDS
from tests.agents.record import CORPUS, record
from tests.agents.scenes import SCENES
from tests.agents.world import modules_of


def main() -> int:
    """Command line; 1 where a scene broke off."""
    parser = argparse.ArgumentParser(prog="python -m tests.agents.scenes", description=__doc__)
    parser.add_argument("name", nargs="+", help="AGENT/NAME", choices=[f"{s.agent}/{s.name}" for s in SCENES])
    parser.add_argument("--out", type=Path, default=CORPUS)
    asked = parser.parse_args()
    broken = 0
    for scene in SCENES:
        name = f"{scene.agent}/{scene.name}"
        if name not in asked.name:
            continue
        modules = modules_of(scene.agent)
        if modules is None:
            raise SystemExit("the agent CLIs are not installed: run make test-agents once")
        began = time.monotonic()
        try:
            record(KINDS[scene.agent], scene, modules, asked.out)
        except AssertionError as error:
            broken = 1
            print(f"{name} broke off: {error}")
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return broken


if __name__ == "__main__":
    sys.exit(main())
