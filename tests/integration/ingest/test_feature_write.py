"""A feature's write and what it publishes are one transaction, in the stream's order."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import Source
from agtmuxd.ingest.feature_write import PublishChange
from agtmuxd.store import history
from agtmuxd.stream.hub import Hub
from agtmuxd.stream.watcher import WatchRequest
from tests.rig import BUSY, Agent, Clock, Rig

pytestmark = pytest.mark.tc("TC-602")


def one(name: str) -> Any:
    def work(connection: sqlite3.Connection, publish: PublishChange) -> str:
        connection.execute("INSERT INTO teams (team_id, name, created_at) VALUES (?, ?, 1)", (name, name))
        publish("team", name, {"name": name})
        return name

    return work


def refused(connection: sqlite3.Connection, publish: PublishChange) -> None:
    one("half")(connection, publish)
    raise AgtmuxError("E_LEASE_CONFLICT", "somebody holds it")


async def test_what_is_published_is_committed_with_the_rows_in_the_same_sequence(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        assert await rig.pipeline.write(one("web")) == "web"
        ((sequence, changes),) = rig.published
        assert [change.item for change in changes["coord"]] == [{"name": "web"}]
        assert rig.rows("SELECT sequence FROM coord_log") == [(sequence,)]
        assert rig.rows("SELECT name FROM teams") == [("web",)]


async def test_a_refused_write_leaves_nothing_behind_and_others_of_its_transaction_go_on(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        results = await asyncio.gather(
            rig.pipeline.write(one("a")), rig.pipeline.write(refused), rig.pipeline.write(one("b")),
            return_exceptions=True,
        )  # fmt: skip
        assert (results[0], results[2]) == ("a", "b")
        assert isinstance(results[1], AgtmuxError)
        assert rig.rows("SELECT name FROM teams ORDER BY 1") == [("a",), ("b",)]
        assert [c.key for _, changes in rig.published for c in changes["coord"]] == ["team/a", "team/b"]
        assert rig.pipeline.counters["failed_operations"] == 0


async def test_a_write_that_breaks_a_rule_of_the_database_fails_alone(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        results = await asyncio.gather(
            rig.pipeline.write(one("a")), rig.pipeline.write(one("a")), rig.pipeline.write(one("b")),
            return_exceptions=True,
        )  # fmt: skip
        assert [isinstance(result, sqlite3.IntegrityError) for result in results] == [False, True, False]
        assert rig.rows("SELECT name FROM teams ORDER BY 1") == [("a",), ("b",)]


@pytest.mark.parametrize("scope", ["coord", "all"])
@pytest.mark.parametrize("ring", [2048, 1])
async def test_a_watcher_resumes_without_loss_or_repetition(tmp_path: Path, scope: str, ring: int) -> None:
    """From the ring and from the log, between changes of panes."""
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await rig.pipeline.write(one("first"))
        cursor = f"{rig.view.stream_id}:{rig.view.sequence}"
        log = history.log_of(rig.store, rig.view.stream_id)
        hub = Hub(rig.view, now=rig.clock, read_log=log, ring=ring)
        for name in ("a", "b"):
            await rig.steady(Agent(pane="%1"), Source.POLLER, BUSY)
            await rig.pipeline.write(one(name))
        hub.history.sequence = rig.view.sequence
        watcher = await hub.open(WatchRequest(scope, cursor=cursor, once=True))
        text = b"".join([line async for line in watcher.lines()]).decode()
        watcher.close()
        assert [text.count(f'"id":"{name}"') for name in ("first", "a", "b")] == [0, 1, 1]
        assert ("%1" in text) == (scope == "all")


async def test_a_snapshot_of_coordination_is_empty_and_says_where_it_begins(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await rig.pipeline.write(one("a"))
        hub = Hub(rig.view, now=rig.clock, read_log=history.log_of(rig.store, rig.view.stream_id))
        watcher = await hub.open(WatchRequest("coord", once=True))
        (line,) = [line async for line in watcher.lines()]
        watcher.close()
        assert b'"type":"snapshot"' in line
        assert b'"items":[]' in line
        assert f'"cursor":"{rig.view.stream_id}:{rig.view.sequence}"'.encode() in line
