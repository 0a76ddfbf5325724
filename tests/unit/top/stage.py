"""A stub of the daemon that serves the dashboard: rows, changes as a test sends them, and recorded actions.

Knows the wire, not the daemon. ``Stage`` is used by the tests of behaviour and by measurements.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.unit.daemon_stub import STAMP, Call, Stub, listing


class Stage:
    """``items`` are the rows now. ``acts`` are the requested actions, in order; ``answers`` maps a kind to a body."""

    def __init__(self, folder: Path, *items: dict[str, Any]) -> None:
        (folder / "run").mkdir(mode=0o700, exist_ok=True)
        self.items = {self._key(item): item for item in items}
        self.sequence = 1
        self.acts: list[dict[str, Any]] = []
        self.cursors: list[str | None] = []
        self.answers: dict[str, Any] = {}
        self.targets: list[dict[str, Any]] = [{"target": "host", "health": "ok", "last_seen_at": STAMP}]
        self._log: list[bytes] = []
        self._streams: list[queue.Queue[bytes | None]] = []
        self._lock = threading.Lock()
        self.stub = Stub(folder / "run" / "agtmuxd.sock")
        self._route()

    @staticmethod
    def _key(item: dict[str, Any]) -> str:
        return json.dumps(item["identity"], sort_keys=True)

    def _route(self) -> None:
        routes = self.stub.routes
        routes["GET /v1/watch"] = self._watch
        routes["GET /v1/targets"] = lambda _: (200, {"items": self.targets})
        routes["GET /v1/panes"] = lambda _: (200, listing(*self.items.values()))
        for kind in ("attach", "send", "view-output", "kill", "approve", "deny", "answer", "interrupt", "ack"):
            routes[f"POST /v1/actions/{kind}"] = self._act
        for name in ("mute", "unmute", "look"):
            routes[f"POST /v1/notify/{name}"] = self._act
        for item in self.items.values():
            self._explain(item)

    def _explain(self, item: dict[str, Any]) -> None:
        def answer(_: Call) -> tuple[int, Any]:
            now = self.items.get(self._key(item), item)
            return 200, {"ref": now["ref"], "item": now, "snapshot": "n", "candidates": [], "decided_by": [],
                         "recent_events": []}  # fmt: skip

        self.stub.routes[f"GET /v1/panes/{item['ref']}/explain"] = answer
        self.stub.routes[f"GET /v1/panes/{item['ref']}/message"] = lambda _: (200, {"text": "the whole message"})

    def _act(self, call: Call) -> tuple[int, Any]:
        kind = call.path.rpartition("/")[2]
        self.acts.append({"kind": kind, **call.body})
        answer = self.answers.get(kind)
        if callable(answer):
            answer = answer(call.body)
        if isinstance(answer, tuple):
            return answer
        result = {"view-output": {"output": f"screen of {call.body.get('ref')}\n", "truncated": False}}.get(kind, {})
        return 200, {"action_id": f"a{len(self.acts)}", "result": answer or result, "item": answer}

    def done(self, *kinds: str) -> list[dict[str, Any]]:
        """The requested actions, without looks unless they are asked for."""
        return [act for act in self.acts if (act["kind"] in kinds if kinds else act["kind"] != "view-output")]

    # ------------------------------------------------------------ the stream

    def _watch(self, call: Call) -> tuple[int, Any]:
        cursor = call.query.get("cursor", [None])[0]
        self.cursors.append(cursor)
        return 200, self._lines(cursor)

    def _line(self, kind: str, **fields: Any) -> bytes:
        head = {"type": kind, "cursor": f"s:{self.sequence}", "sequence": self.sequence, "emitted_at": STAMP}
        return json.dumps({**head, **fields}).encode() + b"\n"

    def _lines(self, cursor: str | None) -> Iterator[bytes]:
        mine: queue.Queue[bytes | None] = queue.Queue()
        with self._lock:
            self._streams.append(mine)
            missed = self._log[int(cursor.partition(":")[2]) - 1 :] if cursor else []
            first = [] if cursor else [self._line("snapshot", items=list(self.items.values()))]
        yield from [*first, *missed]
        while (line := mine.get()) is not None:
            yield line

    def change(self, *items: dict[str, Any], gone: tuple[dict[str, Any], ...] = ()) -> None:
        """Publish rows that changed, and rows that are gone."""
        changes = [{"op": "upsert", "identity": item["identity"], "item": item} for item in items]
        changes += [{"op": "delete", "identity": item["identity"]} for item in gone]
        with self._lock:
            for item in items:
                self.items[self._key(item)] = item
                self._explain(item)
            for item in gone:
                self.items.pop(self._key(item), None)
            self.sequence += 1
            line = self._line("delta", changes=changes)
            self._log.append(line)
            for stream in self._streams:
                stream.put(line)

    def start(self) -> Stage:
        self.stub.start()
        return self

    def stop(self) -> None:
        """End all streams and stop listening, as a daemon does that ends. ``start`` brings it back."""
        with self._lock:
            for stream in self._streams:
                stream.put(None)
            self._streams.clear()
        self.stub.stop()
