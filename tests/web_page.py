"""The web page's server on a real port and a real database, with canned answers behind its routes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp

from agtmuxd.api.route import RouteTable, WebScope
from agtmuxd.config import WebSettings
from agtmuxd.core.model import NS
from agtmuxd.features.web.files import PageFile
from agtmuxd.features.web.routes import ROUTES
from agtmuxd.features.web.service import WebPage
from agtmuxd.store.db import Store, open_database
from tests.fake_services import START, FakeServices
from tests.route_tables import of_features
from tests.rows import pane

FILES = {"/": PageFile(b"<!doctype html>", "text/html", '"1"'), "/app.js": PageFile(b"1;", "text/javascript", '"2"')}


class Page:
    """A page that listens, and a client that speaks to it as a browser does."""

    def __init__(self, page: WebPage, services: FakeServices, client: aiohttp.ClientSession) -> None:
        self.page, self.services, self.client = page, services, client
        self.port = 0
        self.now = START
        self.settings = WebSettings()

    async def on(self) -> None:
        self.port = (await self.page.on())["port"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * NS)

    async def code(self, name: str | None = None, scope: str = "act") -> str:
        told = await self.page.link(name, WebScope(scope))
        return str(told["urls"][0].partition("#k=")[2])

    async def token(self, name: str | None = None, scope: str = "act") -> str:
        return str((await self.page.exchange(await self.code(name, scope)))["token"])

    async def call(
        self, method: str, path: str, *, token: str | None = None, body: Any = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, headers and body (JSON where it is some). Header names have underscores in place of hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        data = None if body is None else BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        async with self.client.request(method, self.url + path, data=data, headers=sent) as answer:
            raw = await answer.read()
            kind = answer.headers.get("Content-Type", "")
            return answer.status, answer.headers, json.loads(raw) if kind.startswith("application/json") else raw

    async def raw(self, data: bytes, within: float = 10.0) -> bytes:
        """All that comes back for these bytes until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            async with asyncio.timeout(within):
                return await reader.read()
        finally:
            writer.close()

    async def first(self, data: bytes) -> bytes:
        """The first that comes back for these bytes, head and body of a small answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(10):
                return await reader.readuntil(b"}}")
        finally:
            writer.close()


@asynccontextmanager
async def web_page(
    folder: Path, *, hosts: list[str] | None = None, port: int = 0, on: bool = True
) -> AsyncIterator[Page]:
    """A page over the database in ``folder``, so that a second one there finds what the first one left."""
    connection, _ = open_database(str(folder / "a.db"))
    store = Store(connection)
    store.start()
    services = FakeServices(pane("%1", state="waiting_approval"), pane("%2"))
    settings = WebSettings(port=port, hosts=hosts or [])
    made: list[Page] = []
    others: list[RouteTable[Any]] = [
        RouteTable(routes, services) for name, routes in of_features().items() if name != "web"
    ]
    page = WebPage(
        envelope=services.envelope, store=store, clock=lambda: made[0].now if made else START,
        settings=lambda: made[0].settings if made else settings,
        tables=lambda: [*services.tables(), *others, RouteTable(ROUTES, page)], files=lambda: FILES,
    )  # fmt: skip
    task = asyncio.create_task(page.run())
    try:
        async with aiohttp.ClientSession() as client:
            made.append(Page(page, services, client))
            made[0].settings = settings
            if on:
                await made[0].on()
            yield made[0]
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        store.close()
