"""What a feature brings is served, run and told; what goes wrong in one stays there."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from agtmuxd import features
from agtmuxd.daemon import FEATURES
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.host import FeatureHost
from agtmuxd.services.health import HealthPart
from agtmuxd.store.db import connect
from agtmuxd.store.migrate import folders, load, migrate
from agtmuxd.stream.history import Batch
from agtmuxd.stream.subscription import Resync, Subscriptions
from tests.fake_services import eventually
from tests.rig import Clock, Rig

pytestmark = pytest.mark.tc("TC-232")
FOLDER = Path(str(features.__file__)).parent


def test_each_folder_is_named_in_the_list_of_the_daemon_and_builds_a_feature() -> None:
    assert {folder.parent.name for folder in FOLDER.glob("*/__init__.py")} == set(FEATURES)
    for name in FEATURES:
        hints = get_type_hints(import_module(f"agtmuxd.features.{name}.feature").build)
        assert (hints.pop("return"), list(hints.values())) == (Feature, [Context])


def test_a_feature_brings_its_migrations_in_the_one_numbering(tmp_path: Path) -> None:
    own = tmp_path / "notes" / "migrations"
    at = len(load()) + 1
    own.mkdir(parents=True)
    (own / f"{at:04d}_notes.up.sql").write_text("CREATE TABLE notes (text TEXT);")
    (own / f"{at:04d}_notes.down.sql").write_text("DROP TABLE notes;")
    steps = load(*folders(), *folders(tmp_path)[1:])
    connection = connect(str(tmp_path / "a.db"))
    assert migrate(connection, steps) == at
    connection.execute("INSERT INTO notes VALUES ('x')")
    migrate(connection, steps, to=at - 1)
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("SELECT * FROM notes")
    connection.close()


NO_ROWS: Any = {"store": None, "clock": lambda: 0}


class Broken:
    """A feature in which everything fails."""

    async def on_changes(self, _batch: Batch) -> None:
        raise RuntimeError("changes")

    async def on_resync(self, _reason: Resync) -> None:
        raise RuntimeError("resync")

    async def run(self) -> None:
        raise RuntimeError("task")

    def health(self) -> HealthPart:
        raise RuntimeError("health")


async def test_a_feature_that_fails_is_told_in_health_and_the_others_go_on() -> None:
    broken, going = Broken(), asyncio.Event()

    async def go_on() -> None:
        going.set()
        await asyncio.Event().wait()

    good = Feature(run=go_on, health=lambda: HealthPart(notes=("fine",), counters={"sent": 3}))
    host = FeatureHost(
        {"bad": Feature(subscriber=broken, run=broken.run, health=broken.health), "good": good},
        Subscriptions(),
        **NO_ROWS,
    )  # fmt: skip
    tasks: list[asyncio.Task[None]] = []
    with suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            tasks = host.start(group)
            await eventually(lambda: going.is_set() and host.health().counters["bad_subscriber_failures"] == 1)
            await eventually(lambda: len(host.health().problems) == 2)
            result = host.health()
            alive = [task.get_name() for task in tasks if not task.done()]
            for task in tasks:
                task.cancel()
    assert result.problems == ("bad: its task ended: RuntimeError: task", "bad: its health is unknown: RuntimeError")
    assert result.notes == ("good: fine",)
    assert result.counters["good_sent"] == 3
    assert alive == ["changes for bad", "feature good"]


def test_a_reload_reaches_every_feature_whatever_one_of_them_does() -> None:
    reloads: list[str] = []

    def fail() -> None:
        raise RuntimeError("reload")

    bad, good = Feature(reloaded=fail), Feature(reloaded=lambda: reloads.append("good"))
    FeatureHost({"bad": bad, "none": Feature(), "good": good}, Subscriptions(), **NO_ROWS).reloaded()
    assert reloads == ["good"]


def test_a_feature_that_gives_nothing_takes_nothing() -> None:
    host = FeatureHost({"none": Feature()}, Subscriptions(), **NO_ROWS)
    served: list[Any] = host.tables
    assert (served, host.health()) == ([], HealthPart())


async def test_old_rows_are_deleted_at_the_start_and_one_feature_that_fails_does_not_keep_others_from_it(
    tmp_path: Path,
) -> None:
    calls: list[int] = []

    def fail(_connection: sqlite3.Connection, _now: int) -> int:
        raise RuntimeError("purge")

    def purge(connection: sqlite3.Connection, now: int) -> int:
        calls.append(now)
        return connection.execute("DELETE FROM agent_numbers").rowcount

    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await rig.store.run(lambda c: c.execute("INSERT INTO agent_numbers VALUES ('claude', 2)").rowcount)
        host = FeatureHost(
            {"bad": Feature(purge=fail), "good": Feature(purge=purge)}, Subscriptions(),
            store=rig.store, clock=rig.clock,
        )  # fmt: skip
        with suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as group:
                tasks = host.start(group)
                await eventually(lambda: bool(calls) and host.health().counters["bad_purge_failures"] == 1)
                for task in tasks:
                    task.cancel()
        assert calls == [rig.clock()]
        assert rig.rows("SELECT * FROM agent_numbers") == []
