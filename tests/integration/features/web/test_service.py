"""On and off, links and devices: what survives a restart, what is used up, and what is told when a port is gone."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.route import WebScope
from agtmuxd.config import WebSettings
from agtmuxd.features.web import service as services
from agtmuxd.features.web.model import MOST_DEVICES
from tests.fake_services import eventually
from tests.web_page import Page, web_page

pytestmark = pytest.mark.tc("TC-291")


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


async def test_it_listens_only_after_on_and_no_longer_after_off(short_dir: Path) -> None:
    async with web_page(short_dir, on=False) as up:
        assert await up.page.status() == {
            "on": False, "listening": False, "port": None, "urls": [], "devices": 0, "problem": None, "moved": False,
        }  # fmt: skip
        await up.on()
        assert listens(up.port)
        assert (await up.page.on())["port"] == up.port, "on twice is on once"
        await up.page.off()
        assert not listens(up.port)
        with pytest.raises(AgtmuxError) as caught:
            await up.page.link(None, WebScope.ACT)
        assert (caught.value.code, caught.value.details) == ("E_PRECONDITION_FAILED", {"reason": "off"})


async def test_a_restart_keeps_the_state_the_port_and_the_devices(short_dir: Path) -> None:
    """The browser keeps its token by the page's address, so the port stays the same."""
    async with web_page(short_dir) as up:
        token, port = await up.token("phone", "observe"), up.port
        await up.call("GET", "/v1/panes", token=token)
    assert not listens(port)
    async with web_page(short_dir, on=False) as up:
        await eventually(lambda: listens(port))
        up.port = port
        assert (await up.call("GET", "/v1/panes", token=token))[0] == 200
        (device,) = await up.page.devices()
        assert (device["name"], device["scope"], device["seen_at"] is not None) == ("phone", "observe", True)
        await up.page.off()
    async with web_page(short_dir, on=False) as up:
        assert not (await up.page.status())["on"]
        await up.on()
        assert up.port == port


async def test_a_port_that_is_taken_after_a_restart_is_told_and_taken_back_later(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "TRY_EVERY", 0.05)
    async with web_page(short_dir) as up:
        token, port = await up.token(), up.port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        async with web_page(short_dir, on=False) as up:
            await eventually(lambda: up.page.health().problems)
            assert f"port {port} of this machine is in use" in up.page.health().problems[0]
            assert (await up.page.status())["listening"] is False
            other.close()
            await eventually(lambda: not up.page.health().problems)
            up.port = port
            assert (await up.call("GET", "/v1/panes", token=token))[0] == 200


