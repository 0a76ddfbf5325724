"""Programs, processes and files of this machine, by the executor's contract."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.local import process_table
from agtmuxd.targets.local.executor import LocalExecutor, child_environment, search_path
from tests.conftest import until

pytestmark = pytest.mark.tc("TC-040")


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _start(*argv: str, stdin: int | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdin=stdin)


async def test_a_program_gets_its_input_and_gives_its_output_and_status(executor: LocalExecutor) -> None:
    done = await executor.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"\0\xff text", timeout=10)
    assert (done.returncode, done.stdout, done.stderr, done.truncated) == (3, b"\0\xff text", b"oops\n", False)


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
