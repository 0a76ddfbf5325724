"""Runs a command where nothing can leave the machine: ``python -m tests.agents.isolate CMD ARGS...``

As root the command gets a network namespace of its own with only the loopback device. Elsewhere it runs as it is, and
the drivers' environment (dummy keys, telemetry off, a proxy that refuses) has to do.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

_INSIDE = "AGTMUX_TEST_NETNS"
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(s, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(s, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | _IFF_UP, b""))


def can_isolate() -> bool:
    """Whether this process may make a network namespace (Linux, root, and the container allows it)."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0


def main(argv: list[str]) -> None:
    """Becomes the command; returns only by raising."""
    if os.environ.get(_INSIDE) == "new":
        _loopback_up()
        os.environ[_INSIDE] = "1"
    elif _INSIDE not in os.environ and can_isolate():
        os.environ[_INSIDE] = "new"
        os.execvp("unshare", ["unshare", "-n", sys.executable, "-m", "tests.agents.isolate", *argv])  # noqa: S606
    os.execvp(argv[0], argv)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
