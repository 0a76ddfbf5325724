"""Programs that the daemon runs: input, output, time limit and end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.local import process_table
from agtmuxd.targets.local.executor import LocalExecutor
from tests.conftest import until
from tests.integration.targets.local.test_executor import _open_files

pytestmark = pytest.mark.tc("TC-040")


async def _until_gone(pid: int) -> None:
    deadline = asyncio.get_running_loop().time() + 10
    while process_table.read_one(pid) is not None:
        assert asyncio.get_running_loop().time() < deadline, f"{pid} is still there"
        await asyncio.sleep(0.01)


async def test_a_signalled_program_has_a_negative_status(executor: LocalExecutor) -> None:
    assert (await executor.run(["sh", "-c", "kill -TERM $$"], timeout=10)).returncode == -signal.SIGTERM


async def test_input_larger_than_a_pipe_arrives(executor: LocalExecutor) -> None:
    data = os.urandom(1_500_000)
    assert (await executor.run(["cat"], stdin=data, timeout=30)).stdout == data


async def test_input_that_nobody_reads_is_no_error(executor: LocalExecutor) -> None:
    assert (await executor.run(["true"], stdin=b"x" * 1_000_000, timeout=10)).returncode == 0


async def test_output_is_bounded_and_the_program_still_ends(executor: LocalExecutor) -> None:
    done = await executor.run(["head", "-c", "5000000", "/dev/zero"], timeout=30, max_output=1000)
    assert (len(done.stdout), done.truncated, done.returncode) == (1000, True, 0)


async def test_a_late_program_is_killed_with_what_it_started(executor: LocalExecutor, short_dir: Path) -> None:
    pids = short_dir / "pids"
    with pytest.raises(ExecutorError) as caught:
        await executor.run(["sh", "-c", f"sleep 600 & echo $! $$ >{pids}; wait"], timeout=0.5)
    assert caught.value.reason == "timeout"
    for pid in pids.read_text().split():
        proc = process_table.read_one(int(pid))
        if proc is not None and proc.ppid == os.getpid():
            await _until_gone(int(pid))
        else:
            await asyncio.to_thread(until, lambda pid=pid: _ended(int(pid)))


def _ended(pid: int) -> bool:
    proc = process_table.read_one(pid)
    return proc is None or proc.state == "Z"


async def test_a_cancelled_wait_kills_and_reaps(executor: LocalExecutor, short_dir: Path) -> None:
    mark = short_dir / "pid"
    task = asyncio.create_task(executor.run(["sh", "-c", f"echo $$ >{mark}; exec sleep 600"], timeout=600))
    await asyncio.to_thread(until, lambda: mark.exists() and mark.read_text().strip())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until_gone(int(mark.read_text()))


async def test_closing_ends_what_runs(short_dir: Path) -> None:
    executor = LocalExecutor(os.environ)
    mark = short_dir / "pid"
    task = asyncio.create_task(executor.run(["sh", "-c", f"echo $$ >{mark}; exec sleep 600"], timeout=600))
    await asyncio.to_thread(until, lambda: mark.exists() and mark.read_text().strip())
    await executor.close()
    await executor.close()
    with pytest.raises(ExecutorError, match="the daemon is stopping"):
        await task
    await _until_gone(int(mark.read_text()))


async def test_many_at_once_leave_no_process_and_no_descriptor(executor: LocalExecutor) -> None:
    await executor.run(["true"], timeout=10)
    before = _open_files()
    done = await asyncio.gather(*(executor.run(["echo", str(i)], timeout=30) for i in range(40)))
    assert [one.stdout for one in done] == [f"{i}\n".encode() for i in range(40)]
    assert _open_files() == before
    assert not [proc for proc in await executor.process_table() if proc.ppid == os.getpid() and proc.comm == "echo"]
