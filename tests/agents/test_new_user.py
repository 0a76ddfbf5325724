"""A new user's path with the real Claude Code: a request is told on the desktop and on a phone, and answered there."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.agents.conftest import Start
from tests.agents.driver import ClaudeDriver
from tests.browser.browsing import live, started

pytestmark = [pytest.mark.agents, pytest.mark.tc("TC-500"), pytest.mark.timeout(180)]
PATIENCE = 40.0


class Ntfy(HTTPServer):
    """Stands for an ntfy server: keeps what is posted, with the time."""

    def __init__(self) -> None:
        self.posted: list[tuple[float, dict[str, Any]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.posted.append((time.monotonic(), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Stay silent."""

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def ntfy() -> Iterator[Ntfy]:
    with Ntfy() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def desktop(folder: Path) -> Path:
    """Put a ``notify-send`` on the path that notes its words; the file with the notes."""
    notes = folder.parent / "banners"
    program = folder / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" | tr "\\n" " " >>{notes}\necho >>{notes}\n')
    program.chmod(0o755)
    return notes


def until(seen: Any, what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while not (value := seen()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return value


def test_an_approval_is_told_on_desktop_and_phone_and_given_on_the_page(start: Start, ntfy: Ntfy) -> None:
    """The message comes once on each channel, and the page's press reaches the real dialog."""
    began = time.monotonic()
    s = start(ClaudeDriver)
    world, daemon = s.driver.world, s.watch.daemon
    banners = desktop(world.bin)
    with world.config.open("a") as config:
        config.write(
            '[[notify.channels]]\nname = "desk"\nkind = "desktop"\n'
            f'[[notify.channels]]\nname = "phone"\nkind = "ntfy"\nurl = "http://127.0.0.1:{ntfy.server_port}/topic"\n'
            "allow_private = true\n"
            '[[notify.rules]]\non = ["waiting_approval"]\nchannels = ["desk", "phone"]\n'
        )
    daemon.cli("daemon", "reload")
    for channel in ("desk", "phone"):
        daemon.cli("notify", "test", channel)
    daemon.cli("web", "on")
    link = json.loads(daemon.cli("web", "link", "--scope", "act", "--json"))["urls"][0]
    s.start_trusted()
    tests, before = len(ntfy.posted), len(banners.read_text().splitlines())
    s.driver.prompt("bash one")
    s.driver.wait_approval()
    asked = time.monotonic()
    (told_at, message), *_ = until(lambda: ntfy.posted[tests:], "the phone is told")
    until(lambda: len(banners.read_text().splitlines()) > before, "the desktop is told")
    assert "claude" in json.dumps(message).lower()
    with started() as browser:  # Only now: nobody is told of a request that the open page shows.
        context = browser.new_context(viewport={"width": 375, "height": 812})
        context.set_default_timeout(PATIENCE * 1000)
        tab = context.new_page()
        tab.goto(link)
        live(tab)
        tab.get_by_role("button", name="Approve", exact=False).first.click()
        s.expect("running", "waiting_approval", "running", "completed")
        context.close()
    assert len(ntfy.posted) == tests + 1, "the phone was told once"
    assert len(banners.read_text().splitlines()) == before + 1, "the desktop was told once"
    (approve,) = json.loads(daemon.cli("actions", "--kind", "approve", "--json"))["items"]
    assert approve["caller"]["actor"].startswith("device:")
    print(f"\nstart to first request {asked - began:.1f} s; request to phone {told_at - asked:.2f} s")
