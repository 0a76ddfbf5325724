"""Recognise processes in another pid namespace, such as those of a container. Linux.

Owns the check of a peer, and builds the chain above it with the pids of this namespace, in the form that hooks send.
The pids that such a peer sends would name other processes here.
"""

from __future__ import annotations

import os
from typing import Any, Final

from agtmuxd.core.model import Ancestor
from agtmuxd.targets.local.process_table import read_argv, read_one, read_whole

MOST: Final = 32
"""Links of a chain, as many as a hook sends."""


def in_other_pid_space(pid: int | None, root: str = "/proc") -> bool:
    """Return whether the peer ``pid`` is in another pid namespace. None: the kernel has no number for it here.

    A process that has ended cannot be checked: the result is False, so its own chain counts.
    """
    own = _own_space(root)
    if own is None:
        return False
    if pid is None:
        return True
    try:
        return os.readlink(f"{root}/{pid}/ns/pid") != own  # noqa: PTH115
    except OSError:  # not ours to read, but everybody may read its pid in each of its namespaces
        numbers = (read_whole(f"{root}/{pid}/status") or b"").partition(b"\nNSpid:")[2].partition(b"\n")[0]
        return len(numbers.split()) > 1


def was_in_other_pid_space(pid_space: str | None, root: str = "/proc") -> bool:
    """Return whether ``pid_space``, the pid namespace named in a spooled event, is another one than the daemon's."""
    own = _own_space(root)
    return own is not None and pid_space is not None and pid_space != own


def _own_space(root: str) -> str | None:
    """Return the name of the daemon's own pid namespace. None: another system, or no ``/proc``."""
    try:
        return os.readlink(f"{root}/self/ns/pid")  # noqa: PTH115 asked for every hook
    except OSError:
        return None


def chain_of(pid: int | None) -> list[dict[str, Any]]:
    """Return a process and its ancestors, nearest first, as a hook sends them; empty if it is gone or has no pid."""
    chain: list[dict[str, Any]] = []
    while pid is not None and pid > 1 and len(chain) < MOST:
        proc = read_one(pid)
        if proc is None:
            break
        words = (read_argv(pid, proc.start) or ())[:4]
        kept = [word for place, word in enumerate(words) if word and (place < 2 or not set(word) & set(" \n"))]
        chain.append(
            {
                "pid": pid, "start": proc.start, "argv": [_readable(word[-200:]) for word in kept],
                "comm": _readable(proc.comm[:64]), "pgid": proc.pgid if proc.pgid > 0 else None,
            }
        )  # fmt: skip
        pid = proc.ppid
    return chain


def _readable(text: str) -> str:
    return os.fsencode(text).decode("utf-8", "replace")


def is_alive(link: Ancestor) -> bool:
    """Return whether exactly this process, with the same pid and start time, still runs."""
    proc = read_one(link.pid)
    return proc is not None and proc.start == link.start and proc.state not in "ZXx"
