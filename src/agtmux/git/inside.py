"""Find the processes that work in a folder. Linux only: elsewhere the list is empty, and agtmux's panes must do."""

from __future__ import annotations

import contextlib
import os


def processes_inside(path: str) -> list[tuple[int, str]]:
    """Return the pid and name of each process of yours whose working directory is ``path`` or below it."""
    real = os.path.realpath(path)
    out = []
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return []
    for pid in pids:
        with contextlib.suppress(OSError):  # it ended, or belongs to another user
            cwd = os.readlink(f"/proc/{pid}/cwd")
            if cwd == real or cwd.startswith(f"{real}/"):
                out.append((pid, _name(pid)))
    return out


def _name(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
