"""Find the daemon's process on this machine by the locks that it holds, stop it, and wait for its end.

For a daemon that cannot be reached through its socket. Knows neither the API nor click.
"""

from __future__ import annotations

import os
import signal
import time

from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import read_regular

STOP_WITHIN = 8.0
"""Seconds. The daemon itself promises 5."""


def running() -> int | None:
    """Return the pid of the daemon of this state or runtime folder. None if none is known to run.

    A pid in a file alone proves nothing: the process must have that lock file open.
    """
    if paths.socket_path() != os.path.join(paths.runtime_dir(), "agtmuxd.sock"):
        return None  # AGTMUX_SOCKET names a daemon somewhere else
    for path in paths.lock_paths():
        pid = _holder(path)
        if pid is not None:
            return pid
    return None


def end(pid: int) -> None:
    """Ask the daemon ``pid``, as ``running`` found it, to stop, and wait until it is gone.

    A daemon that a signal stopped is continued first, so that it gets the request. Raises E_TIMEOUT.
    """
    try:
        handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return
    except OSError:  # a kernel or a container without this call
        handle = None
    try:
        if running() != pid:  # checked again with the handle open: from now on the pid cannot become another process's
            return
        for number in (signal.SIGTERM, signal.SIGCONT):
            if handle is not None:
                signal.pidfd_send_signal(handle, number)
            else:
                os.kill(pid, number)
    except ProcessLookupError:
        return
    finally:
        if handle is not None:
            os.close(handle)
    wait_gone(pid)


def wait_gone(pid: int) -> None:
    """Wait until the process has ended. Raises E_TIMEOUT."""
    deadline = time.monotonic() + STOP_WITHIN
    while is_alive(pid):
        if time.monotonic() > deadline:
            raise AgtmuxError(
                "E_TIMEOUT",
                f"the daemon (pid {pid}) did not stop within {STOP_WITHIN:g} s: run kill {pid}",
                {"pid": pid},
            )
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _is_zombie(pid)


def _holder(path: str) -> int | None:
    """Return the process that a lock file names, if it holds that file."""
    try:
        text = read_regular(path, 32).strip()
        mark = os.stat(path)
    except OSError:
        return None
    if not text.isdigit() or int(text) <= 1 or len(text) > 9:
        return None
    pid = int(text)
    return pid if _has_open(pid, path, mark) else None


def _has_open(pid: int, path: str, mark: os.stat_result) -> bool:
    folder = f"/proc/{pid}/fd"
    if not os.path.isdir("/proc/self/fd"):
        return _is_locked(path) and is_alive(pid)
    try:
        numbers = os.listdir(folder)
    except OSError:
        return False
    for number in numbers:
        try:
            if os.path.samestat(os.stat(f"{folder}/{number}"), mark):
                return True
        except OSError:
            continue
    return False


def _is_locked(path: str) -> bool:
    """Return whether the lock is held, where the system does not show who has a file open. Takes the lock for an
    instant.
    """
    import fcntl

    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _is_zombie(pid: int) -> bool:
    """Return whether it has ended and was not collected. In a container whose first process does not collect, it stays
    so.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read(4096).rpartition(b")")[2].split()[:1] == [b"Z"]
    except OSError:
        return False
