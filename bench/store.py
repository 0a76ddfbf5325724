"""A daemon over a large database: how soon it answers, and what that costs it."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from agtmuxd.core.model import NS
from agtmuxd.store import housekeeping
from agtmuxd.store.db import open_database
from bench.measure import Figure, cpu_s, median, rss_mib
from bench.world import World

PAYLOAD = 9000
"""Bytes of a tool call's payload, as agents that write files send them."""
RUNTIMES = 400
ACTIONS = 20_000


def large(quick: bool) -> list[Figure]:
    """A database of 1 GB (100 MB with --quick): started after an orderly end, and after a kill; beside an empty one."""
    figures = []
    for size in (0, 100_000_000 if quick else 1_000_000_000):
        with World() as world:
            world.server()
            path = world.root / "state" / "agtmux.db"
            build(path, size)
            name = f"{path.stat().st_size / 1e6:.0f} MB"
            for how, orderly in (("an orderly end", True), ("a kill", False)) if size else (("an orderly end", True),):
                answers, resident, cpus = _starts(world, path, orderly=orderly)
                figures += [
                    Figure("large", f"{name}, after {how}: started -> answers, median", median(answers), "s", 1.0),
                    Figure("large", "... daemon RSS, checks done, median", median(resident), "MiB", 80),
                    Figure("large", "... CPU until then, median", median(cpus), "s"),
                ]
    return figures


def _starts(world: World, path: Path, *, orderly: bool) -> tuple[list[float], list[float], list[float]]:
    answers, resident, cpus = [], [], []
    for _ in range(3):
        _left(path, orderly=orderly)
        began = time.perf_counter()
        pid = world.start()
        answers.append(time.perf_counter() - began)
        world.get("/v1/events?limit=20")
        _wait_for_check(world)
        resident.append(rss_mib(pid))
        cpus.append(cpu_s(pid))
        assert world.daemon is not None
        world.daemon.terminate()
        world.daemon.wait(20)
    return answers, resident, cpus


def build(path: Path, size: int) -> None:
    """A database of about ``size`` bytes at ``path``: events of many runtimes with large payloads, and actions."""
    connection, _ = open_database(str(path))
    connection.execute("PRAGMA synchronous=OFF")
    now = time.time_ns()
    connection.execute("BEGIN")
    connection.execute(
        "INSERT INTO targets (target_id, target_name, kind, is_default, health_since, updated_at)"
        " VALUES ('host', 'host', 'local', 1, ?, ?)",
        (now, now),
    )
    connection.executemany(
        "INSERT INTO runtimes (runtime_id, target_id, pane_id, tmux_server_boot_id, pane_epoch, agent_type, started_at,"
        " ended_at) VALUES (?, 'host', ?, '1.1', ?, 'claude', ?, ?)",
        ((f"rt-{n:040d}", f"%{n % 20}", n, now - 86_400 * NS, now - 3600 * NS) for n in range(RUNTIMES)),
    )
    connection.executemany(
        "INSERT INTO actions (action_id, action_type, request_ref, payload_digest, target_id, pane_id, requested_at,"
        " result_code) VALUES (?, 'send', ?, 'd', 'host', '%1', ?, 'done')",
        ((f"a{n}", f"r{n}", now - n * NS) for n in range(ACTIONS)),
    )
    connection.executemany(
        "INSERT INTO events VALUES (?, ?, 'PostToolUse', 'hook', NULL, NULL, ?, ?, ?, 'applied', NULL, ?)",
        (
            (f"e{n:030d}", f"rt-{n % RUNTIMES:040d}", now - n * NS, now - n * NS, f"k{n:064d}",
             f'{{"x":"{os.urandom(PAYLOAD // 2).hex()}"}}')
            for n in range(size // (PAYLOAD + 700))
        ),
    )  # fmt: skip
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _left(path: Path, *, orderly: bool) -> None:
    """As a daemon leaves it, with nothing of it in the system's cache."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE upkeep SET checked = 1")
    if orderly:
        housekeeping.note_closed(connection)
    else:
        connection.execute("UPDATE upkeep SET closed = 0")
    connection.close()
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def _wait_for_check(world: World) -> None:
    while world.get("/v1/health")["store"]["checking"]:
        time.sleep(0.1)
