"""Durable ingest: batches of posted events, their rate, and the memory that they leave behind."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator

from bench.measure import Figure, cpu_s, median, rss_mib
from bench.watchers import Poster
from bench.world import World

BATCH = 100
CLIENTS = 4


def events(quick: bool) -> list[Figure]:
    """Case 4: hook events of 60 agents, four clients, batches of 100, each answered when it is on disk."""
    total = 20_000 if quick else 200_000
    with World() as world:
        server = world.server()
        panes = world.agents(server, 60)
        pid = world.start()
        world.await_agents(60, known=False)
        tmux = {"socket": str(server.socket), "server_pid": server.pid}
        left = iter(range(total // BATCH))
        lock, rss = threading.Lock(), [rss_mib(pid)]
        stamps: list[tuple[float, int]] = []
        statuses: dict[str, int] = {}

        def work() -> None:
            poster = Poster(world.socket)
            while True:
                with lock:
                    number = next(left, None)
                if number is None:
                    break
                answer = poster.request("POST", "/v1/events", json.dumps(_batch(number, panes, tmux)).encode())
                results = json.loads(answer)["results"]
                with lock:
                    for result in results:
                        statuses[result["status"]] = statuses.get(result["status"], 0) + 1
                    stamps.append((time.monotonic(), len(results)))
            poster.close()

        began, cpu = time.monotonic(), cpu_s(pid)
        threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
            rss.append(rss_mib(pid))
        wall, cpu = time.monotonic() - began, cpu_s(pid) - cpu
        fifth = list(_fifths(began, stamps))
        note = ", ".join(f"{n} {status}" for status, n in sorted(statuses.items()))
        quarter = max(1, len(rss) // 4)
        return [
            Figure("ingest", f"{total} events, rate over all", total / wall, "ev/s", 3000, at_least=True, note=note),
            Figure("ingest", "... slowest fifth", min(fifth), "ev/s", 3000, at_least=True),
            Figure("ingest", "... CPU of the daemon and its children per event", cpu / total * 1e6, "us"),
            Figure("ingest", "daemon RSS before", rss[0], "MiB"),
            Figure("ingest", "daemon RSS, second quarter, median", median(rss[quarter : 2 * quarter + 1]), "MiB"),
            Figure("ingest", "daemon RSS at the end", rss[-1], "MiB", 80),
            Figure("ingest", "... growth over the second half", rss[-1] - rss[len(rss) // 2], "MiB", 4),
        ]


def _fifths(began: float, stamps: list[tuple[float, int]]) -> Iterator[float]:
    stamps.sort()
    size = len(stamps) // 5
    last = began
    for i in range(5):
        part = stamps[i * size : (i + 1) * size]
        yield sum(n for _, n in part) / (part[-1][0] - last)
        last = part[-1][0]


def _batch(number: int, panes: list[tuple[str, int, str]], tmux: dict[str, object]) -> dict[str, object]:
    out = []
    for i in range(BATCH):
        pane, pid, _ = panes[(number * BATCH + i) % len(panes)]
        turn = (number * BATCH + i) // len(panes) % 4
        name = ("UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop")[turn]
        event_id = f"bench-{number:06d}-{i:03d}-{os.urandom(4).hex()}"
        out.append(
            {
                "event_id": event_id, "source_event_id": event_id, "event_type": name, "source": "hook",
                "agent_type": "claude", "event_time": time.time_ns(), "pane_id": pane, "tmux": tmux, "pid": pid,
                "payload": {
                    "session_id": f"session-{pane}", "hook_event_name": name, "cwd": "/tmp", "prompt": "do it",
                    "tool_name": "Bash", "tool_input": {"command": "make test " + "x" * 200},
                },
            }
        )  # fmt: skip
    return {"events": out}
