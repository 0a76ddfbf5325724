"""The daemon behind the API, faked at its one seam: real view and hub, canned answers for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Any

import aiohttp

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.api.app import ApiServer
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.peer import Peer
from agtmuxd.api.requests import ConnectResult, HistoryQuery, HookRequest, TargetRequest, WireEvent
from agtmuxd.api.route import RouteTable
from agtmuxd.api.routes.contract import with_contract
from agtmuxd.api.routes.rules import CheckRequest, ReplayRequest
from agtmuxd.core.action.request import Caller, Request
from agtmuxd.core.model import NS
from agtmuxd.stream.history import Batch, LogEntry
from agtmuxd.stream.hub import Hub
from agtmuxd.stream.published import PublishedRows, changes_for
from agtmuxd.stream.watcher import Watcher, WatchRequest
from tests.route_tables import resources
from tests.rows import T0, Item, by_key

START = 1_767_225_600 * NS
EVENT = {
    "event_id": "01890000-0000-7000-8000-000000000001",
    "event_type": "Stop",
    "source": "hook",
    "agent_type": "claude",
    "event_time": START,
    "payload": {},
}


def target(name: str = "host", health: str = "ok", reason: str | None = None) -> dict[str, Any]:
    return {
        "target": name,
        "target_id": f"id-{name}",
        "kind": "local",
        "connection_ref": "default",
        "is_default": name == "host",
        "health": health,
        "health_since": T0,
        "reason": reason,
        "last_seen_at": T0,
        "tmux_version": "3.3a",
        "server_pid": 4242,
        "rtt_ms": 1.5,
        "read": True,
        "clock_offset_ms": None,
        "agents": 1,
        "panes": 1,
        "unread_panes": 0,
        "options": {},
    }


class FakeServices:
    """The services of all resources in one. ``ingested`` and ``stopped`` say what was asked, ``trouble`` is raised by
    ingest.
    """

    def __init__(self, *panes: Item) -> None:
        self.view = PublishedRows("stream-1", 0, by_key(*panes))
        self.hub = Hub(self.view, now=self.now, read_log=self.read_log)
        self.envelope = Envelope(self.now, lambda: self.target_items)
        self.target_items = [target()]
        self.ingested: list[WireEvent] = []
        self.acted: list[Request] = []
        self.actors: list[Caller] = []
        self.asked: list[tuple[int | None, int | None]] = []
        self.forbids = False
        self.stopped = False
        self.trouble: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    def now(self) -> int:
        return START

    async def read_log(self, after: int, scope: str, limit: int) -> list[LogEntry] | None:
        return None

    def show(self, *panes: Item) -> None:
        self.publish(dict(by_key(*panes)))

    def publish(self, changes: dict[str, Item | None]) -> None:
        self.hub.publish(Batch(self.view.sequence + 1, START, changes_for(self.view, changes)))

    async def ingest(self, events: Sequence[WireEvent], peer: Peer | None = None) -> list[dict[str, Any]]:
        if self.trouble:
            raise self.trouble
        await self.gate.wait()
        self.ingested += events
        return [
            {"event_id": one.event_id, "status": "pending_bind", "runtime_id": None, "reason_code": None}
            for one in events
        ]

    def nonce(self, item: Mapping[str, Any]) -> str:
        return f"1.-.{item['identity']['pane_id']}"

    async def act(self, request: Request, caller: Caller) -> dict[str, Any]:
        self.acted.append(request)
        self.actors.append(caller)
        raise AgtmuxError("E_PRECONDITION_FAILED", f"{request.kind} is refused here", {"reason": "fake"})

    async def permit(self, uid: int | None, pid: int | None) -> None:
        self.asked.append((uid, pid))
        if self.forbids:
            raise AgtmuxError("E_FORBIDDEN", "a supervised agent may only read and report", {"reason": "agent"})

    def message(self, key: str) -> dict[str, Any]:
        return {"runtime_id": "rt-1", "text": "done", "said_at": "2026-01-01T00:00:00.000Z", "source": "transcript"}

    async def explain(self, key: str) -> dict[str, Any]:
        return {"decided_by": [], "candidates": [], "marks": {"key": key}, "recent_events": []}

    async def open(self, request: WatchRequest) -> Watcher:
        return await self.hub.open(request)

    async def history(self, query: HistoryQuery, pane: str | None) -> list[dict[str, Any]]:
        row = {
            "event_id": EVENT["event_id"],
            "runtime_id": query.runtime,
            "event_type": "Stop",
            "source": "hook",
            "event_time": T0,
            "ingested_at": T0,
            "applied": "applied",
            "dedupe_key": pane or "none",
        }
        return [row]

    def items(self) -> list[dict[str, Any]]:
        return self.target_items

    async def add(self, request: TargetRequest) -> dict[str, Any]:
        if any(item["target"] == request.name for item in self.target_items):
            raise AgtmuxError("E_TARGET_EXISTS", f"there is a target {request.name} already")
        self.target_items = [*self.target_items, target(request.name)]
        return self.target_items[-1]

    async def connect(self, name: str) -> ConnectResult:
        for item in self.target_items:
            if item["target"] == name:
                return ConnectResult(item, [{"step": "tmux", "ok": True, "message": "3.3a"}])
        raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {one_line(name)[:80]}")

    async def remove(self, name: str) -> None:
        await self.connect(name)
        self.target_items = [item for item in self.target_items if item["target"] != name]

    def tests_arrived(self, nonces: Sequence[str]) -> dict[str, str]:
        return {}

    def replay(self, asked: ReplayRequest) -> dict[str, Any]:
        return {
            "agent": asked.agent, "rules_file": None, "recorded_on": ["1"], "claim": "idle", "rule": "r",
            "strength": "hint", "accepts_input": None, "background_tasks": None, "waiting_for": None,
            "composer": "free", "matched": [], "missed": [],
        }  # fmt: skip

    async def check(self, asked: CheckRequest) -> list[dict[str, Any]]:
        return []

    async def apply(self, request: HookRequest) -> list[dict[str, Any]]:
        item = {
            "agent": "claude",
            "path": "/x/settings.json",
            "changed": False,
            "diff": "",
            "installed": True,
            "outdated": False,
            "events": ["Stop"],
            "notes": [],
            "error": None,
            "backup": None,
            "command": None,
            "as_argument": False,
            "switched_off": None,
            "deaf_panes": [],
            "maybe_deaf_panes": [],
        }
        return [item]

    def health(self) -> dict[str, Any]:
        return {
            "status": "ok",
            "version": "0",
            "pid": 1,
            "uptime_s": 1.5,
            "socket": "/s",
            "database": "/d",
            "database_schema": 1,
            "stream_id": self.view.stream_id,
            "sequence": self.view.sequence,
            "adapters": [],
            "targets": self.target_items,
            "queues": {},
            "counters": {"watchers": self.hub.watchers},
            "spool": {},
            "last_errors": [],
        }

    def config(self) -> dict[str, Any]:
        return {"path": None, "config": {"log": "json"}}

    def reload(self) -> None:
        raise AgtmuxError("E_INVALID_REQUEST", "config.toml line 3: tick: expected a number")

    def stop(self) -> None:
        self.stopped = True

    def tables(self) -> list[RouteTable[Any]]:
        return with_contract(RouteTable(routes, self) for routes in resources().values())


async def eventually(predicate: Callable[[], object]) -> None:
    """Give the loop time until the predicate says something true. Raises TimeoutError after 10 s."""
    async with asyncio.timeout(10):
        while not predicate():  # noqa: ASYNC110 - what is waited for has no event to await
            await asyncio.sleep(0.005)


class Api:
    """A server on a real socket and a client that speaks to it."""

    def __init__(self, services: FakeServices, server: ApiServer, path: Path, client: aiohttp.ClientSession) -> None:
        self.services = services
        self.server = server
        self.path = path
        self.client = client

    async def get(self, path: str, params: Any = None, status: int = 200) -> Any:
        return await self.call("GET", path, status, params=params)

    async def call(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """The JSON body of an answer, after checking its status and version."""
        async with self.client.request(method, f"http://agtmux{path}", **more) as answer:
            body = await answer.json()
            assert answer.status == status, body
            assert body.get("schema_version", "1.0") == "1.0"
            return body


@asynccontextmanager
async def serving(directory: Path, services: FakeServices, **options: Any) -> AsyncIterator[Api]:
    """The API of ``services`` on a socket in ``directory`` (keep it short)."""
    path = directory / "s"
    sock = socket(AF_UNIX, SOCK_STREAM)
    sock.bind(str(path))
    options = {"tables": services.tables(), **options}
    server = ApiServer(sock=sock, permit=services.permit, end_streams=services.hub.close, **options)
    await server.start()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as client:
            yield Api(services, server, path, client)
    finally:
        await server.stop()
