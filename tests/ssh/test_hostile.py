"""A machine behind ssh that lies, floods or never lets go: it costs a bounded amount, and is told by name."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
import pytest
from asyncssh.channel import SSHServerChannel

from agtmuxd.adapters.discovery import discover
from agtmuxd.remote_hooks import spool_fetch
from agtmuxd.remote_hooks.spool_fetch import ByteBudget, RemoteSpool
from agtmuxd.store.db import Store, open_database
from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.limits import ABANDONED_MOST, OFF_LOOP, Bounds
from agtmuxd.targets.local.executor import LocalExecutor
from agtmuxd.targets.observer import Observer
from agtmuxd.targets.ssh.commands import Answer
from agtmuxd.targets.ssh.executor import SshExecutor
from agtmuxd.tmux import round as tmux_round
from agtmuxd.tmux.server import tmux_argv
from tests.conftest import Tmux
from tests.ssh.sshd import Keys, Sshd
from tests.ssh.test_rounds import Clock, Sink

pytestmark = pytest.mark.tc("TC-164")

T = TypeVar("T")
PATIENCE = 30.0
Make = Callable[..., Sshd]
Reach = Callable[..., SshExecutor]


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o700)
    return path


def lying(new_sshd: Make, folder: Path, **programs: str) -> Sshd:
    """A machine on which some programs are others than one thinks: ``name`` → what a shell script does instead."""
    for name, text in programs.items():
        program(folder / "lies" / name, f"#!/bin/bash\n{text}\n")
    return new_sshd("vm1", env={"PATH": f"{folder}/lies:/usr/local/bin:/usr/bin:/bin"})


async def fails(executor: SshExecutor, reason: str, words: str) -> None:
    with pytest.raises(ExecutorError, match=words) as caught:
        await executor.process_table()
    assert caught.value.reason == reason


# ---------------------------------------------------------------- too much


@pytest.mark.parametrize("stream", ["1", "2"])
async def test_a_program_that_prints_without_end_is_given_up_long_before_its_time(
    new_sshd: Make, reach: Reach, stream: str
) -> None:
    new_sshd("vm1")
    executor = reach("vm1")
    for argv in (["sh", "-c", f"exec yes >&{stream}"], ["sh", "-c", f"tr '\\0' x </dev/zero >&{stream}"]):
        with pytest.raises(ExecutorError, match="does not stop printing") as caught:
            await executor.run(argv, timeout=300, max_output=1000)
        assert caught.value.reason == "too_large"
    assert (await executor.run(["echo", "next"], timeout=PATIENCE)).stdout == b"next\n"


async def test_a_login_shell_that_talks_without_end_is_given_up(new_sshd: Make, reach: Reach, short_dir: Path) -> None:
    new_sshd("vm1", shell=str(program(short_dir / "babble", "#!/bin/sh\nexec yes\n")))
    with pytest.raises(ExecutorError, match="does not stop printing"):
        await reach("vm1").run(["true"], timeout=300)


async def test_more_processes_than_the_bound_are_no_process_table(new_sshd: Make, reach: Reach) -> None:
    new_sshd("vm1")
    await fails(
        reach("vm1", bounds=Bounds(processes=1)), "too_large", r"more processes than 1 \(targets.max_processes\)"
    )
    await fails(reach("vm1", bounds=Bounds(answer=100)), "too_large", r"targets.max_answer")


async def rounds(executor: Any, tmux: Tmux, *, by_arguments: bool = False, **bounds: int) -> Observer:
    argv = tmux_argv("tmux", str(tmux.socket))
    observer = Observer(
        "t", executor, lambda: argv, discover([]), Sink(), Clock(), local=False, bounds=Bounds(**bounds)
    )
    observer._reader.by_arguments = by_arguments
    await observer.once()
    return observer


async def test_more_panes_than_the_bound_are_a_round_that_failed_and_the_setting_is_named(tmux: Tmux) -> None:
    tmux.start()
    tmux.run("split-window")
    executor = LocalExecutor(tmux.env)
    assert (await rounds(executor, tmux, panes=2)).health.reason is None
    many = await rounds(executor, tmux, panes=1)
    assert (many.health.reason, many.failure_message) == (
        "too_large",
        "tmux lists more panes than 1 (targets.max_panes)",
    )
    long = await rounds(executor, tmux, answer=64)
    assert long.health.reason == "too_large"
    assert "targets.max_answer" in long.failure_message
    await executor.close()


@pytest.mark.tc("TC-221")
async def test_the_bounds_of_a_round_hold_where_tmux_is_asked_by_arguments_too(tmux: Tmux) -> None:
    """A tmux whose ``source-file -`` is mute is read by argument lists: within the same bounds."""
    tmux.start()
    tmux.run("split-window")
    executor = LocalExecutor(tmux.env)
    assert (await rounds(executor, tmux, by_arguments=True, panes=2)).health.reason is None
    many = await rounds(executor, tmux, by_arguments=True, panes=1)
    assert (many.health.reason, many.failure_message) == (
        "too_large",
        "tmux lists more panes than 1 (targets.max_panes)",
    )
    long = await rounds(executor, tmux, by_arguments=True, answer=64)
    assert long.health.reason == "too_large"
    assert "targets.max_answer" in long.failure_message
    await executor.close()


async def test_a_long_reply_is_read_beside_the_daemon_not_in_its_way(
    tmux: Tmux, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmux.start()
    read_by: list[threading.Thread] = []
    parse = tmux_round.Replies.parse

    def noted(self: tmux_round.Replies, *text: Any) -> Any:
        read_by.append(threading.current_thread())
        return parse(self, *text)

    monkeypatch.setattr(tmux_round.Replies, "parse", noted)
    executor = LocalExecutor(tmux.env)
    await rounds(executor, tmux)
    padded = program(short_dir / "bin" / "tmux", f'#!/bin/sh\ntmux "$@"\nhead -c {OFF_LOOP} /dev/zero\n')
    argv = [str(padded), *tmux_argv("tmux", str(tmux.socket))[1:]]
    await Observer("t", executor, lambda: argv, discover([]), Sink(), Clock(), local=False).once()
    assert [thread is threading.main_thread() for thread in read_by] == [True, False]
    await executor.close()


async def test_of_a_spool_without_end_no_more_is_fetched_than_is_allowed_and_nothing_is_lost(
    new_sshd: Make, reach: Reach, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_fetch, "PIECE", 4096)
    monkeypatch.setattr(spool_fetch, "BURST", 20_000)
    name, now = "0123456789abcdef", [0.0]
    taken: list[int] = []
    state = new_sshd("vm1").home / ".local" / "state" / "agtmux-remote"
    state.mkdir(parents=True)
    (state / f"{name}.spool.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(500)))

    async def take(events: list[dict[str, Any]]) -> None:
        taken.extend(event["n"] for event in events)

    connection, _ = open_database(str(tmp_path / "a.db"))
    store = Store(connection)
    store.start()
    try:
        far = RemoteSpool("ssh:vm1", name, reach("vm1"), store, take, ByteBudget(1000.0, lambda: now[0]))
        await far.drain()
        assert far.waits
        assert 0 < len(taken) < 500
        before = len(taken)
        await far.drain()
        assert (far.waits, len(taken)) == (True, before), "not before its time"
        for _ in range(40):
            now[0] += 20.0
            await far.drain()
        assert (far.waits, taken) == (False, list(range(500)))
    finally:
        store.close()


# ---------------------------------------------------------------- lies


async def test_numbers_that_no_system_gives_are_no_process_and_no_clock(
    new_sshd: Make, reach: Reach, short_dir: Path
) -> None:
    line = "(x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0"
    absurd = "9" * 40
    lies = (
        f"read -r m; printf '%sL\\n/home/x\\n{absurd} 1\\n\\n\\n%s' $m $m\n"
        f"echo '7 {line} 100 0 0'; echo '{absurd} {line} 100 0 0'; echo '8 {line} {absurd}{absurd} 0 0'\n"
        f"echo '9 (x) S {absurd} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0'\n"
        "printf '%s%se' $m $m"
    )
    lying(new_sshd, short_dir, sh=lies)
    executor = reach("vm1")
    assert [proc.pid for proc in await executor.process_table()] == [7]
    assert (await executor.machine()).booted_at is None


@pytest.mark.parametrize(
    "lies", ["printf '%s5%sA=1%se' $m $m $m", "printf '%sx%sy%sz%se' $m $m $m $m", "printf '%se' $m", "true"]
)
async def test_an_answer_of_another_shape_is_a_failed_read_and_no_crash(
    new_sshd: Make, reach: Reach, short_dir: Path, lies: str
) -> None:
    lying(new_sshd, short_dir, sh=f"read -r m; {lies}")
    executor = reach("vm1")
    with pytest.raises(ExecutorError) as caught:
        await executor.process_table()
    assert caught.value.reason == "lost"
    assert not await learnt(executor.read_files(["/a"]))
    assert not await learnt(executor.environs([(5, "1")], ["A"]))


async def learnt(read: Awaitable[T]) -> T | None:
    """What a read brought; nothing where it failed as a read that proves nothing."""
    try:
        return await read
    except ExecutorError as error:
        assert error.reason in {"lost", "refused"}
        return None


def test_an_exit_status_without_end_is_kept_short() -> None:
    answer = Answer("agtnonce", 100, main=True)
    answer.feed(b"agtnonceb out agtnoncee")
    for _ in range(100):
        answer.feed(b"1" * 100_000)
    assert answer.complete
    assert answer.status == "1" * 16


# ---------------------------------------------------------------- never letting go


class _Holds(asyncssh.SSHServerSession[bytes]):
    """A session that answers nothing."""

    def exec_requested(self, command: str) -> bool:
        return True


class _Server(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False

    def session_requested(self) -> Any:
        return _Holds()


@pytest.fixture
async def holding(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A server that never says that it closed a channel. No OpenSSH can be made to do that."""
    monkeypatch.setattr(SSHServerChannel, "_close_send", lambda _channel: None)
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(_Server, "127.0.0.1", 0, server_host_keys=[key], encoding=None)
    port = server.get_port()
    keys.host("holds", port)
    keys.know(port, key.export_public_key().decode().strip())
    yield
    server.close()
    await server.wait_closed()


async def test_channels_that_are_never_closed_end_with_their_connection(holding: None, reach: Reach) -> None:
    executor = reach("holds")
    for _ in range(ABANDONED_MOST + 2):
        with pytest.raises(ExecutorError) as caught:
            await executor.run(["true"], timeout=0.3)
        assert caught.value.reason == "timeout"
    assert executor.link.connects == 2
