"""The fork in the road: ``agtmux hook …`` goes to the hook before click is imported, everything else to the commands.

Owns nothing else. ``hook --help`` is a person asking, so it goes to the commands.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> int:
    """Run this process's arguments, return the exit status. The hook does not return: it exits 0 whatever happens."""
    if sys.argv[1:2] == ["hook"] and sys.argv[2:3] not in (["-h"], ["--help"]):
        try:
            started = time.time_ns()
            from agtmux import hook  # here, so that even a broken installation never disturbs an agent

            hook.run(sys.argv[2:], started)
        finally:
            os._exit(0)  # no traceback, no status, no teardown: an agent must not feel its hook
    try:
        from agtmux.cli.root import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
