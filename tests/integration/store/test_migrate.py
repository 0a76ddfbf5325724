"""Migrations and constraints, on real database files."""

from __future__ import annotations

import sqlite3
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.store.db import connect, open_database
from agtmuxd.store.migrate import Migration, load, migrate, version

ROOT = Path(__file__).resolve().parents[3]


def dump(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    """Every table, index, trigger and view with the text that made it. SQLite's own counters are left out."""
    return connection.execute(
        "SELECT type, name, tbl_name, ifnull(sql, '') FROM sqlite_master WHERE name <> 'sqlite_sequence' ORDER BY 1, 2"
    ).fetchall()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(str(tmp_path / "a.db"))
    yield connection
    connection.close()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection, _ = open_database(str(tmp_path / "a.db"))
    yield connection
    connection.close()


# ------------------------------------------------ migrations


@pytest.mark.tc("TC-001")
def test_each_migration_can_be_taken_back_and_leaves_the_schema_as_it_was(empty: sqlite3.Connection) -> None:
    steps = load()
    for step in steps:
        before = dump(empty)
        migrate(empty, steps, to=step.number)
        applied = dump(empty)
        assert applied != before
        migrate(empty, steps, to=step.number - 1)
        assert (dump(empty), version(empty)) == (before, step.number - 1)
        migrate(empty, steps, to=step.number)
        assert dump(empty) == applied
    assert version(empty) == steps[-1].number


@pytest.mark.tc("TC-001")
def test_a_full_database_can_be_rolled_back_as_well_as_an_empty_one(db: sqlite3.Connection) -> None:
    fill(db)
    migrate(db, load(), to=0)
    assert dump(db) == []
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@pytest.mark.tc("TC-001")
def test_a_database_newer_than_the_program_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection, _ = open_database(str(path))
    connection.execute("CREATE TABLE of_the_future (x)")
    connection.execute(f"PRAGMA user_version = {len(load()) + 1}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(AgtmuxError) as caught:
        open_database(str(path))
    assert caught.value.code == "E_STORE_UNAVAILABLE"
    assert "install the newer agtmux" in caught.value.message
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.corrupt*"))


@pytest.mark.tc("TC-001")
@pytest.mark.parametrize(
    "broken",
    ["CREATE TABLE second (x); CREATE TABLE second (y);", "CREATE TABLE second (x); INSERT INTO nowhere VALUES (1);"],
)
def test_a_migration_that_breaks_half_way_leaves_nothing_of_itself(empty: sqlite3.Connection, broken: str) -> None:
    steps = [*load(), Migration(len(load()) + 1, broken, "DROP TABLE second;")]
    migrate(empty, steps, to=steps[-2].number)
    before = dump(empty)
    with pytest.raises(sqlite3.OperationalError):
        migrate(empty, steps)
    assert (dump(empty), version(empty)) == (before, steps[-2].number)
    assert not empty.in_transaction


@pytest.mark.tc("TC-001")
@pytest.mark.parametrize(
    "names",
    [["0001_a.up.sql"], ["0001_a.up.sql", "0001_a.down.sql", "0003_c.up.sql", "0003_c.down.sql"],
     ["0001_a.up.sql", "0001_a.down.sql", "0001_b.up.sql"], ["1_a.up.sql"], []],
)  # fmt: skip
def test_a_set_of_migrations_with_a_gap_a_double_or_no_way_back_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(AgtmuxError) as caught:
        load(tmp_path)
    assert caught.value.code == "E_INTERNAL"


@pytest.mark.tc("TC-001")
def test_the_wheel_ships_the_migrations_where_the_program_looks_for_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert shipped["migrations"] == "agtmuxd/migrations"
    assert [p.name for p in sorted((ROOT / "migrations").glob("*.sql"))]
    assert not (ROOT / "migrations").is_symlink()  # a symlink is dropped from a wheel without a word


@pytest.mark.tc("TC-001")
def test_opening_twice_changes_nothing_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    first, _ = open_database(str(path))
    before = dump(first)
    first.close()
    again, set_aside = open_database(str(path))
    assert (dump(again), set_aside) == (before, None)
    assert path.stat().st_mode & 0o777 == 0o600
    assert again.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert again.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    again.close()


@pytest.mark.tc("TC-001")
def test_the_data_model_is_all_there(db: sqlite3.Connection) -> None:
    tables = {r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables >= {
        "targets", "panes", "runtimes", "events", "event_inbox", "runtime_source_cursors", "candidates", "states",
        "actions", "action_snapshots", "adapters", "stream", "stream_log", "spool_offsets",
    }  # fmt: skip


# ------------------------------------------------ constraints


def put(connection: sqlite3.Connection, table: str, **values: object) -> None:
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608


def row(table: str, **more: Any) -> dict[str, Any]:
    """A right row of this table."""
    rows: dict[str, dict[str, Any]] = {
        "targets": {"target_id": "t1", "target_name": "host", "kind": "local", "health_since": 1, "updated_at": 1},
        "panes": {
            "target_id": "t1", "pane_id": "%1", "tmux_server_boot_id": "b", "session_id": "$1", "session_name": "s",
            "window_id": "@1", "window_index": 0, "window_name": "w", "pane_index": 0, "title": "",
            "current_command": "zsh", "current_path": "/", "pane_pid": 1, "active": 1, "dead": 0, "first_seen_at": 1,
            "updated_at": 1,
        },
        "runtimes": {
            "runtime_id": "r1", "target_id": "t1", "pane_id": "%1", "tmux_server_boot_id": "b", "pane_epoch": 1,
            "agent_type": "claude", "started_at": 1,
        },
        "actions": {
            "action_id": "a1", "action_type": "send", "request_ref": "q1", "payload_digest": "d", "requested_at": 1,
        },
        "action_snapshots": {
            "snapshot_id": "s1", "action_id": "a1", "target_id": "t1", "pane_id": "%1", "observed_at": 1,
            "expires_at": 2, "nonce": "n",
        },
        "events": {
            "event_id": "e1", "runtime_id": "r1", "event_type": "Stop", "source": "hook", "event_time": 1,
            "ingested_at": 1, "dedupe_key": "k1", "applied": "applied",
        },
        "event_inbox": {
            "target_id": "t1", "event_id": "e1", "event_type": "Stop", "source": "hook", "dedupe_key": "k1",
            "event_time": 1, "ingested_at": 1, "status": "pending_bind",
        },
        "runtime_source_cursors": {
            "runtime_id": "r1", "source": "hook", "last_order_event_time": 1, "last_order_ingested_at": 1,
            "last_order_event_id": "e1",
        },
        "candidates": {
            "runtime_id": "r1", "source": "hook", "subject": "turn", "reason_code": "Stop", "claim": "completed",
            "strength": "definitive", "since": 1, "last_seen": 1, "evidence_json": "{}",
        },
        "retirement_marks": {"runtime_id": "r1", "mark": "turn_end", "at": 1},
        "states": {
            "target_id": "t1", "pane_id": "%1", "runtime_id": "r1", "state": "idle", "confidence": "high",
            "state_version": 1, "since": 1, "last_seen_at": 1, "updated_at": 1,
        },
        "adapters": {
            "adapter_name": "claude", "agent_type": "claude", "version": "1", "contract_version": "1.0",
            "capabilities_json": "{}", "updated_at": 1,
        },
        "stream": {"one": 1, "stream_id": "s", "next_sequence": 1, "created_at": 1},
        "stream_log": {"stream_id": "s", "sequence": 1, "scope": "panes", "changes_json": "[]", "committed_at": 1},
        "published": {"item_key": "host/%1", "item_json": "{}"},
        "spool_offsets": {"target_id": "t1", "spool_file": "f", "offset": 0, "updated_at": 1},
    }  # fmt: skip
    return {**rows[table], **more}


ORDER = (
    "targets", "panes", "runtimes", "actions", "action_snapshots", "events", "event_inbox", "runtime_source_cursors",
    "candidates", "retirement_marks", "states", "adapters", "stream", "stream_log", "published", "spool_offsets",
)  # fmt: skip


def fill(connection: sqlite3.Connection) -> None:
    for table in ORDER:
        put(connection, table, **row(table))


WRONG: list[tuple[str, str, dict[str, Any]]] = [
    ("PK targets", "targets", {"target_name": "other"}),
    ("UNIQUE target_name", "targets", {"target_id": "t2"}),
    ("CHECK kind", "targets", {"target_id": "t2", "target_name": "b", "kind": "telnet"}),
    ("CHECK health", "targets", {"target_id": "t2", "target_name": "b", "health": "well"}),
    ("STRICT", "targets", {"target_id": "t2", "target_name": "b", "updated_at": "yesterday"}),
    ("PK panes", "panes", {}),
    ("FK panes to targets", "panes", {"target_id": "none"}),
    ("PK runtimes", "runtimes", {"pane_id": "%2"}),
    ("UNIQUE epoch", "runtimes", {"runtime_id": "r2"}),
    ("one active runtime", "runtimes", {"runtime_id": "r2", "pane_epoch": 2}),
    ("one active runtime, another server", "runtimes", {"runtime_id": "r2", "tmux_server_boot_id": "b2"}),
    ("FK runtimes to targets", "runtimes", {"runtime_id": "r2", "target_id": "none"}),
    ("PK actions", "actions", {"request_ref": "q2"}),
    ("UNIQUE request", "actions", {"action_id": "a2"}),
    ("CHECK result", "actions", {"action_id": "a2", "request_ref": "q2", "result_code": "maybe"}),
    ("PK snapshots", "action_snapshots", {}),
    ("FK snapshots to actions", "action_snapshots", {"snapshot_id": "s2", "action_id": "none"}),
    ("PK events", "events", {"dedupe_key": "k2"}),
    ("UNIQUE dedupe", "events", {"event_id": "e2"}),
    ("FK events to runtimes", "events", {"event_id": "e2", "dedupe_key": "k2", "runtime_id": "none"}),
    ("FK events to actions", "events", {"event_id": "e2", "dedupe_key": "k2", "action_id": "none"}),
    ("dedupe key never empty", "events", {"event_id": "e2", "dedupe_key": ""}),
    ("CHECK applied", "events", {"event_id": "e2", "dedupe_key": "k2", "applied": "perhaps"}),
    ("UNIQUE inbox without a pane", "event_inbox", {}),
    ("inbox key never empty", "event_inbox", {"dedupe_key": ""}),
    ("CHECK inbox status", "event_inbox", {"dedupe_key": "k2", "status": "lost"}),
    ("PK cursors", "runtime_source_cursors", {}),
    ("FK cursors", "runtime_source_cursors", {"runtime_id": "none"}),
    ("PK candidates", "candidates", {}),
    ("FK candidates", "candidates", {"runtime_id": "none"}),
    ("CHECK strength", "candidates", {"subject": "other", "strength": "strong"}),
    ("PK marks", "retirement_marks", {}),
    ("PK states", "states", {}),
    ("FK states to runtimes", "states", {"pane_id": "%2", "runtime_id": "none"}),
    ("CHECK confidence", "states", {"pane_id": "%2", "confidence": "sure"}),
    ("CHECK attention", "states", {"pane_id": "%2", "attention": "please"}),
    ("PK adapters", "adapters", {}),
    ("one stream", "stream", {"one": 2}),
    ("PK stream log", "stream_log", {}),
    ("CHECK scope", "stream_log", {"scope": "galaxies"}),
    ("PK published", "published", {}),
    ("PK spool", "spool_offsets", {}),
]


@pytest.mark.tc("TC-002")
@pytest.mark.parametrize(("table", "change"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_write_is_rejected(db: sqlite3.Connection, table: str, change: dict[str, Any]) -> None:
    fill(db)
    before = db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    with pytest.raises(sqlite3.IntegrityError):
        put(db, table, **row(table, **change))
    assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == before  # noqa: S608


@pytest.mark.tc("TC-002")
def test_the_same_occurrence_may_stand_once_per_runtime_and_pane(db: sqlite3.Connection) -> None:
    fill(db)
    put(db, "runtimes", **row("runtimes", runtime_id="r2", pane_id="%2"))
    put(db, "events", **row("events", event_id="e2", runtime_id="r2"))
    put(db, "event_inbox", **row("event_inbox", pane_id="%2"))


@pytest.mark.tc("TC-002")
def test_what_belongs_to_a_target_goes_with_it(db: sqlite3.Connection) -> None:
    fill(db)
    db.execute("DELETE FROM targets WHERE target_id = 't1'")
    for table in ("panes", "runtimes", "events", "candidates", "retirement_marks", "runtime_source_cursors", "states"):
        assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0, table  # noqa: S608


# ------------------------------------------------ one active runtime per pane


@pytest.mark.tc("TC-003")
def test_of_two_writers_at_once_only_one_may_begin_a_runtime_in_a_pane(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    connection, _ = open_database(path)
    put(connection, "targets", **row("targets"))
    connection.close()
    rounds, won, lost = 12, [], []
    gate = threading.Barrier(2)

    def write(name: str) -> None:
        mine = connect(path)
        mine.execute("PRAGMA busy_timeout = 10000")
        for number in range(rounds):
            gate.wait()
            pane = f"%{number}"
            try:
                put(
                    mine,
                    "runtimes",
                    **row("runtimes", runtime_id=f"{name}{number}", pane_id=pane, pane_epoch=ord(name)),
                )
            except sqlite3.IntegrityError as error:
                lost.append((pane, str(error)))
            else:
                won.append(pane)
        mine.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted(f"%{n}" for n in range(rounds))
    assert len(lost) == rounds
    assert all("runtimes.target_id, runtimes.pane_id" in why for _, why in lost)


@pytest.mark.tc("TC-003")
def test_a_pane_may_have_many_ended_runtimes_and_then_one_more(db: sqlite3.Connection) -> None:
    fill(db)
    db.execute("UPDATE runtimes SET ended_at = 5")
    put(db, "runtimes", **row("runtimes", runtime_id="r2", pane_epoch=2, ended_at=6))
    put(db, "runtimes", **row("runtimes", runtime_id="r3", pane_epoch=3))
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("UPDATE runtimes SET ended_at = NULL WHERE runtime_id = 'r1'")
