"""A ProxyCommand leads to a machine."""

from __future__ import annotations

import asyncio
import gc
import subprocess

import pytest

from tests.ssh.sshd import Keys
from tests.ssh.test_connection import PATIENCE, Make, Reach

pytestmark = pytest.mark.tc("TC-014")


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
