"""The daemon's process, told to stop by the CLI: also where the system has no handles of processes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess

import pytest

from agtmux.cli import daemon_process


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM, errno.EMFILE])
def test_a_process_is_ended_by_its_number_where_there_is_no_handle(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As on an old kernel, or in a container that forbids the call."""

    def refused(_pid: int) -> int:
        raise OSError(number, "no")

    child = subprocess.Popen(["sleep", "60"])
    try:
        monkeypatch.setattr(os, "pidfd_open", refused, raising=False)
        monkeypatch.setattr(daemon_process, "running", lambda: child.pid)
        daemon_process.end(child.pid)
    finally:
        child.kill()
        code = child.wait()
    assert code == -signal.SIGTERM
