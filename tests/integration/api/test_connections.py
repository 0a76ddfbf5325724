"""How many may talk to the daemon at once, and what is said to bytes that are no request."""

from __future__ import annotations

import asyncio
import json
import os
import resource
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from agtmuxd.api import connections as connection
from agtmuxd.api import parsing
from agtmuxd.api.connections import Connections, affordable
from agtmuxd.remote_hooks.listener import EventListener
from tests.fake_services import EVENT, Api, FakeServices, eventually, serving
from tests.rows import pane

GET = b"GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST /v1/events HTTP/1.1\r\nHost: x\r\n"

GARBAGE = {
    "nul": b"GET /v1/\0\0 HTTP/1.1\r\n\r\n",
    "tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "a word": b"hello\r\n\r\n",
    "no host": b"GET /v1/health HTTP/1.1\r\n\r\n",
    "another version": b"GET /v1/health HTTP/9.9\r\nHost: x\r\n\r\n",
    "http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a long header": b"GET /v1/health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: a\r\n" % n for n in range(1000)) + b"\r\n",
    "a long line": b"GET /v1/" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header with nul": b"GET /v1/health HTTP/1.1\r\nHost: x\r\nA\0B: \x1b[2J\r\n\r\n",
    "a bad url": b"GET http://[::1/v1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bad chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nfoo\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
    "a negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
}


@pytest.fixture
def log() -> LogCapture:
    return LogCapture()


@asynccontextmanager
async def served(folder: Path, most: int = 64) -> AsyncIterator[tuple[Api, Counter[str], LogCapture]]:
    counts: Counter[str] = Counter()
    log = LogCapture()
    logger = structlog.wrap_logger(None, processors=[log])

    def count(what: str) -> None:
        counts[what] += 1

    connections = Connections(most, count, setting="api.connections", log=logger)
    async with serving(folder, FakeServices(pane("%1")), connections=connections, log=logger) as api:
        yield api, counts, log


