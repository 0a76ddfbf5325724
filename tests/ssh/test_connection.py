"""Reaching a machine: strict, silent, bounded in time, and told step by step what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh import ssh_config
from agtmuxd.targets.ssh.executor import SshExecutor
from tests.conftest import until
from tests.ssh.sshd import Sshd

pytestmark = pytest.mark.tc("TC-014")

Make = Callable[..., Sshd]
Reach = Callable[..., SshExecutor]
PATIENCE = 30.0


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
