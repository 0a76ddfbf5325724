"""Processes that are numbered otherwise than this daemon's: those of a container. Linux.

Owns the question whether a peer is one, and the chain above it by this machine's own numbers, told as a hook tells it:
what such a peer says of process numbers means other processes here.
"""

from __future__ import annotations

import os
from typing import Any, Final

from agtmuxd.core.model import Ancestor
from agtmuxd.targets.local.process_table import read_argv, read_one, read_whole

MOST: Final = 32
"""Links of a chain, as many as a hook tells."""


def is_apart(pid: int | None, root: str = "/proc") -> bool:
    """Whether the peer ``pid`` numbers its processes in a space of its own. None: the kernel has no number for it here.

    Of one that has ended nothing tells, and what it said counts.
    """
    try:
        own = os.readlink(f"{root}/self/ns/pid")  # noqa: PTH115 asked for every hook
    except OSError:
        return False  # another system, or no /proc
    if pid is None:
        return True
    try:
        return os.readlink(f"{root}/{pid}/ns/pid") != own  # noqa: PTH115
    except OSError:  # not ours to read; its numbers in each space that it is in are everybody's
        numbers = (read_whole(f"{root}/{pid}/status") or b"").partition(b"\nNSpid:")[2].partition(b"\n")[0]
        return len(numbers.split()) > 1


def was_apart(pid_space: str | None, root: str = "/proc") -> bool:
    """Whether a process that named its space of process numbers, as what waits in a spool does, had another than we."""
    if pid_space is None:
        return False
    try:
        return os.readlink(f"{root}/self/ns/pid") != pid_space  # noqa: PTH115
    except OSError:
        return False


def chain_of(pid: int | None) -> list[dict[str, Any]]:
    """A process and its ancestors, nearest first, as a hook tells them; empty where it is gone or has no number."""
    chain: list[dict[str, Any]] = []
    while pid is not None and pid > 1 and len(chain) < MOST:
        proc = read_one(pid)
        if proc is None:
            break
        words = (read_argv(pid, proc.start) or ())[:4]
        told = [word for place, word in enumerate(words) if word and (place < 2 or not set(word) & set(" \n"))]
        chain.append(
            {
                "pid": pid, "start": proc.start, "argv": [_readable(word[-200:]) for word in told],
                "comm": _readable(proc.comm[:64]), "pgid": proc.pgid if proc.pgid > 0 else None,
            }
        )  # fmt: skip
        pid = proc.ppid
    return chain


def _readable(text: str) -> str:
    return os.fsencode(text).decode("utf-8", "replace")


def lives(link: Ancestor) -> bool:
    """Whether that very process is there."""
    proc = read_one(link.pid)
    return proc is not None and proc.start == link.start and proc.state not in "ZXx"
