"""Start a daemon in the background and wait until it answers.

Owns the detaching and the creation of the log file. Knows nothing about what the daemon does.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
import time

from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.peer import other_user
from agtmux.protocol.regular import open_regular
from agtmux.protocol.text import one_line

WAIT = 5.0
_OTHER = "already runs"
"""In the message of a daemon that finds another one. The other one may be about to answer."""
_CODE = re.compile(r" \(E_[A-Z_]+\)$")
"""The code of the daemon's own error. It is removed, because the printed error has another code."""
_OVERRIDES = ("AGTMUX_RUNTIME_DIR", "AGTMUX_STATE_DIR", "AGTMUX_CONFIG")


def start_daemon() -> int:
    """Start ``agtmuxd`` in its own session, logging to the log file. Return its pid once the socket answers.

    Raises E_DAEMON_UNREACHABLE with the log's last line if it does not within 5 s, E_FORBIDDEN for an unsafe folder.
    """
    log = paths.log_path()
    paths.ensure_private_dir(paths.state_dir())
    env = os.environ | {name: os.path.abspath(os.environ[name]) for name in _OVERRIDES if os.environ.get(name)}
    try:
        fd = open_regular(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise AgtmuxError(
                "E_FORBIDDEN", f"cannot open the log {log}: {error.strerror}. Check its permissions"
            ) from None
        fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)  # the daemon counts what it cannot log
    try:
        before = os.fstat(fd).st_size
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "agtmuxd", "--log-file", log],
            stdin=subprocess.DEVNULL,
            stdout=fd,
            stderr=fd,
            cwd="/",
            env=env,
            start_new_session=True,
        )
    finally:
        os.close(fd)
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        if any(_answers(path, deadline) for path in paths.socket_candidates()):
            return process.pid
        if process.poll() is not None and _OTHER not in "".join(_lines(log, before)):
            break
        time.sleep(0.02)
    last_line = next((one_line(line)[:300] for line in reversed(_lines(log, before)) if line.strip()), "")
    how = "the daemon was started but does not answer" if process.poll() is None else "the daemon did not start"
    raise AgtmuxError(
        "E_DAEMON_UNREACHABLE",
        f"{how}{': ' + _CODE.sub('', last_line).removeprefix('agtmuxd: ') if last_line else ''}; see its log: {log}",
        {"log": log, "pid": process.pid},
    )


def _answers(path: str, deadline: float) -> bool:
    """Return whether a daemon answers there. One that listens and is still busy at ``deadline`` (monotonic, s) counts
    too.

    A daemon listens before it can answer, and may end in between.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            sock.connect(path)
            if other_user(sock) is not None:
                return False
            sock.sendall(b"GET /v1/health HTTP/1.1\r\nHost: agtmux\r\nConnection: close\r\n\r\n")
            return bool(sock.recv(1))
        except TimeoutError:
            return True
        except OSError:
            return False


def _lines(log: str, start: int) -> list[str]:
    """Return the end of what was logged after ``start``."""
    try:
        with open(open_regular(log), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(start if start <= size else 0, size - 8192))  # the log may have been rotated meanwhile
            return file.read(8192).decode("utf-8", "replace").split("\n")
    except OSError:
        return []
