"""The spool of this machine: one event that cannot be taken in holds up no other, trouble of the store costs none."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.ingest import spool
from agtmuxd.ingest.spool import SpoolReader
from agtmuxd.store.db import Store, open_database


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    connection, _ = open_database(str(tmp_path / "a.db"))
    store = Store(connection)
    store.start()
    yield store
    store.close()


def filled(folder: Path, count: int) -> Path:
    file = folder / "spool.jsonl"
    lines = [
        json.dumps({"event_id": f"e{n}", "event_type": "Stop", "agent_type": "claude", "n": n}) for n in range(count)
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


class BatchReceiver:
    """Takes a batch in or none of it, as a transaction does."""

    def __init__(self, fails: Callable[[int], Exception | None]) -> None:
        self.taken: list[int] = []
        self.fails = fails

    async def take(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            error = self.fails(event["n"])
            if error is not None:
                raise error
        self.taken.extend(event["n"] for event in events)


@pytest.mark.tc("TC-104")
async def test_an_event_that_cannot_be_taken_in_is_left_out_alone(tmp_path: Path, store: Store) -> None:
    """Those before and behind it are taken in once and in order, whatever batch they are in."""
    file = filled(tmp_path, 3 * spool.BATCH)
    bad = {7, spool.BATCH - 1, 2 * spool.BATCH}
    pipeline = BatchReceiver(lambda n: OverflowError("int too large") if n in bad else None)
    drain = SpoolReader(str(file), store, pipeline.take)
    await drain.drain()
    assert pipeline.taken == [n for n in range(3 * spool.BATCH) if n not in bad]
    assert (drain.drained.refused, drain.drained.events) == (3, 3 * spool.BATCH - 3)
    assert drain.waiting == 0


@pytest.mark.tc("TC-104")
@pytest.mark.parametrize("trouble", [AgtmuxError("E_STORE_UNAVAILABLE", "the disk is full"), OSError("input/output")])
async def test_trouble_that_is_no_events_fault_costs_none_of_them(
    tmp_path: Path, store: Store, trouble: Exception
) -> None:
    """Not even where it begins while a batch is taken in one by one: what was taken in by then has its id."""
    file = filled(tmp_path, 20)
    well = False
    pipeline = BatchReceiver(
        lambda n: ValueError("odd") if n == 3 else trouble if n == 9 and 2 in pipeline.taken and not well else None
    )
    drain = SpoolReader(str(file), store, pipeline.take)
    with pytest.raises(type(trouble)):
        await drain.drain()
    assert pipeline.taken == [0, 1, 2, 4, 5, 6, 7, 8]
    well = True
    await drain.drain()
    assert list(dict.fromkeys(pipeline.taken)) == [n for n in range(20) if n != 3]
    assert drain.waiting == 0


@pytest.mark.tc("TC-201")
@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "socket"])
async def test_what_stands_in_place_of_the_spool_holds_up_nothing_and_is_told(
    short_dir: Path, store: Store, kind: str
) -> None:
    """Neither under the spool's name nor under that of one that was taken over; a good one beside it is drained."""
    pipeline = BatchReceiver(lambda _: None)
    drain = SpoolReader(str(short_dir / "spool.jsonl"), store, pipeline.take)
    good = filled(short_dir, 3).rename(short_dir / "spool.jsonl.drain-00000000000000000002")
    for name in ("spool.jsonl", "spool.jsonl.drain-00000000000000000001"):
        path = short_dir / name
        match kind:
            case "pipe":
                os.mkfifo(path)
            case "folder":
                path.mkdir()
            case "link":
                path.symlink_to("/dev/zero")
            case "socket":
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                    sock.bind(str(path))
    async with asyncio.timeout(30):
        await drain.drain()
    assert pipeline.taken == [0, 1, 2]
    assert not good.exists()
    assert f"{short_dir / 'spool.jsonl'} is not a regular file: move it away" in str(drain.wrong)
    for name in ("spool.jsonl", "spool.jsonl.drain-00000000000000000001"):
        (short_dir / name).rename(short_dir / f"moved-{name}")
    filled(short_dir, 4)
    await drain.drain()
    assert (pipeline.taken[3:], drain.wrong) == ([0, 1, 2, 3], None)


HOLDER = """
import fcntl, os, signal, sys
file = open(sys.argv[1], "ab")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that was stopped while it holds the lock of ``spool.jsonl``."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "spool.jsonl")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.tc("TC-201")
async def test_a_stopped_process_that_holds_the_spools_lock_holds_up_nobody_for_long(
    tmp_path: Path, store: Store, stopped: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stopped.poll() is None
    file = filled(tmp_path, 5)  # written before it was locked: the lock is on this very file
    pipeline = BatchReceiver(lambda _: None)
    drain = SpoolReader(str(file), store, pipeline.take)
    monkeypatch.setattr(spool, "LOCK_WAIT", 0.2)
    async with asyncio.timeout(30):
        await drain.drain()
    assert pipeline.taken == [0, 1, 2, 3, 4]
    assert drain.waiting == 0


@pytest.mark.tc("TC-201")
async def test_draining_behind_a_held_lock_can_be_broken_off(
    tmp_path: Path, store: Store, stopped: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the daemon does at its end: no thread is left behind that waits for the lock."""
    assert stopped.poll() is None
    monkeypatch.setattr(spool, "LOCK_WAIT", 600.0)
    drain = SpoolReader(str(filled(tmp_path, 1)), store, BatchReceiver(lambda _: None).take)
    task = asyncio.create_task(drain.drain())
    while not list(tmp_path.glob("*.drain-*")):  # noqa: ASYNC110 - a file has no event
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(30):
        await asyncio.get_running_loop().shutdown_default_executor()


@pytest.mark.tc("TC-201")
async def test_a_long_spool_is_taken_in_by_small_slices_and_a_line_without_end_is_passed_over(
    tmp_path: Path, store: Store
) -> None:
    file = tmp_path / "spool.jsonl"
    events = [{"event_id": f"e{n}", "n": n, "payload": "x" * 10_000} for n in range(300)]
    lines = [json.dumps(event).encode() for event in events]
    lines.insert(150, b"{" * (spool.MAX_LINE * 2 + 10))
    file.write_bytes(b"\n".join(lines) + b"\n")
    sizes: list[int] = []

    async def take(some: list[dict[str, Any]]) -> None:
        sizes.append(sum(len(one["payload"]) for one in some))
        await pipeline.take(some)

    pipeline = BatchReceiver(lambda _: None)
    drain = SpoolReader(str(file), store, take)
    await drain.drain()
    assert pipeline.taken == list(range(300))
    assert max(sizes) <= spool.SLICE + 10_000
    assert drain.drained.broken == 1
