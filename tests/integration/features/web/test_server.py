"""What a browser, another page, a hostile and a slow program get from the page's server: plain HTTP, real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api import parsing
from agtmuxd.api.route import WebScope
from agtmuxd.features.web import server as servers
from agtmuxd.features.web.routes import ROUTES
from agtmuxd.features.web.server import CONNECTIONS, HEADERS, bind
from tests.fake_services import eventually
from tests.route_tables import ROUTES as ALL_ROUTES
from tests.rows import pane
from tests.web_page import web_page

SECURITY = pytest.mark.tc("TC-292")
SERVED = [route for route in ALL_ROUTES if route.web is not None]
ACTION = {"request_ref": "request-1", "ref": "pane:host/work/%251", "if_runtime": "r" * 16, "text": "x"}


def names(route: Any) -> str:
    return f"{route.method} {route.path}"


@SECURITY
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "0.0.0.0", ""])
@pytest.mark.parametrize("path", ["/", "/app.js", "/v1/panes", "/v1/nothing"])
async def test_another_host_gets_nothing_not_even_the_page(short_dir: Path, path: str, host: str) -> None:
    async with web_page(short_dir) as up:
        token = await up.token()
        lines = (f"GET {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}", "Connection: close", "", "")
        answer = await up.raw("\r\n".join(lines).encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 ")
    assert json.loads(body)["error"]["details"] == {"reason": "host"}
    assert b"doctype" not in answer


@SECURITY
async def test_a_page_of_another_origin_reads_and_changes_nothing(short_dir: Path) -> None:
    """Even with a token, which it cannot have: it lies in the storage of the page's own origin."""
    async with web_page(short_dir) as up:
        token = await up.token()
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):
            for method, path in (("GET", "/v1/panes"), ("POST", "/v1/actions/ack"), ("OPTIONS", "/v1/actions/ack")):
                status, head, body = await up.call(method, path, token=token, body=ACTION, **headers)
                assert (status, body["error"]["code"]) == (403, "E_FORBIDDEN"), (headers, method)
                assert not [name for name in head if name.lower().startswith("access-control-")]
        assert up.services.acted == []


@SECURITY
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_what_a_form_can_send_changes_nothing(short_dir: Path, kind: str) -> None:
    async with web_page(short_dir) as up:
        token = await up.token()
        status, _, body = await up.call("POST", "/v1/actions/ack", token=token, body=ACTION, Content_Type=kind)
        assert (status, body["error"]["code"]) == (400, "E_INVALID_REQUEST")
        status, _, _ = await up.call("POST", "/v1/web/devices", body={"code": await up.code()}, Content_Type=kind)
        assert status == 400
        assert (up.services.acted, [one["name"] for one in await up.page.devices()]) == ([], ["browser"])


@SECURITY
@pytest.mark.parametrize("route", SERVED, ids=names)
async def test_each_route_needs_its_scope_and_a_token(short_dir: Path, route: Any) -> None:
    """A device of a narrower scope is refused before its request is read, and so is a request without a token."""
    async with web_page(short_dir) as up:
        path = route.path.replace("{ref}", "%251").replace("/v1/watch", "/v1/watch?once=true")
        sent = b"no JSON" if route.method == "POST" else None
        status, head, _ = await up.call(route.method, path, body=sent)
        assert status == (400 if route.web is WebScope.OWN else 401)
        assert ("WWW-Authenticate" in head) is (status == 401)
        for scope in ("observe", "act", "all"):
            token = await up.token(scope, scope)
            status, _, answer = await up.call(route.method, path, token=token, body=sent)
            if route.web is WebScope.OWN or WebScope(scope).allows(route.web):
                assert status not in (401, 403, 429), scope
            else:
                assert (status, answer["error"]["details"]["reason"]) == (403, "scope"), scope
        assert up.services.acted == []


