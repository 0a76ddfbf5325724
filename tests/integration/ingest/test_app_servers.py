"""A server that agents share, here a small one of our own: when it is talked to, and what if it will not talk."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from agtmuxd.adapters.contract import Identity
from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import MS, NS, Claim, Proc, Source, Write
from agtmuxd.core.state.debounce import DebounceState
from agtmuxd.ingest import app_servers as room
from agtmuxd.ingest.app_servers import ALONE, AppServers
from agtmuxd.repository import Repository, Runtime
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.local import agent_server

pytestmark = [
    pytest.mark.tc("TC-016"),
    pytest.mark.skipif(not Path("/proc/net/unix").exists(), reason="only Linux tells who is connected to a socket"),
]

CODEX = discover(points=()).adapters["codex"]


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


@dataclass
class Fake:
    """An app server with one thread ``t``. ``manner``: what it does instead of answering."""

    home: Path
    manner: str = ""
    status: dict[str, Any] = field(default_factory=lambda: {"type": "idle"})
    asked: list[str] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    met: int = 0  # who came to talk

    @property
    def path(self) -> str:
        return str(self.home / "real" / "sock")

    async def talk(self, request: web.Request) -> web.StreamResponse:
        self.met += 1
        if self.manner == "no websocket":
            return web.Response(status=403)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self.sockets.append(ws)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await self.answer(ws, json.loads(message.data))
        self.sockets.remove(ws)
        return ws

    async def answer(self, ws: web.WebSocketResponse, message: dict[str, Any]) -> None:
        method = str(message["method"])
        self.asked.append(method)
        if self.manner == "hang" or (self.manner == "hang later" and method != "initialize"):
            return
        if self.manner == "oversize":
            await ws.send_str('"' + "x" * agent_server.LARGEST + '"')
        elif self.manner == "garbage":
            await ws.send_str("{nothing")
        elif self.manner == "flood":
            with suppress(ConnectionError):
                for _ in range(room.MANY + 10):
                    await ws.send_str('{"method": "x"}')
        elif self.manner == "refuse":
            await ws.send_json({"id": message["id"], "error": {"code": -32600, "message": "Not initialized"}})
        elif "id" in message:
            thread = {"id": "t", "parentThreadId": None, "status": self.status}
            result = {"thread/loaded/list": {"data": ["t"]}, "thread/read": {"thread": thread}}.get(method, {})
            await ws.send_json({"id": message["id"], "result": result})

    async def tell(self, status: dict[str, Any]) -> None:
        self.status = status
        for ws in self.sockets:
            await ws.send_json({"method": "thread/status/changed", "params": {"threadId": "t", "status": status}})


@asynccontextmanager
async def serving(fake: Fake) -> AsyncIterator[Fake]:
    (fake.home / "real").mkdir(mode=0o700)
    control = fake.home / "app-server-control"
    control.mkdir()
    (control / "app-server-control.sock").symlink_to(fake.path)
    app = web.Application()
    app.router.add_get("/", fake.talk)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, fake.path).start()
    try:
        yield fake
    finally:
        await runner.cleanup()


@asynccontextmanager
async def terminal(fake: Fake) -> AsyncIterator[None]:
    """Somebody else who is connected."""
    _, writer = await asyncio.open_unix_connection(fake.path)
    try:
        yield
    finally:
        writer.close()
        await writer.wait_closed()


class Side:
    """Our side: one agent of that home in one pane, bound to thread ``t``."""

    def __init__(self, home: Path) -> None:
        self.now = NS
        self.wanted = True
        self.stirred = 0
        self.agent = Agent(
            "%1", CODEX, Identity("codex"), Proc(7, 1, 7, 7, 1, "S", "99", "codex", ("codex",)), 0, None, home, {}
        )
        self.repository = Repository()
        self.repository.active["host", "%1"] = "r"
        self.bind("t")
        self.served = AppServers(
            self.repository, discover(points=()), lambda: [("host", self.agent)], self._stir, lambda: self.now,
            wanted=lambda: ["codex"] if self.wanted else [], version="9.9",
        )  # fmt: skip

    def _stir(self, target_id: str) -> None:
        assert target_id == "host"
        self.stirred += 1

    def bind(self, thread: str | None) -> None:
        self.repository.runtimes["r"] = Runtime(
            "r", "host", "%1", "b", 1, "codex", None, thread, None, 7, "99", 0, False, None, None, 0
        )

    @property
    def word(self) -> Write | None:
        return self.served.claims("host", [self.agent]).get("%1")

    @property
    def claim(self) -> Claim | None:
        return self.word.claim if self.word is not None else None

    @property
    def reason(self) -> str | None:
        items = self.served.items("codex")
        return items[0]["reason"] if items else "not asked"

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not seen():  # noqa: ASYNC110 of what is watched nothing tells that it moved
                await asyncio.sleep(0.01)


@asynccontextmanager
async def side(home: Path) -> AsyncIterator[Side]:
    one = Side(home)
    task = asyncio.create_task(one.served.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_it_says_is_a_level_that_follows_it(home: Path) -> None:
    """Told as it changes, and asked for where a message got lost; each change has the pane looked at."""
    async with serving(Fake(home)) as fake, terminal(fake), side(home) as ours:
        await ours.until(lambda: ours.claim is Claim.NOT_RUNNING)
        stirred = ours.stirred
        await fake.tell({"type": "active", "activeFlags": ["waitingOnApproval"]})
        await ours.until(lambda: ours.claim is Claim.WAITING_APPROVAL)
        assert ours.stirred > stirred
        fake.status = {"type": "active", "activeFlags": []}
        await ours.until(lambda: ours.claim is Claim.RUNNING)
        assert set(fake.asked) == {"initialize", "initialized", "thread/loaded/list", "thread/read"}
        assert ours.reason is None


async def test_who_did_not_ask_for_it_has_no_connection(home: Path) -> None:
    async with serving(Fake(home)) as fake, terminal(fake), side(home) as ours:
        ours.wanted = False
        await asyncio.sleep(0.3)
        assert fake.met == 0
        assert ours.word is None
        assert ours.served.items("codex") == []


async def test_while_nobody_asks_for_a_server_nobody_is_looked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It rests until the settings are others, however long that is."""
    monkeypatch.setattr(room, "LOOK", 0.001)
    ours, looks = Side(home), 0

    def nobody() -> list[str]:
        nonlocal looks
        looks += 1
        return []

    ours.served._wanted = nobody
    async with asyncio.timeout(10):
        task = asyncio.create_task(ours.served.run())
        await ours.until(lambda: looks > 0)
        before = looks
        for _ in range(200):
            await asyncio.sleep(0.0005)
        assert looks == before
        ours.served.check_now()
        await ours.until(lambda: looks > before)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_turned_off_it_is_left_at_once_and_turned_on_again_it_is_met_again(home: Path) -> None:
    async with serving(Fake(home)) as fake, terminal(fake), side(home) as ours:
        await ours.until(lambda: ours.claim is Claim.NOT_RUNNING)
        ours.wanted = False
        ours.served.check_now()
        await ours.until(lambda: not fake.sockets)
        assert ours.word is None
        ours.wanted = True
        ours.served.check_now()
        await ours.until(lambda: ours.claim is Claim.NOT_RUNNING)


