"""Programs, processes and files of a machine behind a real sshd, by the executor's contract."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmuxd.core.model import NS
from agtmuxd.targets.executor import ExecutorError, ProgramResult
from agtmuxd.targets.local import process_table
from agtmuxd.targets.ssh import commands
from agtmuxd.targets.ssh.executor import SshExecutor
from tests.conftest import until
from tests.ssh.sshd import Sshd

pytestmark = pytest.mark.tc("TC-040")

Make = Callable[..., Sshd]
Reach = Callable[..., SshExecutor]
PATIENCE = 30.0
SHELLS = ["/bin/bash", "/bin/dash", "/usr/bin/fish", "/bin/tcsh", "/bin/zsh"]
BIG = 1_500_000


@pytest.fixture
def vm1(new_sshd: Make, reach: Reach) -> SshExecutor:
    new_sshd("vm1")
    return reach("vm1")


async def test_a_program_gets_its_input_and_gives_its_output_and_status(vm1: SshExecutor) -> None:
    for data in (b"\0\xff text\n", b"", b"x" * 40_000 + b"\0"):
        done = await vm1.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=data, timeout=PATIENCE)
        assert (done.returncode, done.stdout, done.stderr, done.truncated) == (3, data, b"oops\n", False)


async def test_a_signalled_program_has_a_negative_status(vm1: SshExecutor) -> None:
    assert (await vm1.run(["sh", "-c", "kill -TERM $$"], timeout=PATIENCE)).returncode == -signal.SIGTERM


async def test_input_larger_than_any_buffer_arrives_and_output_as_large_comes_back(vm1: SshExecutor) -> None:
    data = os.urandom(BIG)
    assert (await vm1.run(["cat"], stdin=data, timeout=PATIENCE)).stdout == data


async def test_input_that_nobody_reads_is_no_error(vm1: SshExecutor) -> None:
    for size in (100, 20_000, BIG):
        assert (await vm1.run(["true"], stdin=b"x" * size, timeout=PATIENCE)).returncode == 0
    assert (await vm1.run(["echo", "next"], timeout=PATIENCE)).stdout == b"next\n"


async def test_output_is_bounded_and_the_program_still_ends(vm1: SshExecutor) -> None:
    done = await vm1.run(["head", "-c", "5000000", "/dev/zero"], timeout=PATIENCE, max_output=1000)
    assert (len(done.stdout), done.truncated, done.returncode) == (1000, True, 0)


async def test_a_late_program_is_killed_with_what_it_started(vm1: SshExecutor, short_dir: Path) -> None:
    await vm1.run(["true"], timeout=PATIENCE)
    pids = short_dir / "pids"
    with pytest.raises(ExecutorError) as caught:
        await vm1.run(["sh", "-c", f"sleep 600 & echo $! $$ >{pids}; wait"], timeout=2)
    assert caught.value.reason == "timeout"
    for pid in pids.read_text().split():
        await asyncio.to_thread(until, lambda pid=pid: _ended(int(pid)), within=PATIENCE, what=f"{pid} ends")
    assert (await vm1.run(["echo", "next"], timeout=PATIENCE)).stdout == b"next\n"
    assert vm1.link.connects == 1, "a slow program is no reason to drop the connection"


async def test_a_program_that_nobody_waits_for_ends_with_its_time(vm1: SshExecutor, short_dir: Path) -> None:
    await vm1.run(["true"], timeout=PATIENCE)
    pid = short_dir / "pid"
    task = asyncio.create_task(vm1.run(["sh", "-c", f"echo $$ >{pid}; exec sleep 600"], timeout=3))
    await asyncio.to_thread(until, lambda: pid.exists() and pid.read_text().strip(), what="the program runs")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(until, lambda: _ended(int(pid.read_text())), within=PATIENCE, what="it ends")


async def test_a_program_that_is_not_there_is_told_by_name(vm1: SshExecutor) -> None:
    for program in ("no-such-program", "/nonexistent/program", "~/nothing"):
        with pytest.raises(ExecutorError, match=program) as caught:
            await vm1.run([program], timeout=PATIENCE)
        assert caught.value.reason == "refused"
    with pytest.raises(ExecutorError):
        await vm1.run(["echo", "a\0b"], timeout=PATIENCE)


async def test_a_machine_without_tmux_says_so(new_sshd: Make, reach: Reach) -> None:
    new_sshd("vm1")
    executor = reach("vm1", tmux="/opt/none/tmux")
    for ask in (executor.run(["/opt/none/tmux", "-V"], timeout=PATIENCE), executor.which("/opt/none/tmux")):
        with pytest.raises(ExecutorError, match="tmux_path") as caught:
            await ask
        assert caught.value.reason == "no_tmux"


async def test_a_program_is_found_in_the_usual_places_and_below_home(new_sshd: Make, reach: Reach) -> None:
    server = new_sshd("vm1")
    program = server.home / ".local" / "bin" / "only-there"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    for name in ("only-there", "~/.local/bin/only-there", str(program)):
        assert (await reach("vm1").run([name], timeout=PATIENCE)).stdout == b"found\n"


async def test_text_is_utf8_and_no_tmux_of_the_caller_shows_whatever_the_locale_there(
    new_sshd: Make, reach: Reach
) -> None:
    server = new_sshd("vm1", start=False)
    server.force = "LC_ALL=C LANG=C TMUX=/tmp/other,1,0 TMOUT=1 " + server.force
    server.start()
    output = await reach("vm1").run(["sh", "-c", 'echo "${LC_ALL-none} $LC_CTYPE ${TMUX-none}"'], timeout=PATIENCE)
    assert output.stdout == b"none C.UTF-8 none\n"


# ---------------------------------------------------------------- shells


@pytest.mark.tc("TC-106")
@pytest.mark.parametrize("shell", SHELLS)
async def test_arguments_arrive_byte_for_byte_through_every_login_shell(
    new_sshd: Make, reach: Reach, shell: str
) -> None:
    if not Path(shell).exists():
        pytest.skip(f"no {shell} here")
    new_sshd("vm1", shell=shell)
    executor = reach("vm1")
    awkward = [
        "", " ", "'", '"', "\\", "!", "!!", "$HOME", "`id`", "$(id)", "#{pane_id}", ";", "~", "-n", "*", "a\nb", "\n",
        "\t", "\x01\x7f", "é", "日本語", "\udcff", "{a,b}", "^", "%1", "=ls", "[x]", "\\n", "\\0101", "'\"'\"'", "&",
        "|", ">x", "#c",
    ]  # fmt: skip
    assert await _echoed(executor, awkward) == _bytes(awkward)
    assert await _echoed(executor, ["x" * 30_000, "'" * 3_000]) == _bytes(["x" * 30_000, "'" * 3_000])
    big = await executor.run(_printer(awkward), stdin=b"x" * 40_000, timeout=PATIENCE)
    assert big.stdout == _bytes(awkward), "by itself on a channel: the login shell reads it all"


@pytest.mark.tc("TC-106")
async def test_any_arguments_and_any_input_arrive_byte_for_byte(vm1: SshExecutor) -> None:
    await vm1.run(["true"], timeout=PATIENCE)
    loop = asyncio.get_running_loop()
    text = st.text(st.characters(exclude_characters="\0"), max_size=40)
    odd = st.text("'\"\\!$`;#{}~-*\n\t %=^&|<>()[]é\udc80\x01", max_size=20)

    def check(arguments: list[str], data: bytes) -> None:
        ask = vm1.run(["sh", "-c", 'printf "%s\\0" "$@"; cat', "sh", "", *arguments], stdin=data, timeout=PATIENCE)
        result = asyncio.run_coroutine_threadsafe(ask, loop).result(PATIENCE)
        assert result.stdout == _bytes(["", *arguments]) + data

    strategy = given(st.lists(text.filter(_encodes) | odd, max_size=6), st.binary(max_size=300))
    quiet = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    await asyncio.to_thread(quiet(strategy(check)))


# ---------------------------------------------------------------- processes and files


@pytest.mark.skipif(not process_table.have_proc(), reason="reads /proc")
async def test_one_process_table_brings_parents_and_command_lines(vm1: SshExecutor) -> None:
    words = ["", "two  blanks", "new\nline", "é", "/cmdline:x", "1/cmdline:y"]
    child = _start(sys.executable, "-c", "import time; time.sleep(600)", *words)
    try:
        await asyncio.to_thread(until, lambda: Path(f"/proc/{child.pid}/cmdline").read_bytes().endswith(b":y\0"))
        table = {proc.pid: proc for proc in await vm1.process_table()}
        proc = table[child.pid]
        here = process_table.read_one(child.pid)
        assert here is not None
        assert (proc.ppid, proc.start, proc.pgid) == (os.getpid(), here.start, here.pgid)
        assert proc.argv == (sys.executable, "-c", "import time; time.sleep(600)", *words)
        assert await vm1.argv(proc.pid, proc.start) == proc.argv
        assert await vm1.argv(proc.pid, "0") is None
        environs = await vm1.environs([(proc.pid, proc.start), (os.getpid(), "0")], ["PATH", "NOT_THERE"])
        assert environs == {proc.pid: {"PATH": os.environ["PATH"]}}
    finally:
        child.kill()
        child.wait()


@pytest.mark.skipif(not process_table.have_proc(), reason="reads /proc")
async def test_when_a_machine_was_started_is_told_by_our_own_clock(new_sshd: Make, reach: Reach) -> None:
    """A wrong clock there changes nothing: only how long it has been up is asked."""
    server = new_sshd("vm1")
    executor = reach("vm1")
    machine = await executor.machine()
    assert machine.home == str(server.home)
    up = float(Path("/proc/uptime").read_text().split()[0])
    assert machine.booted_at is not None
    assert abs(machine.booted_at - (time.time_ns() - int(up * NS))) < 60 * NS
    words = " ".join([commands.TABLE, commands.FILES, commands.ENVIRON])
    assert not {"date", "btime", "stat -c", "ls -l"} & set(words.split())


async def test_a_machine_without_proc_is_read_by_ps() -> None:
    text = " 1 0 1 -1 ? Ss Mon Jan  1 00:00:00 2024 /sbin/init\n 7 1 7 7 pts/0 S+ Mon Jan  1 00:00:01 2024 claude -c\n"
    done = ProgramResult(0, f"mPP\n/Users/me\nmP{text}mPe".encode(), b"")
    table = commands.parse_table(done, "mP")
    assert [proc.argv for proc in table.procs] == [("/sbin/init",), ("claude", "-c")]
    assert (table.home, table.uptime) == ("/Users/me", None)


async def test_files_come_in_one_go_and_only_the_regular_ones(vm1: SshExecutor, short_dir: Path) -> None:
    folder = short_dir / "it's a folder"
    folder.mkdir()
    bodies = {f"f{n}": os.urandom(200) + b"." for n in range(100)}
    bodies |= {"empty": b"", "line": b"text\n", "eq=1": b"x", "a:b": b"\0\0a:b:\n\n", "-n": b"-n", "ü\nü": b"\xff"}
    for name, body in bodies.items():
        (folder / name).write_bytes(body)
    os.mkfifo(folder / "fifo")
    asked = [str(folder / name) for name in bodies] + [str(folder / "none"), str(folder), str(folder / "fifo")]
    found = await vm1.read_files(asked)
    assert found == {**{str(folder / n): body for n, body in bodies.items()}, str(folder / "none"): None}
    assert await vm1.read_files(asked, max_bytes=5) == {path: data and data[:5] for path, data in found.items()}
    (folder / "big").write_bytes(b"big" * 1_000_000)
    some = [str(folder / name) for name in ("line", "big", "none")]
    result = await vm1.read_files(some)
    assert result == {some[0]: b"text\n", some[1]: (b"big" * 30_000)[:65536], some[2]: None}
    assert await vm1.read_file(str(folder / "line"), max_bytes=2) == b"te"
    assert await vm1.read_file(str(folder / "none")) is None
    with pytest.raises(ExecutorError, match="regular"):
        await vm1.read_file(str(folder / "fifo"))


# ---------------------------------------------------------------- channels


def _start(*argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv)


def _bytes(arguments: list[str]) -> bytes:
    return b"".join(os.fsencode(argument) + b"\0" for argument in arguments)


def _encodes(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def _printer(arguments: list[str]) -> list[str]:
    return ["sh", "-c", 'printf "%s\\0" "$@"', "sh", *arguments]


async def _echoed(executor: SshExecutor, arguments: list[str]) -> bytes:
    return (await executor.run(_printer(arguments), timeout=PATIENCE)).stdout


def _ended(pid: int) -> bool:
    proc = process_table.read_one(pid)
    return proc is None or proc.state == "Z"


@pytest.mark.skipif(not process_table.have_proc(), reason="reads /proc")
@pytest.mark.parametrize("words", [(), ("one",), ("two words", "", "é")])
def test_a_machine_whose_grep_is_of_no_use_tells_command_lines_too(short_dir: Path, words: tuple[str, ...]) -> None:
    """As that of busybox."""
    (short_dir / "cat").symlink_to(shutil.which("cat") or "cat")
    child = _start(sys.executable, "-c", "import time; time.sleep(600)", *words)
    try:
        until(lambda: b"sleep(600)" in Path(f"/proc/{child.pid}/cmdline").read_bytes(), what="exec ends")
        done = subprocess.run(
            ["/bin/sh", "-c", commands.TABLE], input=b"m4rk\n", env={"PATH": str(short_dir), "HOME": "/h"},
            capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        table = commands.parse_table(ProgramResult(done.returncode, done.stdout, done.stderr), "m4rk")
    finally:
        child.kill()
        child.wait()
    (proc,) = [proc for proc in table.procs if proc.pid == child.pid]
    assert proc.argv == (sys.executable, "-c", "import time; time.sleep(600)", *words)
    paths = [str(short_dir / name) for name in ("a", "b", "none")]
    Path(paths[0]).write_bytes(b"one\n")
    Path(paths[1]).write_bytes(b"\0two\0")
    done = subprocess.run(
        ["/bin/sh", "-c", commands.FILES, "sh", "all", *paths], input=b"m4rk\n", env={"PATH": str(short_dir)},
        capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    output = commands.parse_files(ProgramResult(done.returncode, done.stdout, done.stderr), "m4rk", paths)
    assert output == {paths[0]: b"one\n", paths[1]: b"\0two\0", paths[2]: None}
