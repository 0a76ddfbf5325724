"""What the ssh config decides about a connection."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from agtmuxd.targets.ssh.ssh_config import hops
from tests.ssh.reaching import refused
from tests.ssh.sshd import USER, Keys
from tests.ssh.test_connection import Make, Reach

pytestmark = pytest.mark.tc("TC-014")


async def test_a_config_that_cannot_be_read_is_told_with_its_line(keys: Keys, reach: Reach) -> None:
    keys.config.write_text("Host vm1\n  Port many\n")
    await refused(reach("vm1"), "refused", "line 2.*Port", step="resolve")


def test_the_forms_of_proxy_jump() -> None:
    assert hops(None) == hops("none".replace("none", "")) == []
    assert hops("a,me@b:2200,[::1]:22,u@[fe80::1],::1") == [
        ("a", None, None), ("b", "me", 2200), ("::1", None, 22), ("fe80::1", "u", None), ("::1", None, None)
    ]  # fmt: skip


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
