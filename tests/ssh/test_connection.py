"""Reaching a machine: strict, silent, bounded in time, and told step by step what is wrong."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh import ssh_config
from agtmuxd.targets.ssh.executor import SshExecutor
from agtmuxd.targets.ssh.ssh_config import hops
from tests.conftest import until
from tests.ssh.sshd import USER, Keys, Sshd

pytestmark = pytest.mark.tc("TC-014")

Make = Callable[..., Sshd]
Reach = Callable[..., SshExecutor]
PATIENCE = 30.0
ALL = ["resolve", "connect", "host key", "auth"]


async def refused(executor: SshExecutor, reason: str, words: str, *, step: str) -> None:
    """A read fails for this reason, and ``connect`` names the step and says the same."""
    with pytest.raises(ExecutorError, match=words) as caught:
        await executor.run(["true"], timeout=PATIENCE)
    assert caught.value.reason == reason
    steps = await executor.dial_steps()
    assert [s["step"] for s in steps] == ALL[: ALL.index(step) + 1]
    assert [s["ok"] for s in steps] == [True] * (len(steps) - 1) + [False]
    assert steps[-1]["message"] == str(caught.value)


async def test_every_step_of_the_way_is_told_when_all_is_well(new_sshd: Make, reach: Reach) -> None:
    server = new_sshd("vm1")
    executor = reach("vm1")
    steps = await executor.dial_steps()
    assert [(s["step"], s["ok"]) for s in steps] == [(name, True) for name in ALL]
    assert str(server.port) in steps[1]["message"]
    assert (await executor.run(["true"], timeout=PATIENCE)).returncode == 0


async def test_an_unknown_host_key_is_refused_whatever_the_config_says(
    new_sshd: Make, reach: Reach, keys: Keys
) -> None:
    server = new_sshd("vm1")
    keys.forget(server.port)
    await refused(
        reach("vm1"), "host_key", r"not known \(ssh-ed25519 SHA256:.*accept it once with: ssh vm1", step="host key"
    )
    keys.config.write_text(f"StrictHostKeyChecking no\nUserKnownHostsFile none\n{keys.config.read_text()}")
    await refused(reach("vm1"), "host_key", "not known", step="host key")


async def test_a_changed_host_key_is_refused_and_called_changed(new_sshd: Make, reach: Reach) -> None:
    server = new_sshd("vm1")
    executor = reach("vm1")
    await executor.run(["true"], timeout=PATIENCE)
    server.kill()
    server.renew_host_key()
    server.start()
    with pytest.raises(ExecutorError):
        while True:  # until it is noticed that the old connection went
            await executor.run(["true"], timeout=PATIENCE)
    await refused(executor, "host_key", "has CHANGED .* ssh-keygen -R", step="host key")


async def test_a_refused_key_is_told_and_nobody_is_asked(new_sshd: Make, reach: Reach) -> None:
    server = new_sshd("vm1", start=False)
    server.authorized.write_text("")
    server.passwords = True
    server.start()
    await refused(reach("vm1"), "auth", "accepts none of your keys.*BatchMode=yes vm1", step="auth")


async def test_nobody_listening_is_told_as_such(new_sshd: Make, reach: Reach) -> None:
    new_sshd("vm1", start=False)
    await refused(reach("vm1"), "refused", r"cannot be reached \(Connection refused\)", step="connect")


async def test_one_that_takes_the_connection_and_says_nothing_is_a_timeout(keys: Keys, reach: Reach) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        keys.host("mute", silent.getsockname()[1])
        await refused(reach("mute", connect_timeout=0.5), "timeout", "sent nothing within 0.5 s", step="host key")


async def test_a_name_that_does_not_resolve_is_told(keys: Keys, reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.config.write_text("Host nowhere\n  HostName nowhere.invalid\n")

    def fails(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    await refused(reach("nowhere"), "refused", "nowhere.invalid cannot be resolved.*HostName", step="resolve")


async def test_a_dead_name_server_holds_up_nobody_else(
    new_sshd: Make, keys: Keys, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_sshd("vm1")
    keys.config.write_text(keys.config.read_text() + "Host stuck*\n  HostName stuck.invalid\n")
    answer, real = threading.Event(), socket.getaddrinfo

    def waits(host: Any, *more: Any, **named: Any) -> Any:
        if host == "stuck.invalid":
            answer.wait(PATIENCE)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure")
        return real(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", waits)
    stuck = [reach(f"stuck{n}", connect_timeout=0.2) for n in range(40)]
    try:
        for _ in range(2):
            results = await asyncio.gather(*(s.run(["true"], timeout=PATIENCE) for s in stuck), return_exceptions=True)
            assert {getattr(error, "reason", None) for error in results} == {"timeout"}
        assert (await reach("vm1").run(["true"], timeout=PATIENCE)).returncode == 0
        assert await asyncio.to_thread(lambda: True), "the threads of everybody are free"
    finally:
        answer.set()


async def test_a_config_that_cannot_be_read_is_told_with_its_line(keys: Keys, reach: Reach) -> None:
    keys.config.write_text("Host vm1\n  Port many\n")
    await refused(reach("vm1"), "refused", "line 2.*Port", step="resolve")


async def test_key_files_that_are_not_there_are_passed_over(new_sshd: Make, keys: Keys, reach: Reach) -> None:
    new_sshd("vm1")
    keys.config.write_text(f"IdentityFile {keys.root}/none\n{keys.config.read_text()}")
    assert (await reach("vm1").run(["true"], timeout=PATIENCE)).returncode == 0


async def test_a_jump_host_leads_on_and_is_named_when_it_does_not(new_sshd: Make, keys: Keys, reach: Reach) -> None:
    first = new_sshd("first")
    inner = new_sshd("inner")
    keys.config.write_text(
        f"Host vm2\n  HostName 127.0.0.1\n  Port {inner.port}\n  ProxyJump first\n"
        + (keys.config.read_text().replace("Host inner", "Host inner vm2"))
    )
    executor = reach("vm2")
    assert (await executor.run(["echo", "there"], timeout=PATIENCE)).stdout == b"there\n"
    assert len(first.sessions()) > 0, "by way of the jump host"
    steps = await executor.dial_steps()
    assert [(s["step"], s["ok"]) for s in steps] == [(name, True) for name in ALL]
    inner.kill()
    await _until_refused(executor, "refused", "the jump host does not reach 127.0.0.1")
    first.kill()
    await _until_refused(executor, "refused", f"127.0.0.1 port {first.port} cannot be reached")


async def _until_refused(executor: SshExecutor, reason: str, words: str) -> None:
    """What it says once the old connection was noticed to be gone."""
    for _ in range(20):
        try:
            await executor.run(["true"], timeout=PATIENCE)
        except ExecutorError as error:
            if error.reason == reason and words in str(error):
                return
    pytest.fail(f"never said: {words}")


async def test_a_proxy_command_leads_there_too(new_sshd: Make, keys: Keys, reach: Reach) -> None:
    new_sshd("first")
    inner = new_sshd("inner")
    command = f"ProxyCommand ssh -F {keys.config} -W 127.0.0.1:{inner.port} first"
    keys.config.write_text(f"Host vm2\n  {command}\n" + keys.config.read_text().replace("Host inner", "Host inner vm2"))
    executor = reach("vm2")
    assert (await executor.run(["echo", "there"], timeout=PATIENCE)).stdout == b"there\n"
    await executor.close()
    commands = [p for p in gc.get_objects() if isinstance(p, subprocess.Popen) and isinstance(p.args, tuple)]
    assert commands
    end = asyncio.get_running_loop().time() + PATIENCE
    while any(p.returncode is None for p in commands):  # ended with the connection, and taken note of
        assert asyncio.get_running_loop().time() < end, "the proxy command lives on"
        await asyncio.sleep(0.01)


def test_the_forms_of_proxy_jump() -> None:
    assert hops(None) == hops("none".replace("none", "")) == []
    assert hops("a,me@b:2200,[::1]:22,u@[fe80::1],::1") == [
        ("a", None, None), ("b", "me", 2200), ("::1", None, 22), ("fe80::1", "u", None), ("::1", None, None)
    ]  # fmt: skip


@pytest.fixture
def agent_socket(keys: Keys) -> Iterator[Path]:
    """An ssh agent with the test's key in it, and only there."""
    path = keys.root / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        until(path.exists, what="the agent listens")
        env = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        subprocess.run(["ssh-add", "-q", str(keys.key)], env=env, check=True, capture_output=True)
        keys.key.unlink()
        yield path
    finally:
        process.terminate()
        process.wait(PATIENCE)


