"""Programs, processes and files of this machine, by the executor's contract."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.local import process_table
from agtmuxd.targets.local.executor import LocalExecutor, child_environment, search_path
from agtmuxd.targets.local.pidfd import PidWatcher
from tests.conftest import Tmux, until

pytestmark = pytest.mark.tc("TC-040")


@pytest.fixture
async def executor() -> AsyncIterator[LocalExecutor]:
    made = LocalExecutor(os.environ)
    yield made
    await made.close()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _start(*argv: str, stdin: int | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdin=stdin)


async def _until_gone(pid: int) -> None:
    deadline = asyncio.get_running_loop().time() + 10
    while process_table.read_one(pid) is not None:
        assert asyncio.get_running_loop().time() < deadline, f"{pid} is still there"
        await asyncio.sleep(0.01)


async def test_a_program_gets_its_input_and_gives_its_output_and_status(executor: LocalExecutor) -> None:
    done = await executor.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"\0\xff text", timeout=10)
    assert (done.returncode, done.stdout, done.stderr, done.truncated) == (3, b"\0\xff text", b"oops\n", False)


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
    with pytest.raises(ExecutorError, match="closes"):
        await task
    await _until_gone(int(mark.read_text()))


async def test_many_at_once_leave_no_process_and_no_descriptor(executor: LocalExecutor) -> None:
    await executor.run(["true"], timeout=10)
    before = _open_files()
    done = await asyncio.gather(*(executor.run(["echo", str(i)], timeout=30) for i in range(40)))
    assert [one.stdout for one in done] == [f"{i}\n".encode() for i in range(40)]
    assert _open_files() == before
    assert not [proc for proc in await executor.process_table() if proc.ppid == os.getpid() and proc.comm == "echo"]


async def test_a_platform_without_pidfd_gets_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    executor = LocalExecutor(os.environ)
    assert (await executor.run(["sh", "-c", "cat; exit 4"], stdin=b"x" * 200_000, timeout=10)).returncode == 4
    with pytest.raises(ExecutorError, match=r"within 0.2 s"):
        await executor.run(["sleep", "600"], timeout=0.2)
    await executor.close()
    assert not PidWatcher(lambda pid, start: None).watch(os.getpid(), "1")


@pytest.mark.parametrize("program", ["no-such-program-here", "/no/such/program", "/etc/passwd", "/tmp"])
async def test_a_program_that_cannot_start_is_refused(executor: LocalExecutor, program: str) -> None:
    before = _open_files()
    with pytest.raises(ExecutorError) as caught:
        await executor.run([program], timeout=10)
    assert caught.value.reason == "refused"
    assert _open_files() == before


async def test_programs_see_no_tmux_of_the_daemon() -> None:
    environ = {
        "HOME": "/h",
        "TMUX": "/tmp/x,1,0",
        "TMUX_PANE": "%1",
        "TMUX_TMPDIR": "/t",
        "SECRET": "s",
        "LC_ALL": "POSIX",
    }
    executor = LocalExecutor({**environ, "PATH": os.environ["PATH"]})
    seen = (await executor.run(["env"], timeout=10)).stdout.decode().splitlines()
    assert not [entry for entry in seen if entry.startswith(("TMUX=", "TMUX_PANE=", "SECRET=", "LC_ALL="))]
    assert {"HOME=/h", "TMUX_TMPDIR=/t", "LC_CTYPE=C.UTF-8", "LC_TIME=C"} <= set(seen)
    await executor.close()


def test_a_utf8_locale_is_kept() -> None:
    assert child_environment({"LANG": "de_DE.UTF-8"})["LC_CTYPE"] == "de_DE.UTF-8"
    assert child_environment({})["PATH"] == os.defpath


def test_a_short_path_does_not_hide_tmux(short_dir: Path) -> None:
    program = short_dir / ".local/bin/tmux"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert str(program.parent) in search_path({"PATH": "/x", "HOME": str(short_dir)}).split(":")
    assert LocalExecutor({"PATH": str(program.parent)}).find_tmux() == str(program)
    assert LocalExecutor({"PATH": "/nonexistent"}).find_tmux(str(program)) == str(program)
    assert LocalExecutor({"HOME": str(short_dir)}).find_tmux("~/.local/bin/tmux") == str(program)
    with pytest.raises(ExecutorError) as caught:
        LocalExecutor(os.environ).find_tmux("/no/such/tmux")
    assert caught.value.reason == "no_tmux"


async def test_the_process_table_tells_who_is_whose_child(executor: LocalExecutor) -> None:
    child = _start("sleep", "600")
    try:
        table = {proc.pid: proc for proc in await executor.process_table()}
        proc = table[child.pid]
        assert (proc.ppid, proc.comm) == (os.getpid(), "sleep")
        assert table[os.getpid()].pgid == os.getpgrp()
        await asyncio.to_thread(until, lambda: Path(f"/proc/{child.pid}/cmdline").read_bytes(), what="exec ends")
        assert await executor.argv(proc.pid, proc.start) == ("sleep", "600")
        assert await executor.argv(proc.pid, "0") is None
        life = (proc.pid, proc.start)
        assert await executor.environs([life], ["PATH", "NOT_THERE"]) == {proc.pid: {"PATH": os.environ["PATH"]}}
        assert await executor.environs([(proc.pid, "0")], ["PATH"]) == {}
        child.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(until, lambda: getattr(process_table.read_one(child.pid), "state", "") == "T")
    finally:
        child.kill()
        child.wait()
    assert await executor.argv(proc.pid, proc.start) is None
    assert await executor.environs([(proc.pid, proc.start)], ["PATH"]) == {}


async def test_a_long_command_line_is_read_whole(executor: LocalExecutor) -> None:
    words = ("-c", "import sys; sys.stdin.read()", *(f"word{i}" for i in range(3000)))
    child = _start(sys.executable, *words, stdin=subprocess.PIPE)
    try:
        await asyncio.to_thread(until, lambda: Path(f"/proc/{child.pid}/cmdline").read_bytes(), what="exec ends")
        proc = process_table.read_one(child.pid)
        assert proc is not None
        assert await executor.argv(proc.pid, proc.start) == (sys.executable, *words)
    finally:
        child.communicate()


async def test_a_files_content_is_read_or_known_to_be_absent(executor: LocalExecutor, short_dir: Path) -> None:
    path = short_dir / "status.json"
    assert await executor.read_file(str(path)) is None
    assert await executor.read_file(str(path / "below")) is None
    path.write_bytes(b"0123456789")
    assert await executor.read_file(str(path)) == b"0123456789"
    assert await executor.read_file(str(path), max_bytes=4) == b"0123"
    assert await executor.read_file(str(path / "below")) is None
    os.mkfifo(short_dir / "fifo")
    for odd in (short_dir, short_dir / "fifo", Path("a\0b")):
        with pytest.raises(ExecutorError):
            await executor.read_file(str(odd))


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


@pytest.mark.tc("TC-040")
async def test_a_files_mark_stays_until_it_is_written_and_is_not_trusted_just_after(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    path, long_ago = tmp_path / "status.json", 1_700_000_000 * 1_000_000_000
    assert await executor.mark(str(path)) is None
    path.write_text("busy")
    assert await executor.mark(str(path)) is None
    os.utime(path, ns=(long_ago, long_ago))
    before = await executor.mark(str(path))
    assert before is not None
    assert await executor.mark(str(path)) == before
    path.write_text("idle")
    os.utime(path, ns=(long_ago, long_ago))
    assert await executor.mark(str(path)) != before
