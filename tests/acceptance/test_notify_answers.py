"""Buttons, from a real daemon to a real pane: on a phone by a single-use code, on a banner by the session bus."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.acceptance.receiver import FAST, configure
from tests.acceptance.stage import PATIENCE, Actor, Daemon, Place
from tests.conftest import Tmux, until
from tests.integration.features.notify.channels.session_bus import service, session_bus

pytestmark = pytest.mark.tc("TC-421")


class Phone:
    """An ntfy server and the phone behind it. ``messages``: what was published; ``press``: what its app does."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.removed: list[str] = []
        phone = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                phone.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._done()

            def do_DELETE(self) -> None:
                phone.removed.append(self.path)
                self._done()

            def _done(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/topic"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def button(self, label: str) -> dict[str, Any]:
        """The button of the newest message that has buttons, once there is one."""

        def newest() -> list[dict[str, Any]]:
            found = [message["actions"] for message in self.messages if message.get("actions")]
            return found[-1] if found else []

        actions = until(newest, within=PATIENCE, what=f"a message with buttons: {self.messages}")
        return next(one for one in actions if one["label"] == label)

    def press(self, button: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send what the app sends; status and answer."""
        request = urllib.request.Request(  # noqa: S310 the address is the test's own
            button["url"], data=button["body"].encode(), headers=button["headers"], method=button["method"]
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def phone() -> Iterator[Phone]:
    made = Phone()
    yield made
    made.close()


def with_phone(place: Place, daemon: Daemon, phone: Phone) -> None:
    """A daemon with the web page on, and a channel to the phone that may answer."""
    daemon.start()
    place.json("web", "on")
    port = place.json("web", "status")["port"]
    configure(
        place, f'[notify]\npublic_url = "http://127.0.0.1:{port}"',
        f'[[notify.channels]]\nname = "phone"\nkind = "ntfy"\nurl = "{phone.url}"\nallow_private = true',
        'body = "full"\nactions = true', "[[notify.rules]]", FAST,
    )  # fmt: skip
    assert place.cli("daemon", "reload").returncode == 0


def test_a_button_on_a_phone_answers_its_prompt_once(
    place: Place, daemon: Daemon, phone: Phone, actor: Callable[..., Actor]
) -> None:
    with_phone(place, daemon, phone)
    one = actor().start()
    one.ready(daemon)
    one.asks(daemon, "make site")
    button = phone.button("Approve")
    assert "make site" in phone.messages[-1]["message"]
    status, body = phone.press(button)
    assert (status, body.get("result_code")) == (200, "done"), body
    assert one.sent() == ["chose 1"]
    status, body = phone.press(button)
    assert (status, body["error"]["code"]) == (401, "E_UNAUTHORIZED")
    assert one.sent() == ["chose 1"]
    until(lambda: phone.removed, within=PATIENCE, what="the message is removed from the phone")
    listed = place.json("actions", "--kind", "approve")["items"]
    assert [item["caller"]["actor"] for item in listed] == ["button:phone"]


def test_a_button_of_an_older_prompt_does_nothing(
    place: Place, daemon: Daemon, phone: Phone, actor: Callable[..., Actor]
) -> None:
    with_phone(place, daemon, phone)
    one = actor().start()
    one.ready(daemon)
    one.asks(daemon, "make site")
    button = phone.button("Approve")
    one.asks(daemon, "rm -rf /")
    status, body = phone.press(button)
    assert (status, body["error"]["code"]) == (412, "E_PRECONDITION_FAILED"), body
    assert one.sent() == []


def test_a_press_from_a_page_of_another_address_does_nothing(
    place: Place, daemon: Daemon, phone: Phone, actor: Callable[..., Actor]
) -> None:
    with_phone(place, daemon, phone)
    one = actor().start()
    one.ready(daemon)
    one.asks(daemon)
    button = phone.button("Approve")
    button["headers"] |= {"Origin": "https://evil.example"}
    assert phone.press(button)[0] == 403
    button["headers"] = {"Content-Type": "text/plain"}
    assert phone.press(button)[0] == 400
    assert one.sent() == []


async def test_a_button_on_a_banner_answers_its_prompt_and_the_banner_goes(
    place: Place, daemon: Daemon, actor: Callable[..., Actor]
) -> None:
    configure(place, '[[notify.channels]]\nname = "desk"\nkind = "desktop"\nactions = true', "[[notify.rules]]", FAST)
    with session_bus(place.root) as address:
        place.env["DBUS_SESSION_BUS_ADDRESS"] = address
        async with service(address) as shows:
            await asyncio.to_thread(daemon.start)
            one = await asyncio.to_thread(actor().start)
            await asyncio.to_thread(one.ready, daemon)
            await asyncio.to_thread(one.asks, daemon, "make site")
            await asyncio.to_thread(until, lambda: shows.shown, within=PATIENCE, what="a banner")
            (number,) = shows.shown
            assert "make site" in shows.shown[number]["body"]
            shows.press(number, "approve")
            await asyncio.to_thread(until, one.sent, within=PATIENCE, what="the agent got an answer")
            assert one.sent() == ["chose 1"]
            await asyncio.to_thread(until, lambda: not shows.shown, within=PATIENCE, what="the banner goes")
            await asyncio.to_thread(daemon.stop)


async def test_a_click_on_a_banner_selects_the_pane(
    place: Place, daemon: Daemon, tmux: Tmux, actor: Callable[..., Actor]
) -> None:
    configure(place, '[[notify.channels]]\nname = "desk"\nkind = "desktop"', "[[notify.rules]]", FAST)
    with session_bus(place.root) as address:
        place.env["DBUS_SESSION_BUS_ADDRESS"] = address
        async with service(address) as shows:
            await asyncio.to_thread(daemon.start)
            one = await asyncio.to_thread(actor().start, "work")
            tmux.run("new-window", "-t", "work", "cat")
            assert tmux.run("display-message", "-p", "-t", "work:", "#{pane_id}") != one.pane
            await asyncio.to_thread(one.ready, daemon)
            await asyncio.to_thread(one.asks, daemon)
            await asyncio.to_thread(until, lambda: shows.shown, within=PATIENCE, what="a banner")
            shows.press(next(iter(shows.shown)), "default")

            def selected() -> bool:
                return tmux.run("display-message", "-p", "-t", "work:", "#{pane_id}") == one.pane

            await asyncio.to_thread(until, selected, within=PATIENCE, what="its window is selected")
            assert one.sent() == [], "a click answers nothing"
            await asyncio.to_thread(daemon.stop)