async def ask(path: Path, *pieces: bytes, eof: bool = False) -> tuple[int, dict[str, Any]]:
    """The status and the body of the answer to these bytes."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if eof:
            writer.write_eof()
        async with asyncio.timeout(30):
            answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.tc("TC-202")
@pytest.mark.parametrize("kind", GARBAGE)
async def test_what_is_no_request_gets_the_envelope_and_one_line_in_the_log(short_dir: Path, kind: str) -> None:
    async with served(short_dir) as (api, counts, log):
        status, body = await ask(api.path, GARBAGE[kind])
        assert (status, body["error"]["code"]) == (400, "E_INVALID_REQUEST")
        assert body["error"]["message"].isprintable()
        assert counts == {"requests_malformed": 1}
        (line,) = log.entries
        assert str(line["event"]).startswith("request refused")
        assert not {"exc_info", "exception", "trace", "stack"} & set(line)
        assert all(isinstance(value, int) or str(value).isprintable() for value in line.values())
        assert (await api.get("/v1/health"))["status"] == "ok"


@pytest.mark.tc("TC-202")
async def test_a_flood_of_garbage_is_counted_and_told_once(short_dir: Path) -> None:
    async with served(short_dir) as (api, counts, log):
        for _ in range(50):
            await ask(api.path, GARBAGE["nul"])
        assert counts["requests_malformed"] == 50
        assert len(log.entries) == 1


@pytest.mark.tc("TC-202")
@pytest.mark.parametrize(
    ("pieces", "malformed"),
    [
        ([b"GET /v1/hea"], False),
        ([POST + b"Content-Length: 100\r\n\r\n", b"{"], True),
        ([POST + b"Transfer-Encoding: chunked\r\n\r\n", b"30\r\n{"], True),
    ],
    ids=["head", "body", "chunk"],
)
async def test_half_a_request_whose_sender_leaves_is_no_error_of_the_daemon(
    short_dir: Path, pieces: list[bytes], malformed: bool
) -> None:
    async with served(short_dir) as (api, counts, log):
        _reader, writer = await asyncio.open_unix_connection(str(api.path))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if malformed:
            await eventually(lambda: api.server.writing)
        writer.close()
        await writer.wait_closed()
        await eventually(lambda: counts["requests_malformed"] == malformed)
        await api.get("/v1/health")
        assert [line["event"] for line in log.entries if line["event"] == "request failed"] == []
        assert len(log.entries) == malformed
        assert api.services.ingested == []


@pytest.mark.tc("TC-202")
async def test_a_chunk_that_turns_out_bad_later_is_refused_too(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "BODY_SECONDS", 1.0)
    async with served(short_dir) as (api, counts, log):
        reader, writer = await asyncio.open_unix_connection(str(api.path))
        writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\n{  \r\n")
        await writer.drain()
        await eventually(lambda: api.server.writing)
        writer.write(b"zz\r\n")
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b'"E_INVALID_REQUEST"' in answer
        assert counts["requests_malformed"] == 1
        assert "request failed" not in [line["event"] for line in log.entries]


@pytest.mark.tc("TC-202")
@pytest.mark.parametrize(
    "headers",
    [b"Content-Type: text/plain", b"Content-Type: multipart/form-data; boundary=", b"Content-Type: \x80\xff",
     b"Content-Encoding: gzip", b"Content-Encoding: nonsense"],
)  # fmt: skip
async def test_only_the_body_itself_says_what_it_is(short_dir: Path, headers: bytes) -> None:
    async with served(short_dir) as (api, _, log):
        good = json.dumps(EVENT).encode()
        head = POST + b"Connection: close\r\n" + headers + b"\r\n"
        status, _body = await ask(api.path, head + b"Content-Length: %d\r\n\r\n" % len(good) + good)
        assert status == 200
        status, body = await ask(api.path, head + b"Content-Length: 3\r\n\r\nabc")
        assert (status, body["error"]["code"]) == (400, "E_INVALID_REQUEST")
        assert log.entries == []


@pytest.mark.tc("TC-202")
async def test_a_caller_that_asks_first_is_answered_by_the_rules(short_dir: Path) -> None:
    async with served(short_dir) as (api, _, _log):
        status, body = await ask(
            api.path, POST + b"Connection: close\r\nContent-Length: 3\r\nExpect: a miracle\r\n\r\n"
        )
        assert (status, body["error"]["code"]) == (400, "E_INVALID_REQUEST")
        good = json.dumps(EVENT).encode()
        reader, writer = await asyncio.open_unix_connection(str(api.path))
        writer.write(POST + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(good))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(good)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.close()


@pytest.mark.tc("TC-203")
async def test_one_connection_too_many_is_refused_with_a_clear_error(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "YOUNG", 600.0)
    async with served(short_dir, most=3) as (api, counts, log):
        held = [await asyncio.open_unix_connection(str(api.path)) for _ in range(3)]
        status, body = await ask(api.path, GET)
        assert (status, body["error"]["code"], body["error"]["retryable"]) == (503, "E_OVERLOADED", True)
        assert "3 connections are open, which is the limit (api.connections)" in body["error"]["message"]
        assert counts["connections_refused"] == 1
        assert len(log.entries) == 1
        held[0][1].close()
        await held[0][1].wait_closed()
        await eventually(lambda: len(api.server._connections.open) < 3)
        assert (await ask(api.path, GET))[0] == 200
        for _, writer in held:
            writer.close()


@pytest.mark.tc("TC-203")
async def test_those_who_ask_nothing_make_room_for_those_who_do(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a head is nothing; a stream that is read and a request that is in work are something."""
    monkeypatch.setattr(connection, "YOUNG", 0.0)
    async with served(short_dir, most=4) as (api, counts, _log):
        watcher, watching = await asyncio.open_unix_connection(str(api.path))
        watching.write(b"GET /v1/watch HTTP/1.1\r\nHost: x\r\n\r\n")
        await watcher.readuntil(b"\r\n\r\n")
        api.services.gate.clear()
        body = json.dumps(EVENT).encode()
        poster, posting = await asyncio.open_unix_connection(str(api.path))
        posting.write(POST + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        await eventually(lambda: api.server.writing)
        slow = []
        for _ in range(2):
            slow.append(await asyncio.open_unix_connection(str(api.path)))
            slow[-1][1].write(b"GET /v1/he")
        for _ in range(3):
            assert (await ask(api.path, GET))[0] == 200
        assert counts["connections_closed"] >= 1
        assert counts["connections_refused"] == 0
        async with asyncio.timeout(30):
            assert await slow[0][0].read() == b""  # the oldest of the slow ones went
        api.services.gate.set()
        assert (await poster.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert not watcher.at_eof()
        for writer in (watching, posting, *(writer for _, writer in slow)):
            writer.close()


@pytest.mark.tc("TC-203")
async def test_a_reader_that_takes_nothing_of_an_answer_is_closed_but_a_watcher_may_rest(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.3)
    async with served(short_dir) as (api, counts, _log):
        api.services.show(*(pane(f"%{n}", title="x" * 400) for n in range(3000)))
        connections = api.server._connections
        reader, writer = await asyncio.open_unix_connection(str(api.path), limit=1024)
        writer.write(b"GET /v1/panes HTTP/1.1\r\nHost: x\r\n\r\n")
        watcher, watching = await asyncio.open_unix_connection(str(api.path), limit=1024)
        watching.write(b"GET /v1/watch HTTP/1.1\r\nHost: x\r\n\r\n")
        await eventually(lambda: counts["connections_closed"] == 1)
        await eventually(lambda: [one.rests for one in connections.open] == [True])
        async with asyncio.timeout(30):
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reader.readexactly(1 << 30)
            watched = await watcher.read(1)
        assert watched == b"H"
        writer.close()
        watching.close()


@pytest.mark.tc("TC-203")
async def test_one_watcher_too_many_is_refused_and_others_are_served(short_dir: Path) -> None:
    async with served(short_dir) as (api, _, _log):
        api.services.hub.most = 2
        held = []
        for _ in range(2):
            held.append(await asyncio.open_unix_connection(str(api.path)))
            held[-1][1].write(b"GET /v1/watch HTTP/1.1\r\nHost: x\r\n\r\n")
            await held[-1][0].readuntil(b"\r\n\r\n")
        body = await api.get("/v1/watch", status=503)
        assert body["error"]["code"] == "E_OVERLOADED"
        assert "2 watchers are connected, which is the limit (api.watchers)" in body["error"]["message"]
        assert (await api.get("/v1/panes"))["summary"]["total"] == 1
        for _, writer in held:
            writer.close()
        await eventually(lambda: api.services.hub.watchers == 0)
        async with api.client.get("http://agtmux/v1/watch?once=true") as answer:
            assert answer.status == 200


@pytest.mark.tc("TC-203")
def test_connections_are_told_in_health_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("agtmuxd.api.connections.time.monotonic", lambda: now[0])
    log = structlog.wrap_logger(None, processors=[LogCapture()])
    held = Connections(0, lambda _: None, setting="api.connections", log=log)
    assert held.refusal_note() is None
    assert held.make_room() is not None
    assert "0 were open" in str(held.refusal_note())
    now[0] += connection.FULL_FOR
    assert held.refusal_note() is None


@pytest.mark.tc("TC-203")
def test_connections_leave_files_for_the_daemon_itself() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        assert affordable(512) == 128
        assert affordable(64) == 64
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.tc("TC-202")
@pytest.mark.tc("TC-203")
async def test_the_socket_of_another_machine_has_the_same_bounds(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "YOUNG", 600.0)
    monkeypatch.setattr("agtmuxd.remote_hooks.listener.CONNECTIONS", 2)
    counts: Counter[str] = Counter()

    async def take(_events: object) -> list[dict[str, Any]]:
        return []

    def count(what: str) -> None:
        counts[what] += 1

    listener = EventListener(str(short_dir / "far"), take, lambda: None, count=count)
    await listener.start()
    try:
        for garbage in GARBAGE.values():
            status, body = await ask(short_dir / "far", garbage)
            assert (status, body["error"]["code"]) == (400, "E_INVALID_REQUEST")
        assert counts["requests_malformed"] == len(GARBAGE)
        held = [await asyncio.open_unix_connection(str(short_dir / "far")) for _ in range(2)]
        status, body = await ask(short_dir / "far", GET)
        assert (status, body["error"]["code"]) == (503, "E_OVERLOADED")
        for _, writer in held:
            writer.close()
    finally:
        await listener.stop()


@pytest.mark.tc("TC-200")
async def test_the_socket_of_another_machine_is_bound_again_where_its_folder_was_emptied(short_dir: Path) -> None:
    async def take(_events: object) -> list[dict[str, Any]]:
        return []

    path = short_dir / "far"
    listener = EventListener(str(path), take, lambda: None)
    await listener.start()
    try:
        mark = path.lstat().st_ino
        await listener.look()
        assert path.lstat().st_ino == mark
        path.unlink()
        await listener.look()
        assert (await ask(path, GET))[0] == 403
        assert path.lstat().st_mode & 0o777 == 0o600
    finally:
        await listener.stop()
    assert not os.path.lexists(path)