async def test_the_agent_is_used_and_never_forwarded(
    new_sshd: Make, keys: Keys, reach: Reach, agent_socket: Path
) -> None:
    new_sshd("vm1")
    keys.config.write_text(
        "ForwardAgent yes\nIdentitiesOnly no\n"
        + keys.config.read_text().replace("IdentityAgent none", f"IdentityAgent {agent_socket}")
    )
    output = await reach("vm1").run(["sh", "-c", "echo ${SSH_AUTH_SOCK-none}"], timeout=PATIENCE)
    assert output.stdout == b"none\n"


# ---------------------------------------------------------------- while it lasts


async def test_a_dropped_connection_is_lost_and_the_next_read_makes_another(new_sshd: Make, reach: Reach) -> None:
    server = new_sshd("vm1")
    executor = reach("vm1")
    mark = server.home / "began"
    task = asyncio.create_task(executor.run(["sh", "-c", f"touch {mark}; exec sleep 20"], timeout=PATIENCE))
    await asyncio.to_thread(until, mark.exists, what="the program runs")
    await asyncio.to_thread(server.hang_up)
    with pytest.raises(ExecutorError) as caught:
        await task
    assert caught.value.reason == "lost"
    assert (await executor.run(["echo", "again"], timeout=PATIENCE)).stdout == b"again\n"
    assert executor.link.connects == 2