async def test_it_is_never_met_first_nor_kept_company_alone(home: Path) -> None:
    async with serving(Fake(home)) as fake, side(home) as ours:
        await ours.until(lambda: ours.reason == ALONE)
        await asyncio.sleep(0.2)
        assert fake.met == 0
        async with terminal(fake):
            await ours.until(lambda: ours.claim is Claim.NOT_RUNNING)
        await ours.until(lambda: ours.reason == ALONE and not fake.sockets)
        assert ours.claim is None


@pytest.mark.parametrize(
    ("manner", "why"),
    [
        ("no websocket", "does not answer"),
        ("hang", "does not answer"),
        ("hang later", "does not answer"),
        ("oversize", "too large"),
        ("garbage", "not a message"),
        ("flood", "more than agtmux can read"),
        ("refuse", "refused initialize"),
    ],
)
async def test_one_that_will_not_talk_is_left_and_tried_again_ever_later(home: Path, manner: str, why: str) -> None:
    """It says nothing of anybody meanwhile; once it talks, it is listened to."""
    async with serving(Fake(home, manner)) as fake, terminal(fake), side(home) as ours:
        await ours.until(lambda: why in str(ours.reason))
        assert ours.claim is None
        await ours.until(lambda: fake.met >= 2)
        fake.manner = ""
        await ours.until(lambda: ours.claim is Claim.NOT_RUNNING)


async def test_one_that_hangs_after_it_talked_says_nothing_any_more(home: Path) -> None:
    async with serving(Fake(home)) as fake, terminal(fake), side(home) as ours:
        await ours.until(lambda: ours.claim is Claim.NOT_RUNNING)
        fake.manner = "hang"
        await ours.until(lambda: ours.claim is None)
        assert ours.reason == "it does not answer"


async def test_one_that_ends_says_nothing_any_more(home: Path) -> None:
    async with serving(Fake(home)) as fake, terminal(fake), side(home) as ours:
        await ours.until(lambda: ours.claim is Claim.NOT_RUNNING)
        fake.manner = "no websocket"
        await fake.sockets[0].close()
        await ours.until(lambda: ours.claim is None)
        assert "closed the connection" in str(ours.reason)


async def test_a_session_it_does_not_know_is_not_spoken_of(home: Path) -> None:
    async with serving(Fake(home)) as fake, terminal(fake), side(home) as ours:
        await ours.until(lambda: ours.claim is Claim.NOT_RUNNING)
        for thread in (None, "another"):
            ours.bind(thread)
            assert ours.word is not None
            assert ours.claim is None
        ours.bind("t")
        ours.agent.proc = replace(ours.agent.proc, start="100")
        assert ours.claim is None, "another process of that number"


async def test_a_turn_that_the_screen_goes_on_not_to_show_is_another_threads(home: Path) -> None:
    """A terminal went from one thread to another; one that shows an unknown screen, or a box, contradicts nothing."""
    approval = {"type": "active", "activeFlags": ["waitingOnApproval"]}
    async with serving(Fake(home, status=approval)) as fake, terminal(fake), side(home) as ours:
        await ours.until(lambda: ours.claim is Claim.WAITING_APPROVAL)
        for shows, claim in (
            (Claim.NOT_RUNNING, None),
            (Claim.COMPLETED, None),
            (Claim.RUNNING, Claim.WAITING_APPROVAL),
            (Claim.WAITING_APPROVAL, Claim.WAITING_APPROVAL),
            (None, Claim.WAITING_APPROVAL),
        ):
            ours.agent.steady[Source.POLLER] = DebounceState(Write(shows, "a rule"), ours.now)
            assert ours.claim is Claim.WAITING_APPROVAL
            ours.now += 2 * NS - MS
            assert ours.claim is Claim.WAITING_APPROVAL
            ours.now += MS
            assert ours.claim is claim, shows
