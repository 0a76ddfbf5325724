"""Who may connect."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from agtmuxd.api.peer import Peer, peer_of
from tests.fake_services import EVENT, FakeServices, serving


def test_the_kernel_names_the_peer() -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with one, other:
        assert peer_of(one) == Peer(os.getuid(), os.getpid())


@pytest.mark.tc("TC-110")
async def test_the_owner_is_let_in(short_dir: Path) -> None:
    async with serving(short_dir, FakeServices()) as api:
        assert (await api.get("/v1/health"))["status"] == "ok"


def _nameless(_sock: socket.socket) -> Peer:
    raise OSError("no credentials")


@pytest.mark.tc("TC-110")
@pytest.mark.parametrize(
    "ask",
    [lambda _sock: Peer(os.getuid() + 1, 1), lambda _sock: Peer(0 if os.getuid() else 1, None), _nameless],
    ids=["another", "root-or-daemon", "nameless"],
)
async def test_another_uid_is_refused_before_anything_is_read(
    short_dir: Path, ask: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = FakeServices()
    async with serving(short_dir, services, ask_peer=ask) as api:
        body = str(EVENT).encode()
        reader, writer = await asyncio.open_unix_connection(str(api.path))
        async with asyncio.timeout(10):
            answer = await reader.read()  # comes without a request
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b'"E_FORBIDDEN"' in answer
        writer.write(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert services.ingested == []


@pytest.mark.tc("TC-110")
async def test_a_daemon_of_another_owner_does_not_serve_this_one(short_dir: Path) -> None:
    async with serving(short_dir, FakeServices(), owner=os.getuid() + 1) as api:
        answer = await api.call("GET", "/v1/health", 403)
        assert answer["error"]["code"] == "E_FORBIDDEN"