async def test_a_frozen_server_is_a_timeout_and_nothing_hangs_after_it(new_sshd: Make, reach: Reach) -> None:
    server = new_sshd("vm1")
    executor = reach("vm1", connect_timeout=1.0)
    await executor.run(["true"], timeout=PATIENCE)
    server.freeze()
    reasons = []
    for _ in range(3):
        with pytest.raises(ExecutorError) as caught:
            await executor.run(["true"], timeout=1.0)
        reasons.append(caught.value.reason)
    assert set(reasons) == {"timeout"}
    server.thaw()
    executor = reach("vm1")
    assert (await executor.run(["true"], timeout=PATIENCE)).returncode == 0


async def test_keepalives_notice_a_frozen_server(new_sshd: Make, reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_config, "KEEPALIVE", 0.5)
    server = new_sshd("vm1")
    executor = reach("vm1")
    mark = server.home / "began"
    task = asyncio.create_task(executor.run(["sh", "-c", f"touch {mark}; exec sleep 100"], timeout=110))
    await asyncio.to_thread(until, mark.exists, what="the program runs")
    server.freeze()
    with pytest.raises(ExecutorError) as caught:
        await task
    assert caught.value.reason == "lost"
    assert not executor.link.connected


async def test_one_connection_serves_all_who_come_at_once(new_sshd: Make, reach: Reach) -> None:
    server = new_sshd("vm1")
    executor = reach("vm1")
    await asyncio.gather(*(executor.run(["true"], timeout=PATIENCE) for _ in range(10)))
    assert server.log.read_text().count("Accepted publickey") == executor.link.connects == 1


async def test_who_is_closed_connects_no_more(new_sshd: Make, reach: Reach) -> None:
    new_sshd("vm1")
    executor = reach("vm1")
    await executor.run(["true"], timeout=PATIENCE)
    await executor.close()
    await executor.close()
    with pytest.raises(ExecutorError) as caught:
        await executor.run(["true"], timeout=PATIENCE)
    assert caught.value.reason == "lost"


async def test_what_a_config_makes_of_a_session_is_left_alone(new_sshd: Make, keys: Keys, reach: Reach) -> None:
    """Commands, terminals, forwardings and variables of the user's config are for the user's own sessions."""
    server = new_sshd("vm1", start=False)
    ran = keys.root / "ran"
    port, server.keys.config = server.port, keys.config
    keys.config.write_text(
        "RemoteCommand echo no\nRequestTTY force\nPermitLocalCommand yes\n"
        f"LocalCommand touch {ran}-local\nSetEnv TMUX=/tmp/other,1,0\nForwardAgent yes\nForwardX11 yes\n"
        f"LocalForward {_unused_port()} localhost:1\nExitOnForwardFailure yes\nControlMaster auto\n"
        f"ControlPath {keys.root}/control-%r\nStrictHostKeyChecking no\nBatchMode no\nEscapeChar none\nStdinNull yes\n"
        f'Match host vm1 exec "touch {ran}-exec; true"\n  HostName 127.0.0.1\n'
        f'Match exec "false"\n  HostName 192.0.2.1\n  Port 1\n'
        f"Match originalhost vm1\n  Port {port}\n  User {USER}\n  IdentityFile {keys.key}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {keys.known_hosts}\n"
    )
    await asyncio.to_thread(server.start)
    executor = reach("vm1")
    output = await executor.run(
        ["sh", "-c", 'echo "${TMUX-none} ${SSH_AUTH_SOCK-none} ${DISPLAY-none}"; tty'], timeout=20
    )
    assert output.stdout == b"none none none\nnot a tty\n"
    assert Path(f"{ran}-exec").exists(), "Match exec is asked, as ssh does"
    assert sorted(path.name for path in keys.root.glob("ran*")) == ["ran-exec"]
    assert list(keys.root.glob("control*")) == []


def _unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
