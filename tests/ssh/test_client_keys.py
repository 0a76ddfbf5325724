"""Keys that agtmux offers: from files and from the agent, and what happens if none is accepted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import until
from tests.ssh.reaching import refused
from tests.ssh.sshd import Keys
from tests.ssh.test_connection import PATIENCE, Make, Reach

pytestmark = pytest.mark.tc("TC-014")


async def test_a_refused_key_is_told_and_nobody_is_asked(new_sshd: Make, reach: Reach) -> None:
    server = new_sshd("vm1", start=False)
    server.authorized.write_text("")
    server.passwords = True
    server.start()
    await refused(reach("vm1"), "auth", "accepts none of your keys.*BatchMode=yes vm1", step="auth")


async def test_key_files_that_are_not_there_are_passed_over(new_sshd: Make, keys: Keys, reach: Reach) -> None:
    new_sshd("vm1")
    keys.config.write_text(f"IdentityFile {keys.root}/none\n{keys.config.read_text()}")
    assert (await reach("vm1").run(["true"], timeout=PATIENCE)).returncode == 0


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
