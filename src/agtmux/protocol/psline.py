"""Find a process's ancestors with ``ps``, on systems without ``/proc`` (macOS). The hook imports it only there.

Owns the one call of ``ps`` and its parsing. Never waits beyond its deadline.
"""

from __future__ import annotations

import os
import select
import signal
import time

ARGV = ("ps", "-axo", "pid=,ppid=,pgid=,args=")
MAX_OUTPUT = 4 << 20
MOST = 32


def ancestors(pid: int, until: int) -> list[dict[str, object]]:
    """Return the processes from ``pid`` upwards, nearest first. [] if ps prints nothing by the clock ``until`` (ns).

    Each has ``pid``, ``pgid`` and the first words of its command line. ``start`` is empty, because ps prints it in the
    caller's time zone. It is not needed: a process above a living one is the one that the daemon knows by this pid.
    """
    table: dict[int, tuple[int, int, list[str]]] = {}
    for line in _printed(until).decode("utf-8", "replace").splitlines():
        words = line.split(None, 7)
        if len(words) > 3 and all(word.isdecimal() for word in words[:3]):
            table[int(words[0])] = (int(words[1]), int(words[2]), words[3:7])
    chain: list[dict[str, object]] = []
    while pid > 1 and pid in table and len(chain) < MOST:
        parent, group, argv = table[pid]
        link: dict[str, object] = {"pid": pid, "start": "", "argv": [word[-200:] for word in argv]}
        if group > 0:
            link["pgid"] = group
        chain.append(link)
        pid = parent
    return chain


def _printed(until: int) -> bytes:
    """Return the whole output of ps. Empty if it does not end in time."""
    reader, writer = os.pipe()
    try:
        nowhere = ((os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 2))
        try:
            actions = [(os.POSIX_SPAWN_DUP2, writer, 1), *nowhere]
            child = os.posix_spawnp(ARGV[0], ARGV, {**os.environ, "LC_ALL": "C"}, file_actions=actions)
        finally:
            os.close(writer)
        data = _read(reader, until)
        if data is None:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return data or b""
    except OSError:
        return b""
    finally:
        os.close(reader)


def _read(reader: int, until: int) -> bytes | None:
    data = bytearray()
    while len(data) < MAX_OUTPUT:
        left = (until - time.time_ns()) / 1e9
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            return None
        piece = os.read(reader, 1 << 18)
        if not piece:
            return bytes(data)
        data += piece
    return None