async def test_on_takes_another_port_if_the_old_one_is_gone_and_says_so(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        await up.token()
        port = up.port
        await up.page.off()
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
            told = await up.page.on()
        assert told["moved"] and told["port"] != port


async def test_a_configured_port_that_is_taken_is_refused(short_dir: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        async with web_page(short_dir, port=other.getsockname()[1], on=False) as up:
            with pytest.raises(AgtmuxError) as caught:
                await up.on()
            assert "web.port" in caught.value.message
            assert not (await up.page.status())["on"]


async def exchanged(up: Page, code: str) -> tuple[int, str]:
    status, _, body = await up.call("POST", "/v1/web/devices", body={"code": code})
    return status, body["token"] if status == 200 else body["error"]["code"]


async def test_a_code_links_one_device_once_even_if_it_is_sent_twice_at_once(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        code = await up.code("phone")
        told = await asyncio.gather(*(exchanged(up, code) for _ in range(4)))
        assert sorted(status for status, _ in told) == [200, 401, 401, 401]
        assert [one["name"] for one in await up.page.devices()] == ["phone"]


async def test_an_old_code_and_one_from_before_off_are_void(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        code = await up.code()
        up.forward(90)
        assert await exchanged(up, code) == (401, "E_UNAUTHORIZED")
        code = await up.code()
        await up.page.off()
        await up.on()
        assert await exchanged(up, code) == (401, "E_UNAUTHORIZED")


async def test_the_database_holds_neither_token_nor_code(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        code = await up.code()
        _, token = await exchanged(up, code)
        reader = sqlite3.connect(short_dir / "a.db")
        text = "\n".join(reader.iterdump())
        reader.close()
    assert "browser" in text
    assert token not in text and code not in text


async def test_names_are_unique_and_free_again_after_revoke(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        await up.token("phone")
        with pytest.raises(AgtmuxError, match="revoke phone first"):
            await up.code("phone")
        await up.token()
        await up.token()
        assert [one["name"] for one in await up.page.devices()] == ["phone", "browser", "browser-2"]
        assert await up.page.revoke("phone") == {"revoked": "phone"}
        with pytest.raises(AgtmuxError, match="there is no device phone"):
            await up.page.revoke("phone")
        await up.token("phone")


async def test_a_revoked_token_is_refused_also_after_a_restart(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        token, port = await up.token("phone"), up.port
        await up.page.revoke("phone")
        assert (await up.call("GET", "/v1/panes", token=token))[0] == 401
    async with web_page(short_dir, on=False) as up:
        await eventually(lambda: listens(port))
        up.port = port
        assert (await up.call("GET", "/v1/panes", token=token))[0] == 401


async def test_a_device_is_out_even_if_the_database_cannot_be_written_and_can_be_revoked_again(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with web_page(short_dir) as up:
        token = await up.token("phone")
        store = up.page._store

        async def full(*_: object, **__: object) -> None:
            raise AgtmuxError("E_STORE_UNAVAILABLE", "the database cannot be written: the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(store, "run", full)
            with pytest.raises(AgtmuxError, match="disk is full"):
                await up.page.revoke("phone")
        assert (await up.call("GET", "/v1/panes", token=token))[0] == 401
        with pytest.raises(AgtmuxError, match="revoke phone first"):
            await up.code("phone")
        assert await up.page.revoke("phone") == {"revoked": "phone"}
        port = up.port
    async with web_page(short_dir, on=False) as up:
        await eventually(lambda: listens(port))
        up.port = port
        assert (await up.call("GET", "/v1/panes", token=token))[0] == 401


async def test_a_port_that_cannot_be_had_leaves_the_page_where_it_is(short_dir: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        async with web_page(short_dir) as up:
            token = await up.token()
            up.settings = WebSettings(port=other.getsockname()[1])
            with pytest.raises(AgtmuxError):
                await up.page.on()
            assert (await up.call("GET", "/v1/panes", token=token))[0] == 200


async def test_names_of_the_configuration_count_from_the_next_request_on(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        token = await up.token()
        assert (await up.call("GET", "/v1/panes", token=token, Host="box.ts.net"))[0] == 403
        up.settings = WebSettings(hosts=["box.ts.net"])
        assert (await up.call("GET", "/v1/panes", token=token, Host="box.ts.net"))[0] == 200
        assert (await up.call("GET", "/", Host="box.ts.net", Origin="https://box.ts.net"))[0] == 200


async def test_no_more_devices_than_allowed_are_linked(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_DEVICES == 64
    monkeypatch.setattr(services, "MOST_DEVICES", 2)
    async with web_page(short_dir) as up:
        await up.token()
        await up.token()
        with pytest.raises(AgtmuxError, match="which is the limit"):
            await up.code()


async def test_a_link_has_an_address_for_each_name_of_the_configuration(short_dir: Path) -> None:
    async with web_page(short_dir, hosts=["box.ts.net", "localhost:9000"]) as up:
        told = await up.page.link("phone", WebScope.ACT)
        addresses = [url.partition("#k=")[0] for url in told["urls"]]
        assert addresses == [f"http://127.0.0.1:{up.port}/", "https://box.ts.net/", "http://localhost:9000/"]
        assert len({url.partition("#k=")[2] for url in told["urls"]}) == 1


async def test_the_audit_is_told_the_name_of_the_device_that_acts(short_dir: Path) -> None:
    async with web_page(short_dir) as up:
        token = await up.token("phone")
        body = {"request_ref": "request-1", "ref": "pane:host/work/%251"}
        assert (await up.call("POST", "/v1/actions/ack", token=token, body=body))[0] == 412
        assert [one.actor for one in up.services.actors] == ["device:phone"]
        assert up.services.asked == [], "no process is asked for"
