"""docs/how-to/notifications.md, followed step by step: its settings are taken, and its commands work."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.config import parse
from tests.acceptance.stage import Agent, Daemon, Place
from tests.integration.features.notify.channels.session_bus import service, session_bus

pytestmark = pytest.mark.tc("TC-422")
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "notifications.md"


def blocks() -> list[tuple[str, str]]:
    """Kind and text of each code block, in order."""
    return re.findall(r"^```(toml|sh)\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)


def test_all_settings_of_the_page_are_taken() -> None:
    known = '[[notify.channels]]\nname = "desk"\nkind = "desktop"\n'
    for kind, text in blocks():
        if kind == "toml":
            parse(text if 'name = "desk"' in text else known + text, "page")


class Internet:
    """Stands in for every service that the page names. ``paths``: what was asked for."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        internet = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                internet.paths.append(self.path)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def internet() -> Iterator[Internet]:
    made = Internet()
    yield made
    made.close()


class Reader:
    """Somebody who follows the page."""

    def __init__(self, place: Place, internet: Internet) -> None:
        self.place = place
        self.internet = internet
        self.before = place.config.read_text("utf-8")
        self.channels: dict[str, dict[str, Any]] = {}
        self.rules: list[dict[str, Any]] = []
        self.plain: dict[str, Any] = {}

    def configure(self, text: str) -> None:
        """Add a block to the configuration. A channel of a known name is replaced."""
        table = tomllib.loads(text)["notify"]
        for channel in table.pop("channels", ()):
            self.channels[channel["name"]] = self._local(channel)
        self.rules += table.pop("rules", ())
        self.plain |= table
        lines = ["[notify]", *self._lines(self.plain)]
        for channel in self.channels.values():
            lines += ["[[notify.channels]]", *self._lines(channel)]
        for rule in self.rules:
            lines += ["[[notify.rules]]", *self._lines(rule)]
        self.place.config.write_text("\n".join([self.before, *lines, ""]), "utf-8")

    def _lines(self, table: dict[str, Any]) -> list[str]:
        def value(one: Any) -> str:
            if isinstance(one, bool):
                return str(one).lower()
            return str(one).replace("'", '"') if isinstance(one, list) else f'"{one}"'

        return [f"{key} = {value(one)}" for key, one in table.items()]

    def _local(self, channel: dict[str, Any]) -> dict[str, Any]:
        """Send to the stand-in, and write the secrets that somebody would have."""
        if "url" in channel:
            channel["url"] = re.sub(r"https://[^/]+", self.internet.address, channel["url"])
        if channel["kind"] in ("ntfy", "webhook"):
            channel["allow_private"] = True
        if "secret_file" in channel:
            file = self.place.home / channel["secret_file"].removeprefix("~/")
            file.parent.mkdir(parents=True, exist_ok=True)
            if channel.get("preset") is not None:  # what somebody copies into the file that they made
                file.write_text(f"{self.internet.address}/slack")
        return channel

    def run(self, line: str) -> None:
        """Run one command as it stands there; it must succeed."""
        words = ["sh"] if line.startswith("(umask") else shlex.split(line)
        if words[0] == "agtmux":
            done = self.place.cli(*words[1:])
        elif words[0] in ("install", "sh"):
            (self.place.home / ".config" / "agtmux").mkdir(parents=True, exist_ok=True)
            done = subprocess.run(["sh", "-c", line], env=self.place.env, capture_output=True, text=True, check=False)
        else:
            assert words[0] == "pipx", line
            return
        assert done.returncode == 0, (line, done.stdout, done.stderr)


async def test_each_step_of_the_page_works(
    place: Place, daemon: Daemon, internet: Internet, agent: Callable[..., Agent]
) -> None:
    with session_bus(place.root) as address:
        place.env["DBUS_SESSION_BUS_ADDRESS"] = address
        async with service(address) as shows:

            def follow() -> None:
                daemon.start()
                one = agent().start()
                daemon.wait_agent(one.pane)
                reader = Reader(place, internet)
                for kind, text in blocks():
                    if kind == "toml":
                        reader.configure(text)
                    else:
                        for line in text.splitlines():
                            reader.run(line)
                reader.run("agtmux daemon reload")
                reader.run("agtmux notify test")
                daemon.stop()

            await asyncio.to_thread(follow)
            assert [banner["title"] for banner in shows.asked][:1] == ["agtmux test"]
            assert set(internet.paths) == {"/", "/slack", "/agtmux"}