@SECURITY
@pytest.mark.parametrize(
    "route", [route for route in ALL_ROUTES if route.web is None and "/web" not in route.path], ids=names
)
async def test_no_other_route_of_the_daemon_is_reached(short_dir: Path, route: Any) -> None:
    async with web_page(short_dir) as up:
        token = await up.token(None, "all")
        path = route.path.replace("{ref}", "%251").replace("{name}", "host")
        body: Any = {} if route.method != "GET" else None
        status, _, answer = await up.call(route.method, path, token=token, body=body)
        assert (status, answer["error"]["code"]) == (400, "E_INVALID_REQUEST")
        assert "not part of the web page" in answer["error"]["message"]
        assert not up.services.stopped


@SECURITY
async def test_a_linked_device_manages_no_devices_and_no_server(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        token = await up.token(None, "all")
        for route in (route for route in ROUTES if route.web is None):
            path = route.path.replace("{name}", "browser")
            status, _, _ = await up.call(route.method, path, token=token, body={})
            assert status == 400, route.path
        assert [one["name"] for one in await up.page.devices()] == ["browser"]
        assert (await up.page.status())["listening"]


@SECURITY
async def test_every_answer_has_the_security_headers_also_an_error_and_what_is_no_http(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        token = await up.token()
        for path, cache in (
            ("/", "no-cache"),
            ("/v1/panes", "no-store"),
            ("/x", "no-store"),
            ("/v1/watch?once=true", "no-store"),
        ):
            _, head, _ = await up.call("GET", path, token=token)
            assert {name: head[name] for name in HEADERS} == HEADERS
            assert head["Cache-Control"] == cache
            assert "Set-Cookie" not in head
        broken = await up.raw(b"GET / HTTP/9.9\r\n\r\n")
        assert all(f"{name}: {value}".encode() in broken for name, value in HEADERS.items())
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy


@SECURITY
@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/static/app.js",
     "/app.js/..", "/app.js%00.png", "/index.html", "/.git/config", "/model.py", "/static/", "\\..\\x", "/%"],
)  # fmt: skip
async def test_no_path_leads_to_another_file(short_dir: Path, path: str) -> None:
    async with web_page(short_dir) as up:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{up.port}\r\nConnection: close\r\n\r\n"
        answer = await up.raw(request.encode())
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")), answer[:80]
    assert b"root:" not in answer and b"doctype" not in answer


