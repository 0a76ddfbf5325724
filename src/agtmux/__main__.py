"""Start the program: ``agtmux hook …`` and ``agtmux status`` run before click is imported, everything else as commands.

Owns nothing else. ``hook --help`` is typed by a person, so the commands answer it.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> int:
    """Run this process's arguments and return the exit status. The hook does not return: it always exits with 0."""
    if sys.argv[1:2] == ["hook"] and sys.argv[2:3] not in (["-h"], ["--help"]):
        try:
            started = time.time_ns()
            from agtmux import hook  # imported here, so that even a broken installation never disturbs an agent

            hook.run(sys.argv[2:], started)
        finally:
            os._exit(0)  # no traceback, no status, no teardown: a hook must not disturb its agent
    try:
        if sys.argv[1:2] == ["status"]:
            from agtmux import status

            if status.run(sys.argv[2:]):
                return 0
        from agtmux.cli.root import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
