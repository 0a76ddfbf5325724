"""The socket of an agent's server: whose it is, and who is connected to it."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agtmuxd.ingest import app_servers as room
from agtmuxd.targets.local import agent_server
from tests.integration.ingest.test_app_servers import Fake, serving, side, terminal

pytestmark = [
    pytest.mark.tc("TC-016"),
    pytest.mark.skipif(not Path("/proc/net/unix").exists(), reason="only Linux tells who is connected to a socket"),
]


@pytest.fixture
def home() -> Iterator[Path]:
    """A configuration folder with a short path: the socket of a server lies below it."""
    with tempfile.TemporaryDirectory(prefix="agt-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LOOK", 0.02)
    monkeypatch.setattr(room, "POLL", 0.25)
    monkeypatch.setattr(room, "BACKOFF", (0.02, 0.2))
    monkeypatch.setattr(agent_server, "PATIENCE", 0.3)


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701])
async def test_a_folder_that_others_may_enter_is_not_reached_into(home: Path, mode: int) -> None:
    async with serving(Fake(home)) as fake, terminal(fake), side(home) as ours:
        (home / "real").chmod(mode)
        await ours.until(lambda: "other users may open" in str(ours.reason))
        await asyncio.sleep(0.1)
        assert fake.met == 0


async def test_another_users_socket_is_not_connected_to(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.getuid()
    async with serving(Fake(home)) as fake, terminal(fake):
        monkeypatch.setattr("agtmuxd.targets.local.agent_server.os.getuid", lambda: own + 1)
        async with side(home) as ours:
            await ours.until(lambda: "another user" in str(ours.reason))
            await asyncio.sleep(0.1)
            assert fake.met == 0


async def test_what_is_no_socket_and_what_is_not_there_is_named(home: Path) -> None:
    async with side(home) as ours:
        await ours.until(lambda: ours.reason == "no server runs")
        (home / "app-server-control").mkdir(mode=0o700)
        (home / "app-server-control" / "app-server-control.sock").write_text("")
        await ours.until(lambda: "is not a socket" in str(ours.reason))


def test_clients_are_counted_by_the_path_that_was_bound(home: Path) -> None:
    path = str(home / "sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        (home / "link").symlink_to(path)
        assert agent_server.clients(path) == 0
        with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
            one.connect(path)
            two.connect(str(home / "link"))
            theirs = [server.accept()[0], server.accept()[0]]
            assert agent_server.clients(path) == agent_server.clients(str(home / "link")) == 2
            for accepted in theirs:
                accepted.close()
        assert agent_server.clients(path + "x") == 0
