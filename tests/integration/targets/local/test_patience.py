"""Calls that never return: the others still get their results, and nothing waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agtmuxd.targets.local.patience import HUNG_MOST, Patience

pytestmark = pytest.mark.tc("TC-261")


class Disk:
    """Folders, some of which hang until they are let go."""

    def __init__(self) -> None:
        self.hangs: set[str] = set()
        self.back = threading.Event()
        self.asked: list[str] = []

    def look(self, path: str) -> str:
        self.asked.append(path)
        if path in self.hangs:
            self.back.wait(60)
        return path.upper()


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    yield made
    made.back.set()


def patience(disk: Disk, tmp_path: Path, mounts: str = "") -> Patience[str]:
    (tmp_path / "mounts").write_text(mounts)
    return Patience(disk.look, limit=0.05, mounts=str(tmp_path / "mounts"))


async def test_a_call_that_hangs_is_left_out_and_the_others_are_made(disk: Disk, tmp_path: Path) -> None:
    disk.hangs = {"/b"}
    calls = patience(disk, tmp_path)
    assert await calls.call_all(["/a", "/b", "/c"]) == {"/a": "/A", "/c": "/C"}
    assert calls.hung == ["/b"]
    assert await calls.call_all(["/a", "/b", "/c"]) == {"/a": "/A", "/c": "/C"}
    assert disk.asked.count("/b") == 1, "it is not called again while it hangs"


async def test_a_call_that_returned_after_all_is_made_again(disk: Disk, tmp_path: Path) -> None:
    disk.hangs = {"/b"}
    calls = patience(disk, tmp_path)
    await calls.call_all(["/b"])
    disk.hangs = set()
    disk.back.set()
    for worker in calls._hung:
        await asyncio.to_thread(worker.join, 10)
    assert await calls.call_all(["/b"]) == {"/b": "/B"}


async def test_folders_of_a_mount_that_hangs_are_not_tried_one_by_one(disk: Disk, tmp_path: Path) -> None:
    disk.hangs = {"/net/gone/a", "/net/gone/b"}
    mounts = "36 35 98:0 / /net/gone rw - nfs far:/ rw\n37 35 98:0 / / rw - ext4 /dev/a rw\n"
    calls = patience(disk, tmp_path, mounts)
    assert await calls.call_all(["/net/gone/a", "/net/gone/b", "/home/c"]) == {"/home/c": "/HOME/C"}
    assert "/net/gone/b" not in disk.asked


async def test_only_so_many_threads_hang(disk: Disk, tmp_path: Path) -> None:
    disk.hangs = {f"/{n}" for n in range(20)}
    calls = patience(disk, tmp_path)
    assert await calls.call_all([*sorted(disk.hangs), "/z"]) == {}
    assert len(calls.hung) == len(disk.asked) == HUNG_MOST
    assert await calls.call_all(["/z"]) == {}


async def test_slow_calls_are_waited_for_as_long_as_they_go_on(disk: Disk, tmp_path: Path) -> None:
    steps = threading.Semaphore(0)

    def slow(path: str) -> str:
        steps.acquire()
        return path

    calls = Patience(slow, limit=0.2, mounts=str(tmp_path))
    waiting = asyncio.create_task(calls.call_all(["/a", "/b"]))
    await asyncio.sleep(0)
    steps.release(2)
    assert await waiting == {"/a": "/a", "/b": "/b"}
