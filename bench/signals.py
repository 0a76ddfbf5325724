"""Signals and waits: how soon a hundred streams have each signal (TC-768), and what open waits cost (TC-769)."""

from __future__ import annotations

import json
import re
import selectors
import socket
import threading
import time

from bench.measure import Figure, Span, median, p95
from bench.stage import Terminal, idle
from bench.watchers import Poster
from bench.world import World

STREAMS, SIGNALS, WAITS, AGENTS = 100, 2000, 50, 20
PACE = 0.02
"""Seconds between the begins of two signals, if the machine keeps up."""
SETTLE_S = 14.0
_SEQ = re.compile(rb'"seq":(\d+)')


class Streams:
    """Readers of the stream of coordination, all in the thread that calls ``read``."""

    def __init__(self, path: str, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._tails = [b""] * count
        self.came: list[dict[int, float]] = [{} for _ in range(count)]
        """For each stream: when it got which sequence."""
        self._sockets = []
        for number in range(count):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(path)
            sock.sendall(b"GET /v1/watch?scope=coord HTTP/1.1\r\nHost: a\r\n\r\n")
            self._selector.register(sock, selectors.EVENT_READ, number)
            self._sockets.append(sock)

    def read(self, pause: float) -> None:
        """Take in what is there, or comes within ``pause`` seconds."""
        for key, _ in self._selector.select(pause):
            number: int = key.data
            data = self._tails[number] + self._sockets[number].recv(1 << 20)
            now = time.perf_counter()
            whole, _, self._tails[number] = data.rpartition(b"\n")
            for found in _SEQ.finditer(whole):
                self.came[number].setdefault(int(found[1]), now)

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


def push(quick: bool) -> list[Figure]:
    """100 streams, 2000 signals: from the request's begin until each stream has each signal."""
    count = SIGNALS // 10 if quick else SIGNALS
    with World() as world:
        world.server()
        world.start()
        streams, poster = Streams(world.socket, STREAMS), Poster(world.socket)
        began: dict[int, float] = {}
        over = threading.Event()

        def post() -> None:
            start = time.perf_counter()
            for number in range(count):
                time.sleep(max(0.0, start + number * PACE - time.perf_counter()))
                body = {"topic": "bench/load", "data": {"n": number}, "request_ref": f"bench-{number:06d}"}
                at = time.perf_counter()
                answer = poster.request("POST", "/v1/signals", json.dumps(body).encode())
                began[json.loads(answer)["item"]["seq"]] = at
            over.set()

        thread = threading.Thread(target=post, name="sender", daemon=True)
        thread.start()
        end = time.perf_counter() + 300
        while not (over.is_set() and all(len(came) >= count for came in streams.came)):
            streams.read(0.05)
            if time.perf_counter() > end:
                break
        took = [(at - began[seq]) * 1000 for came in streams.came for seq, at in came.items() if seq in began]
        streams.close()
        lost = STREAMS * count - len(took)
        return [
            Figure("signals", f"{STREAMS} streams, {count} signals, request -> stream, p95", p95(took), "ms", 100),
            Figure("signals", "... median", median(took), "ms"),
            Figure("signals", "... slowest", max(took), "ms"),
            Figure("signals", "... lost", lost, "lines", 0),
        ]


def waits(quick: bool) -> list[Figure]:
    """20 quiet agents: the CPU of the daemon without waits, and with 50 open ones that clients block on."""
    seconds = 20.0 if quick else 60.0
    with World() as world:
        for _, _, tty in world.agents(world.server(), AGENTS):
            Terminal(tty).show(idle().frames[0])
        pid = world.start()
        world.await_agents(AGENTS)
        refs = [item["ref"] for item in world.get("/v1/panes")["items"]]
        time.sleep(SETTLE_S)
        without, beside = [], []
        for turn in range(2):
            without.append(_percent(pid, seconds))
            made = [_open(world, refs, f"{turn}-{number:04d}") for number in range(WAITS)]
            blocked = [_block(world.socket, wait_id) for wait_id in made]
            time.sleep(3)
            beside.append(_percent(pid, seconds))
            for wait_id in made:
                world.post(f"/v1/waits/{wait_id}/cancel", {})
            for sock in blocked:
                sock.close()
            time.sleep(3)
        alone, both = sum(without) / len(without), sum(beside) / len(beside)
        note = f"{', '.join(f'{one:.2f}' for one in without)} without, {', '.join(f'{one:.2f}' for one in beside)} with"
        return [
            Figure("waits", f"daemon, {AGENTS} quiet agents, {WAITS} open waits, {seconds:g} s", both, "%", 1.0),
            Figure("waits", "... without waits", alone, "%"),
            Figure("waits", "... ratio", both / alone, "x", 1.25, note=note),
        ]


def _percent(pid: int, seconds: float) -> float:
    span = Span(pid, [])
    time.sleep(seconds)
    return span.percent()[0]


def _open(world: World, refs: list[str], name: str) -> str:
    """Make a wait for states that no agent will have, and for a signal that will not come."""
    body = {
        "mode": "any", "timeout_s": 3600, "request_ref": f"bench-{name}",
        "conditions": [*(f"state:{ref}=error" for ref in refs[:4]), "signal:bench/never"],
    }  # fmt: skip
    item = world.post("/v1/waits", body)["item"]
    if item["state"] != "open":
        raise RuntimeError(f"the wait is over already: {item}")
    return str(item["wait_id"])


def _block(path: str, wait_id: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    sock.sendall(f"GET /v1/waits/{wait_id}?block_s=45 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return sock
