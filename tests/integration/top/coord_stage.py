"""A stub of the daemon with mail, leases, worktrees and failed deliveries. Knows no test."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from typing import Any

from tests.unit.daemon_stub import STAMP, Call
from tests.unit.top.stage import Stage


def message(number: int, state: str = "unread", **more: Any) -> dict[str, Any]:
    """A message to people, as the inbox lists it."""
    receipts = {"read_at": STAMP if state != "unread" else None, "acked_at": STAMP if state == "acked" else None}
    made = {
        "message_id": f"m{number}", "seq": number, "sender": "agent:web/builder", "kind": "question",
        "subject": f"port {number}",
        "preview": "which one?", "body": None, "created_at": f"2026-01-01T00:00:{number:02d}.000Z", "overdue_at": None,
        "deliveries": [{"delivery_id": f"p{number}", "agent_id": None, "agent": None, "state": "queued",
                        "hold_reason": None,
                        **receipts}],
    }  # fmt: skip
    return {**made, **more}


def lease(number: int, **more: Any) -> dict[str, Any]:
    made = {
        "lease_id": f"l{number}", "kind": "path", "git_dir": "/home/x/shop/.git", "pattern": "src/api/**", "name": None,
        "mode": "exclusive", "advisory": False, "holder": "agent:builder", "orphaned_at": None, "reason": "routes",
        "expires_at": "2126-01-01T01:00:00.000Z", "fence": number,
    }  # fmt: skip
    return {**made, **more}


def worktree(number: int, **more: Any) -> dict[str, Any]:
    made = {
        "worktree_id": f"w{number}", "agent": "builder", "team": None, "path": f"/state/worktrees/a/{number}",
        "state": "active",
        "branch": "agtmux/builder", "base": "main", "conflicts": 0, "updated_at": STAMP,
    }  # fmt: skip
    return {**made, **more}


def delivery(number: int, state: str = "dead", **more: Any) -> dict[str, Any]:
    made = {
        "delivery_id": f"d{number}", "message_id": f"m{number}", "agent_id": "a" * 8, "agent": "tester", "state": state,
        "hold_reason": "no_sign" if state != "dead" else None,
        "error_code": "E_TARGET_DOWN" if state == "dead" else None,
        "attempts": 5, "updated_at": STAMP,
    }  # fmt: skip
    return {**made, **more}


class CoordStage:
    """``lists`` are the items of each route. ``reads`` and ``writes`` are the requests in order."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.inbox = [message(1, "read"), message(2), message(3, "acked")]
        self.leases, self.worktrees, self.failed = (
            [lease(1)],
            [worktree(1)],
            [delivery(7), delivery(8, "submitted_unconfirmed")],
        )
        self.reads: list[str] = []
        self.writes: list[dict[str, Any]] = []
        self.refusal: tuple[int, Any] | None = None
        self.streams: list[queue.Queue[bytes | None]] = []
        routes = stage.stub.routes
        panes = routes["GET /v1/watch"]
        routes["GET /v1/watch"] = lambda call: (
            (200, self._lines()) if call.query.get("scope") == ["coord"] else panes(call)
        )
        for path, name in (
            ("/v1/agents/person/inbox", "inbox"), ("/v1/leases", "leases"), ("/v1/worktrees", "worktrees"),
            ("/v1/deliveries", "failed"),
        ):  # fmt: skip
            routes[f"GET {path}"] = self._list(name)
        for number in (1, 2, 3, 7, 8):
            routes[f"GET /v1/messages/m{number}"] = lambda call: (200, {"item": message(7, body="the whole text")})
            for verb in ("read", "ack", "reply"):
                routes[f"POST /v1/messages/m{number}/{verb}"] = self._write
        for number in (7, 8):
            for verb in ("retry", "drop"):
                routes[f"POST /v1/deliveries/d{number}/{verb}"] = self._write
        routes["POST /v1/messages"] = routes["POST /v1/queue"] = self._write

    def _list(self, name: str) -> Any:
        def answer(call: Call) -> tuple[int, Any]:
            self.reads.append(name)
            items = getattr(self, name)
            if name == "inbox" and call.query.get("unread"):
                items = [one for one in items if not one["deliveries"][0]["read_at"]]
            return 200, {"items": items}

        return answer

    def _write(self, call: Call) -> tuple[int, Any]:
        self.writes.append({"path": call.path, **call.body})
        if self.refusal is not None:
            return self.refusal
        return 200, {"item": message(2, body="which one?\nthe second line", state="read")}

    def _lines(self) -> Iterator[bytes]:
        mine: queue.Queue[bytes | None] = queue.Queue()
        self.streams.append(mine)
        yield self._line("snapshot", items=[])
        while (line := mine.get()) is not None:
            yield line

    @staticmethod
    def _line(kind: str, **fields: Any) -> bytes:
        return json.dumps({"type": kind, "cursor": "s:1", "emitted_at": STAMP, **fields}).encode() + b"\n"

    def change(self, kind: str) -> None:
        """Publish that something of this kind changed."""
        changes = [{"op": "upsert", "identity": {"kind": kind, "id": "x"}, "item": {}}]
        for stream in self.streams:
            stream.put(self._line("delta", changes=changes))

    def end(self) -> None:
        """End the streams."""
        for stream in self.streams:
            stream.put(None)
