"""The shells that stay open on a machine: their answers in pieces, their limits, and what rc files print."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh import commands
from agtmuxd.targets.ssh.executor import SshExecutor
from tests.conftest import until
from tests.ssh.sshd import Sshd
from tests.ssh.test_executor import PATIENCE, Make, Reach

pytestmark = pytest.mark.tc("TC-040")


@pytest.fixture
def vm1(new_sshd: Make, reach: Reach) -> SshExecutor:
    new_sshd("vm1")
    return reach("vm1")


@pytest.mark.tc("TC-106")
@pytest.mark.parametrize("shell", ["/bin/bash", "/usr/bin/fish", "/bin/tcsh"])
async def test_what_rc_files_print_is_no_part_of_any_output(new_sshd: Make, reach: Reach, shell: str) -> None:
    if not Path(shell).exists():
        pytest.skip(f"no {shell} here")
    server = new_sshd("vm1", shell=shell)
    noise = "echo 'Welcome! it is late'; echo trouble >/dev/stderr; printf 'agt'; printf 'no newline b'\n"
    rc = {"/bin/bash": ".bashrc", "/usr/bin/fish": ".config/fish/config.fish", "/bin/tcsh": ".tcshrc"}[shell]
    (server.home / rc).parent.mkdir(parents=True, exist_ok=True)
    (server.home / rc).write_text(noise)
    assert b"Welcome!" in await asyncio.to_thread(_plain_ssh, server), "else this test shows nothing"
    executor = reach("vm1")
    for data in (b"in", b"y" * 40_000):
        done = await executor.run(["sh", "-c", "cat; echo err >&2; exit 7"], stdin=data, timeout=PATIENCE)
        assert (done.stdout, done.stderr, done.returncode) == (data, b"err\n", 7)
    assert {proc.pid for proc in await executor.process_table()} >= {1, os.getpid()}


async def test_a_login_shell_that_runs_nothing_is_refused_with_what_it_said(new_sshd: Make, reach: Reach) -> None:
    server = new_sshd("vm1", start=False)
    server.force = "echo This account is currently not available.; exit 1"
    server.start()
    with pytest.raises(ExecutorError, match="This account is currently not available") as caught:
        await reach("vm1").run(["true"], timeout=PATIENCE)
    assert caught.value.reason == "refused"


async def test_the_real_login_shell_of_this_user_works(new_sshd: Make, reach: Reach) -> None:
    server = new_sshd("vm1", start=False)
    server.force = ""
    server.start()
    assert (await reach("vm1").run(["echo", "it's me"], timeout=PATIENCE)).stdout == b"it's me\n"


async def test_four_channels_serve_any_number_of_callers_where_sshd_allows_four(new_sshd: Make, reach: Reach) -> None:
    new_sshd("vm1", max_sessions=4)
    executor = reach("vm1")
    asked = [executor.run(["cat"], stdin=b"%d" % n * (1 if n % 3 else 40_000), timeout=PATIENCE) for n in range(40)]
    results = await asyncio.gather(*asked)
    assert [one.stdout for one in results] == [b"%d" % n * (1 if n % 3 else 40_000) for n in range(40)]
    assert executor.link.connects == 1


async def test_a_server_without_a_free_channel_is_told_as_such(new_sshd: Make, reach: Reach) -> None:
    new_sshd("vm1", max_sessions=1)
    executor = reach("vm1")
    first = asyncio.create_task(executor.run(["sleep", "600"], timeout=PATIENCE))
    await asyncio.to_thread(until, lambda: executor.link.connected, what="it is connected")
    listed = []
    for _ in range(3):
        with pytest.raises(ExecutorError) as caught:
            await executor.run(["true"], timeout=PATIENCE)
        listed.append(caught.value.reason)
    assert "channel_limit" in listed
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


def _plain_ssh(server: Sshd) -> bytes:
    argv = ["ssh", "-F", str(server.keys.config), "vm1", "true"]
    return subprocess.run(argv, capture_output=True, timeout=PATIENCE, check=False).stdout


def test_an_answer_may_come_in_pieces_of_any_size() -> None:
    result = b"noise ab" + b"NONCEb" + b"out NONC NONCE put\n" + b"NONCEe" + b"17\n" + b"later noise"
    for size in range(1, len(result)):
        answer = commands.Answer("NONCE", 1000, main=True)
        for first in range(0, len(result), size):
            answer.feed(result[first : first + size])
        assert (answer.complete, answer.output, answer.status) == (True, b"out NONC NONCE put\n", "17"), size
    for cut in range(len(result) - len(b"\nlater noise")):
        answer = commands.Answer("NONCE", 1000, main=True)
        answer.feed(result[:cut])
        assert not answer.complete, result[:cut]
