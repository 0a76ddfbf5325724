"""Parts of the daemon hear of published changes: after the commit, in order, and without delaying anybody."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.ingest.commit import publish
from agtmuxd.stream.history import Batch
from agtmuxd.stream.published import PublishedRows, changes_for
from agtmuxd.stream.subscription import Resync, Subscription, Subscriptions
from tests.fake_services import eventually
from tests.rig import Agent, Clock, Rig, event
from tests.rows import by_key, pane

pytestmark = pytest.mark.tc("TC-231")


class RecordingSubscriber:
    """A subscriber that keeps what it heard. While ``gate`` is shut it takes nothing; ``trouble`` it raises."""

    def __init__(self) -> None:
        self.heard: list[int | Resync] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.trouble: Exception | None = None

    async def on_changes(self, batch: Batch) -> None:
        await self.gate.wait()
        self.heard.append(batch.sequence)
        if self.trouble is not None:
            raise self.trouble

    async def on_resync(self, reason: Resync) -> None:
        self.heard.append(reason)


@asynccontextmanager
async def running(*subscriptions: Subscription) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.run()) for one in subscriptions]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def batch(sequence: int, panes: int = 1) -> Batch:
    empty = PublishedRows("s", 0, {})
    return Batch(sequence, 0, changes_for(empty, dict(by_key(*(pane(f"%{n}") for n in range(panes))))))


async def test_a_subscriber_reads_first_and_then_hears_each_publication_in_order() -> None:
    ear, all_ = RecordingSubscriber(), Subscriptions()
    async with running(all_.add("ear", ear)):
        await eventually(lambda: ear.heard)
        for sequence in (1, 2, 3):
            all_.publish(batch(sequence))
        await eventually(lambda: len(ear.heard) == 4)
    assert ear.heard == [Resync.STARTED, 1, 2, 3]


class Witness(Subscriptions):
    """Looks into the file at the moment at which a publication is handed on."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.committed: list[bool] = []
        self._path = path

    def publish(self, batch: Batch) -> None:
        with closing(sqlite3.connect(self._path)) as other:
            (newest,) = other.execute("SELECT max(sequence) FROM stream_log").fetchone()
        self.committed.append((newest or 0) >= batch.sequence)
        super().publish(batch)


async def test_what_is_heard_is_committed_already(tmp_path: Path) -> None:
    path, ear, agent = tmp_path / "a.db", RecordingSubscriber(), Agent()
    async with Rig(path, Clock()) as rig:
        rig.subscriptions = witness = Witness(path)
        async with running(witness.add("ear", ear)):
            await eventually(lambda: ear.heard)
            await rig.round(agent)
            await rig.post(event("UserPromptSubmit", agent, at=rig.clock.forward(1)))
            await eventually(lambda: len(ear.heard) == 1 + len(rig.published))
    assert ear.heard == [Resync.STARTED, *(sequence for sequence, _ in rig.published)]
    assert witness.committed and all(witness.committed)


async def test_nothing_is_heard_of_what_could_not_be_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agtmuxd.store.db.BUSY_WAITS", (0.001,))
    ear, agent = RecordingSubscriber(), Agent()
    async with Rig(tmp_path / "a.db", Clock()) as rig, running(rig.subscriptions.add("ear", ear)):
        await rig.round(agent)
        await eventually(lambda: len(ear.heard) == 1 + len(rig.published))
        before = len(ear.heard)
        with monkeypatch.context() as full:
            full.setattr("agtmuxd.ingest.pipeline.publish", full_disk)
            with pytest.raises(AgtmuxError, match="disk is full"):
                await rig.post(event("UserPromptSubmit", agent, at=rig.clock.forward(1)))
        await rig.post(event("UserPromptSubmit", agent, at=rig.clock.forward(1)))
        await eventually(lambda: len(ear.heard) > before)
    assert ear.heard == [Resync.STARTED, *(sequence for sequence, _ in rig.published)]


def full_disk(*args: Any) -> Any:
    """The rows are written, the commit is not possible."""
    publish(*args)
    raise sqlite3.OperationalError("database or disk is full")


async def test_a_slow_subscriber_learns_that_it_has_to_read_again_and_the_others_lose_nothing() -> None:
    slow, quick, all_ = RecordingSubscriber(), RecordingSubscriber(), Subscriptions()
    made = all_.add("slow", slow, 2 * batch(1).size), all_.add("quick", quick)
    async with running(*made):
        await eventually(lambda: slow.heard and quick.heard)
        slow.gate.clear()
        for sequence in range(1, 9):
            all_.publish(batch(sequence))
            await eventually(lambda: len(quick.heard) == sequence + 1)  # noqa: B023 awaited at once
        slow.gate.set()
        await eventually(lambda: Resync.OVERFLOW in slow.heard)
        all_.publish(batch(9))
        await eventually(lambda: slow.heard[-1] == 9)
    assert quick.heard == [Resync.STARTED, *range(1, 10)]
    assert slow.heard == [Resync.STARTED, 1, Resync.OVERFLOW, 9], "what it had in hand, then no part of what was lost"
    assert made[0].overflows == 1


async def test_one_publication_that_is_larger_than_the_queue_is_nobodys_slowness() -> None:
    ear = RecordingSubscriber()
    made = Subscription("ear", ear, 2)
    async with running(made):
        await eventually(lambda: ear.heard)
        made.publish(batch(1, panes=20))
        await eventually(lambda: ear.heard[-1] == 1)
    assert made.overflows == 0


async def test_what_a_subscriber_raises_is_logged_and_touches_nobody_else() -> None:
    bad, good, all_ = RecordingSubscriber(), RecordingSubscriber(), Subscriptions()
    made = all_.add("bad", bad), all_.add("good", good)
    with capture_logs() as logs:
        async with running(*made):
            await eventually(lambda: bad.heard and good.heard)
            bad.trouble = RuntimeError("broken")
            all_.publish(batch(1))
            await eventually(lambda: made[0].failures == 1 and good.heard[-1] == 1)
            assert bad.heard == [Resync.STARTED, 1], "it is left alone until there is something new to read"
            bad.trouble = None
            all_.publish(batch(2))
            all_.publish(batch(3))
            await eventually(lambda: bad.heard[-1] == Resync.FAILED and good.heard[-1] == 3)
            all_.publish(batch(4))
            await eventually(lambda: bad.heard[-1] == 4)
    assert good.heard == [Resync.STARTED, 1, 2, 3, 4]
    assert [(one["event"], one["subscriber"]) for one in logs] == [("subscriber failed", "bad")]
