"""A new connection, step by step: what each step says when it fails."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh.executor import SshExecutor
from tests.ssh.reaching import ALL, refused
from tests.ssh.sshd import Keys
from tests.ssh.test_connection import PATIENCE, Make, Reach

pytestmark = pytest.mark.tc("TC-014")


async def test_every_step_of_the_way_is_told_when_all_is_well(new_sshd: Make, reach: Reach) -> None:
    server = new_sshd("vm1")
    executor = reach("vm1")
    steps = await executor.dial_steps()
    assert [(s["step"], s["ok"]) for s in steps] == [(name, True) for name in ALL]
    assert str(server.port) in steps[1]["message"]
    assert (await executor.run(["true"], timeout=PATIENCE)).returncode == 0


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
