"""The end of a watched process is reported once."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.local import process_table
from agtmuxd.targets.local.executor import LocalExecutor
from agtmuxd.targets.local.pidfd import PidWatcher
from tests.conftest import Tmux

pytestmark = pytest.mark.tc("TC-040")


async def test_a_platform_without_pidfd_gets_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    executor = LocalExecutor(os.environ)
    assert (await executor.run(["sh", "-c", "cat; exit 4"], stdin=b"x" * 200_000, timeout=10)).returncode == 4
    with pytest.raises(ExecutorError, match=r"within 0.2 s"):
        await executor.run(["sleep", "600"], timeout=0.2)
    await executor.close()
    assert not PidWatcher(lambda pid, start: None).watch(os.getpid(), "1")


async def test_the_end_of_a_watched_process_is_told_once(tmux: Tmux) -> None:
    ended: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    watcher = PidWatcher(lambda pid, start: ended.put_nowait((pid, start)), limit=2)
    pids = [tmux.pid(tmux.start("sleep", "600", session=name)) for name in ("one", "two", "three")]
    lives = [(pid, proc.start) for pid in pids if (proc := process_table.read_one(pid))]
    assert [watcher.watch(*life) for life in lives] == [True, True, False]
    assert watcher.watch(*lives[0])
    watcher.forget(*lives[1])
    assert watcher.watch(pids[1], "another life")
    assert await asyncio.wait_for(ended.get(), 10) == (pids[1], "another life")
    os.kill(pids[0], signal.SIGKILL)
    assert await asyncio.wait_for(ended.get(), 10) == lives[0]
    assert len(watcher) == 0
    assert watcher.watch(*lives[1])
    watcher.close()
    watcher.close()
    assert (len(watcher), ended.empty()) == (0, True)
