"""Host keys: an unknown one and a changed one are refused, whatever the config says."""

from __future__ import annotations

import pytest

from agtmuxd.targets.executor import ExecutorError
from tests.ssh.reaching import refused
from tests.ssh.sshd import Keys
from tests.ssh.test_connection import PATIENCE, Make, Reach

pytestmark = pytest.mark.tc("TC-014")


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
