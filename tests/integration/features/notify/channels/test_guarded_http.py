"""Which addresses may be reached, and that a name cannot change its address between the check and the connection."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from typing import Any

import pytest

from agtmuxd.features.notify.channels.guarded_http import (
    Answer,
    NoAnswer,
    request,
    retry_after,
    why_refused,
)
from tests.integration.features.notify.channels.server import serving

pytestmark = pytest.mark.tc("TC-415")

PRIVATE = [
    "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.100.1.1", "::1", "fd00::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "127.8.9.1",
]  # fmt: skip
NEVER = [
    "169.254.169.254", "fe80::1", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255",
    "::ffff:169.254.169.254", "240.0.0.1",
]  # fmt: skip
PUBLIC = ["93.184.216.34", "2606:2800:220:1::1", "8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_leave(address: str) -> None:
    assert "allow_private" in str(why_refused(address, allow_private=False))
    assert why_refused(address, allow_private=True) is None


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_reached(address: str) -> None:
    """The address of a cloud's metadata among them."""
    for allow in (True, False):
        assert why_refused(address, allow_private=allow) is not None


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert why_refused(address, allow_private=False) is None


async def post(url: str, *, allow: bool = False, seconds: float = 5.0) -> Answer | NoAnswer:
    return await request("POST", url, b"{}", {}, allow_private=allow, seconds=seconds)


class Names:
    """A name server. ``answers``: the addresses of each look-up, in turn; ``asked``: how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self.look_up)

    async def look_up(self, _host: str, port: int, **_more: Any) -> list[Any]:
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in self.answers.pop(0)]


async def test_a_literal_private_address_is_refused_without_a_connection() -> None:
    async with serving() as server:
        answer = await post(server.url)
        assert isinstance(answer, NoAnswer) and not answer.sent
        assert server.got == []


@pytest.mark.parametrize("name", ["localhost", "127.1", "0x7f.1", "2130706433", "127.0.0.1."])
async def test_other_ways_to_write_it_are_refused_too(name: str) -> None:
    async with serving() as server:
        answer = await post(server.url.replace("127.0.0.1", name))
        assert isinstance(answer, NoAnswer) and not answer.sent
        assert server.got == []


async def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as server:
        Names(monkeypatch, ["93.184.216.34", "127.0.0.1"])
        answer = await post(server.url.replace("127.0.0.1", "hooks.example"))
        assert isinstance(answer, NoAnswer)
        assert answer.why == "hooks.example: 127.0.0.1 is a private address: set allow_private = true to allow it"
        assert server.got == []


async def test_the_address_that_was_checked_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers otherwise the second time is not asked a second time."""
    async with serving() as server:
        names = Names(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
        answer = await post(server.url.replace("127.0.0.1", "rebind.example"), allow=True)
        assert isinstance(answer, Answer) and answer.status == 200
        assert (names.asked, server.got[0].headers["Host"].partition(":")[0]) == (1, "rebind.example")


async def test_a_redirect_is_not_followed() -> None:
    async with serving() as server:
        server.status, server.headers = 302, {"Location": f"{server.url}/else"}
        answer = await post(server.url, allow=True)
        assert isinstance(answer, Answer) and answer.status == 302
        assert len(server.got) == 1


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with serving() as server:
        assert isinstance(await post(server.url, allow=True), Answer)


async def test_no_answer_says_whether_the_request_may_have_arrived() -> None:
    async with serving() as server:
        server.hangs = True
        late = await post(server.url, allow=True, seconds=0.3)
        assert late == NoAnswer("127.0.0.1 did not answer within 0.3 s", sent=True)
    refused = await post("http://127.0.0.1:1/secret-path", allow=True)
    assert isinstance(refused, NoAnswer) and not refused.sent
    assert "secret-path" not in refused.why


async def test_an_answer_is_read_up_to_a_bound() -> None:
    async with serving() as server:
        server.text = "x\x1b[31m" + "y" * 3_000_000
        answer = await post(server.url, allow=True)
        assert isinstance(answer, Answer)
        assert len(answer.text) <= 120 and "\x1b" not in answer.text


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None), ("120", 120.0), ("soon", None), ("-5", None), ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0.0), ("9" * 400, 999_999_999_999.0),
    ],
)  # fmt: skip
def test_how_long_to_wait_is_a_number_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, datetime(2026, 1, 1, tzinfo=UTC)) == seconds