@SECURITY
async def test_five_bad_tokens_a_minute_are_answered_and_good_devices_are_never_locked_out(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        token, code = await up.token("good"), await up.code("other")
        codes = [(await up.call("GET", "/v1/panes", token=f"bad-{n}"))[0] for n in range(5)]
        status, head, body = await up.call("GET", "/v1/panes", token="bad-6")
        assert (codes, status, body["error"]["code"]) == ([401] * 5, 429, "E_RATE_LIMITED")
        assert head["Retry-After"] == "60"
        assert (await up.call("POST", "/v1/web/devices", body={"code": "bad"}))[0] == 429
        assert (await up.call("GET", "/v1/panes", token=token))[0] == 200
        assert (await up.call("POST", "/v1/web/devices", body={"code": code}))[0] == 200
        up.forward(60)
        assert (await up.call("GET", "/v1/panes", token="bad-7"))[0] == 401
        assert up.page.health().counters["bad_attempts"] == 8


@SECURITY
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic {token}", "{token}", "bearer  {token} "])
async def test_a_token_counts_only_as_a_bearer(short_dir: Path, header: str) -> None:
    async with web_page(short_dir) as up:
        token = await up.token()
        status, _, _ = await up.call("GET", "/v1/panes", Authorization=header.replace("{token}", token))
        assert status == (200 if header.startswith("bearer") else 401)
        assert (await up.call("GET", f"/v1/panes?token={token}&access_token={token}"))[0] == 401
        assert (await up.call("GET", "/v1/panes", Cookie=f"token={token}"))[0] == 401


@SECURITY
async def test_a_revoked_device_loses_its_stream_at_once_and_others_keep_theirs(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        streams = {}
        for name in ("one", "two"):
            token = await up.token(name)
            streams[name] = await up.client.get(f"{up.url}/v1/watch", headers={"Authorization": f"Bearer {token}"})
            await streams[name].content.readline()
        assert [one["connected"] for one in await up.page.devices()] == [True, True]
        await up.page.revoke("one")
        with pytest.raises(aiohttp.ClientError):
            async with asyncio.timeout(5):
                await streams["one"].content.readline()
        await eventually(lambda: up.services.hub.watchers == 1)
        up.services.show(pane("%1", state="running"))
        async with asyncio.timeout(5):
            assert json.loads(await streams["two"].content.readline())["type"] == "delta"
        for stream in streams.values():
            stream.close()


@SECURITY
async def test_a_body_that_is_too_big_or_too_slow_is_refused(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with web_page(short_dir) as up:
        token = await up.token()
        head = (
            "POST /v1/web/devices HTTP/1.1", f"Host: 127.0.0.1:{up.port}", "Content-Type: application/json",
            f"Authorization: Bearer {token}", "Connection: close", "Content-Length: %d", "", "{",
        )  # fmt: skip
        text = "\r\n".join(head)
        assert b"E_PAYLOAD_TOO_LARGE" in await up.first((text % (parsing.MAX_BODY + 2)).encode())
        monkeypatch.setattr(parsing, "BODY_SECONDS", 0.2)
        assert b"did not arrive within" in await up.first((text % 100).encode())


@SECURITY
async def test_a_connection_that_sends_no_whole_request_is_closed(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "IDLE_SECONDS", 0.3)
    async with web_page(short_dir) as up:
        for start in (b"", b"GET / HTT", f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{up.port}\r\nX: ".encode()):
            assert await up.raw(start) == b""
        assert (await up.call("GET", "/"))[0] == 200


@SECURITY
async def test_many_connections_do_not_keep_a_browser_out(short_dir: Path) -> None:
    """Idle ones make room; past the limit a new one is closed, and the daemon goes on."""
    async with web_page(short_dir) as up:
        token = await up.token()
        idle = [await asyncio.open_connection("127.0.0.1", up.port) for _ in range(CONNECTIONS + 20)]
        await eventually(lambda: up.page.health().counters.get("connections_refused"))
        assert up.page.health().counters["connections"] == CONNECTIONS
        async with asyncio.timeout(10):
            while True:
                try:
                    assert (await up.call("GET", "/v1/panes", token=token))[0] == 200
                    break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)  # those that opened a moment ago are not closed yet
        for _, writer in idle:
            writer.close()


@SECURITY
def test_it_listens_on_the_loopback_interface_and_nowhere_else() -> None:
    sockets = bind(0)
    try:
        assert {one.getsockname()[0] for one in sockets} <= {"127.0.0.1", "::1"}
        assert len({one.getsockname()[1] for one in sockets}) == 1
    finally:
        for one in sockets:
            one.close()


@SECURITY
def test_a_port_that_another_program_has_on_one_of_the_addresses_is_not_taken() -> None:
    """Otherwise localhost could lead a browser to that program."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as other:
        try:
            other.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        other.listen()
        with pytest.raises(AgtmuxError) as caught:
            bind(other.getsockname()[1])
        assert caught.value.details["reason"] == "port"


@pytest.mark.tc("TC-293")
async def test_the_stream_is_the_same_as_on_the_daemons_socket_also_as_events(short_dir: Path) -> None:
    """``Last-Event-ID`` goes on where an event stream ended, as ``cursor`` does."""
    async with web_page(short_dir) as up:
        token = await up.token()
        told: list[tuple[str, bytes]] = []
        for accept in ("*/*", "text/event-stream"):
            _, head, body = await up.call("GET", "/v1/watch?once=true", token=token, Accept=accept)
            told.append((head["Content-Type"], body))
        (lines, line), (events, event) = told
        assert (lines, events) == ("application/x-ndjson", "text/event-stream")
        number, data, end = event.split(b"\n", 2)
        assert end == b"\n"
        cursor = json.loads(line)["cursor"]
        assert number == f"id: {cursor}".encode()
        assert json.loads(data.removeprefix(b"data: "))["items"] == json.loads(line)["items"]
        up.services.show(pane("%1", state="running"))
        headers = {"Accept": "text/event-stream", "Last_Event_ID": cursor}
        _, _, rest = await up.call("GET", "/v1/watch?once=true", token=token, **headers)
        assert json.loads(rest.split(b"data: ")[1])["type"] == "delta"
