"""Read and write history: events, the inbox, the stream log, the published items, and what retention deletes.

Owns their SQL and makes no decisions.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import NS, Ancestor, RawEvent, Source
from agtmuxd.store import housekeeping
from agtmuxd.store import payload_text as echo
from agtmuxd.store.current import dumps
from agtmuxd.store.db import Store
from agtmuxd.stream.coordination import ALL, COORD
from agtmuxd.stream.published import Change

PAYLOAD_CAP = 16 * 1024
"""Characters of a redacted payload that are kept with its event."""
SPARE_PAGES = 4000
"""Free pages that stay in the file for later use."""


ReadLog = Callable[[int, str, int], Awaitable[list[tuple[int, int, list[Change]]] | None]]
"""``await read_log(after, scope, limit)``: lists (sequence, time in ns, changes), as ``read_batches`` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionLimits:
    """How long history is kept, in ns; ``stream_rows`` counts rows."""

    payloads: int = 7 * 86_400 * NS
    events: int = 14 * 86_400 * NS
    actions: int = 90 * 86_400 * NS
    views: int = 7 * 86_400 * NS
    stream: int = 86_400 * NS
    stream_rows: int = 100_000


def payload_text(payload: Mapping[str, Any]) -> str | None:
    """Encode a payload for its row, cut after ``PAYLOAD_CAP`` characters; None for an empty one."""
    if not payload:
        return None
    text = dumps(payload)
    return text if len(text) <= PAYLOAD_CAP else dumps({"cut": len(text), "start": text[:PAYLOAD_CAP]})


def add_event(connection: sqlite3.Connection, event: RawEvent, runtime_id: str, applied: str) -> bool:
    """Insert an event; False if this occurrence is already stored. ``store.payload_text`` shortens its payload."""
    kept = echo.shorten_texts(connection, runtime_id, event.source.value, event.event_id, event.payload, dumps)
    cursor = connection.execute(
        "INSERT INTO events (event_id, runtime_id, event_type, source, source_event_id, source_seq, event_time,"
        " ingested_at, dedupe_key, applied, action_id, raw_payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (event.event_id, runtime_id, event.event_type, event.source.value, event.source_event_id, event.source_seq,
         event.event_time, event.ingested_at, event.dedupe_key, applied, event.action_id, payload_text(kept)),
    )  # fmt: skip
    return cursor.rowcount == 1


def mark_late(connection: sqlite3.Connection, event_id: str) -> None:
    """Note that an event was late: it changed no register."""
    connection.execute("UPDATE events SET applied = 'late' WHERE event_id = ?", (event_id,))


def _envelope(event: RawEvent) -> str:
    return dumps(
        {
            "agent_type": event.agent_type, "source_event_id": event.source_event_id, "source_seq": event.source_seq,
            "tmux_socket": event.tmux_socket, "tmux_server_pid": event.tmux_server_pid, "spooled": event.spooled,
            "apart": event.apart,
            "chain": [[a.pid, a.start, list(a.argv), a.comm, a.pgid] for a in event.chain], "env": event.env,
            "payload": event.payload,
        }
    )  # fmt: skip


def add_pending(connection: sqlite3.Connection, event: RawEvent, session_key: str | None) -> int | None:
    """Put an unbound event into the inbox. Return its row id, or None if it is already there."""
    cursor = connection.execute(
        "INSERT INTO event_inbox (target_id, pane_id, session_key, event_id, event_type, source, dedupe_key,"
        " event_time, ingested_at, pid, start_hint, status, envelope)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending_bind', ?) ON CONFLICT DO NOTHING",
        (event.target_id or "", event.pane_id, session_key, event.event_id, event.event_type, event.source,
         event.dedupe_key, event.event_time, event.ingested_at, event.pid, event.start_hint, _envelope(event)),
    )  # fmt: skip
    return cursor.lastrowid if cursor.rowcount == 1 else None


def already_bound(connection: sqlite3.Connection, event: RawEvent) -> bool:
    """Whether this occurrence was in the inbox before, whatever its result."""
    row = connection.execute(
        "SELECT 1 FROM event_inbox WHERE target_id = ? AND ifnull(pane_id, '') = ? AND source = ? AND dedupe_key = ?",
        (event.target_id or "", event.pane_id or "", event.source, event.dedupe_key),
    ).fetchone()
    return row is not None


def settle_pending(
    connection: sqlite3.Connection, inbox_id: int, status: str, reason: str | None, runtime_id: str | None
) -> None:
    """Store the result of an unbound event. If it was bound, its payload is kept with the event and removed here."""
    payload = None
    if status != "bound":
        row = connection.execute("SELECT envelope FROM event_inbox WHERE inbox_id = ?", (inbox_id,)).fetchone()
        payload = payload_text(json.loads(row[0])["payload"]) if row is not None and row[0] is not None else None
    connection.execute(
        "UPDATE event_inbox SET status = ?, reason_code = ?, runtime_id = ?, envelope = NULL, raw_payload = ?"
        " WHERE inbox_id = ?",
        (status, reason, runtime_id, payload, inbox_id),
    )


def load_pending(connection: sqlite3.Connection) -> dict[int, RawEvent]:
    """Load the events that wait for their runtime, by inbox id."""
    out: dict[int, RawEvent] = {}
    rows = connection.execute(
        "SELECT inbox_id, target_id, pane_id, event_id, event_type, source, dedupe_key, event_time, ingested_at, pid,"
        " start_hint, envelope FROM event_inbox WHERE status = 'pending_bind' AND envelope IS NOT NULL"
    )
    for inbox_id, target, pane, event_id, kind, source, key, at, ingested, pid, hint, envelope in rows:
        e = json.loads(envelope)
        out[inbox_id] = RawEvent(
            event_id=event_id, event_type=kind, source=Source(source), agent_type=e["agent_type"], event_time=at,
            ingested_at=ingested, dedupe_key=key, source_event_id=e["source_event_id"], source_seq=e["source_seq"],
            target_id=target or None, pane_id=pane, tmux_socket=e["tmux_socket"],
            tmux_server_pid=e["tmux_server_pid"], pid=pid, start_hint=hint,
            chain=tuple(Ancestor(p, s, tuple(v), *more) for p, s, v, *more in e["chain"]),
            spooled=e["spooled"], apart=e.get("apart", False), env=e["env"], payload=e["payload"],
        )  # fmt: skip
    return out


def load_stream(connection: sqlite3.Connection, fresh_id: str, now: int) -> tuple[str, int]:
    """Give ``(stream_id, next_sequence)``. A new database gets a stream with the id ``fresh_id``."""
    connection.execute("INSERT OR IGNORE INTO stream VALUES (1, ?, 1, ?)", (fresh_id, now))
    row = connection.execute("SELECT stream_id, next_sequence FROM stream").fetchone()
    return str(row[0]), int(row[1])


def add_batch(
    connection: sqlite3.Connection, stream_id: str, sequence: int, scopes: Mapping[str, str], now: int
) -> None:
    """Add one published batch to the stream log. ``scopes``: the changes as JSON text, by scope.

    Changes of coordination (``coord``) have their own table. Such a batch always has a row for panes too.
    """
    rows = dict(scopes)
    coordination = rows.pop(COORD, None)
    if coordination is not None:
        rows.setdefault("panes", "[]")
    connection.executemany(
        "INSERT INTO stream_log VALUES (?, ?, ?, ?, ?)",
        [(stream_id, sequence, scope, text, now) for scope, text in rows.items()],
    )
    if coordination is not None:
        connection.execute(
            "INSERT INTO coord_log (stream_id, sequence, changes_json, committed_at) VALUES (?, ?, ?, ?)",
            (stream_id, sequence, coordination, now),
        )
    connection.execute("UPDATE stream SET next_sequence = ?", (sequence + 1,))


def publish(connection: sqlite3.Connection, items: Mapping[str, str | None]) -> None:
    """Store the published pane items by key; None deletes one. A restarted daemon shows them until a good round."""
    gone = [(key,) for key, text in items.items() if text is None]
    connection.executemany("DELETE FROM published WHERE item_key = ?", gone)
    connection.executemany(
        "INSERT INTO published VALUES (?, ?) ON CONFLICT (item_key) DO UPDATE SET item_json = excluded.item_json",
        [pair for pair in items.items() if pair[1] is not None],
    )


def load_published(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Load the published pane items, by key."""
    return {key: json.loads(text) for key, text in connection.execute("SELECT item_key, item_json FROM published")}


def read_batches(
    connection: sqlite3.Connection, stream_id: str, after: int, scope: str, limit: int
) -> list[tuple[int, int, list[dict[str, Any]]]] | None:
    """List the oldest ``limit`` batches above sequence ``after``; None if one of them was purged.

    Each is ``(sequence, committed_at in ns, changes)``.
    """
    oldest = connection.execute("SELECT min(sequence) FROM stream_log WHERE stream_id = ?", (stream_id,)).fetchone()[0]
    upcoming = connection.execute("SELECT next_sequence FROM stream").fetchone()[0]
    if after + 1 < (oldest if oldest is not None else upcoming):
        return None
    values: tuple[Any, ...] = (stream_id, after)
    if scope == COORD:
        rows = connection.execute(f"{_COORD_LOG} ORDER BY sequence LIMIT ?", (*values, limit))
        return [(int(a), int(b), json.loads(c)) for a, b, c in rows]
    base = "panes" if scope == ALL else scope
    rows = connection.execute(
        "SELECT sequence, committed_at, changes_json FROM stream_log"
        " WHERE stream_id = ? AND sequence > ? AND scope = ? ORDER BY sequence LIMIT ?",
        (*values, base, limit),
    )
    found = [(int(a), int(b), json.loads(c)) for a, b, c in rows]
    if scope == ALL and found:  # each batch of coordination has a row for panes
        more = connection.execute(f"{_COORD_LOG} AND sequence <= ?", (*values, found[-1][0]))
        coordination = {int(a): json.loads(c) for a, _, c in more}
        found = [(a, b, [*c, *coordination.get(a, ())]) for a, b, c in found]
    return found


_COORD_LOG = "SELECT sequence, committed_at, changes_json FROM coord_log WHERE stream_id = ? AND sequence > ?"


def _scope_of(scope: str, change: Mapping[str, Any]) -> str:
    if scope != ALL:
        return scope
    return COORD if "kind" in change["identity"] else "panes"


def log_of(store: Store, stream_id: str) -> ReadLog:
    """Make a function that reads the log of a stream as ``read_batches`` does, with changes as values."""

    async def read(after: int, scope: str, limit: int) -> list[tuple[int, int, list[Change]]] | None:
        rows = await store.read(lambda c: read_batches(c, stream_id, after, scope, limit))
        if rows is None:
            return None
        return [
            (sequence, at, [Change.from_json(_scope_of(scope, change), change) for change in made])
            for sequence, at, made in rows
        ]

    return read


def history(
    connection: sqlite3.Connection,
    *,
    runtime_ids: Iterable[str] | None,
    before: str | None,
    limit: int,
    action: str | None = None,
) -> list[dict[str, Any]]:
    """List events, newest first. ``before``: list events older than this event id; ``action``: only of this action.

    Raises E_INVALID_REQUEST if there is no event ``before``.
    """
    where: list[str] = []
    values: list[Any] = []
    if before is not None:
        start = connection.execute("SELECT ingested_at, event_id FROM events WHERE event_id = ?", (before,)).fetchone()
        if start is None:
            raise AgtmuxError(
                "E_INVALID_REQUEST", f"before: there is no event {before}; run agtmux events to list them"
            )
        where += ["ingested_at <= ?", "(ingested_at, event_id) < (?, ?)"]
        values += [start[0], *start]
    if action is not None:
        where.append("action_id = ?")
        values.append(action)
    if runtime_ids is not None:
        newest = _newest_of(connection, runtime_ids, where, values, limit)
        where, values = [f"event_id IN ({','.join('?' * len(newest))})"], newest
    clause = f"WHERE {' AND '.join(where)}" if where else ""
    rows = connection.execute(
        f"SELECT event_id, runtime_id, event_type, source, source_event_id, event_time, ingested_at, applied,"  # noqa: S608
        f" dedupe_key, action_id, raw_payload FROM events {clause} ORDER BY ingested_at DESC, event_id DESC LIMIT ?",
        (*values, limit),
    )
    names = ("event_id", "runtime_id", "event_type", "source", "source_event_id", "event_time", "ingested_at",
             "applied", "dedupe_key", "action_id", "raw_payload")  # fmt: skip
    out = []
    for row in rows:
        item = dict(zip(names, row, strict=True))
        item["raw_payload"] = json.loads(item["raw_payload"]) if item["raw_payload"] else None
        out.append(item)
    return out


def _newest_of(
    connection: sqlite3.Connection, runtime_ids: Iterable[str], where: list[str], values: list[Any], limit: int
) -> list[str]:
    """Give the ids of the newest ``limit`` events of these runtimes. Queries by source, because the index does."""
    clause = " AND ".join(["runtime_id = ?", "source = ?", "ingested_at >= ?", *where])
    found: list[tuple[int, str]] = []
    oldest = 0  # time (ns) of the oldest event that is still among the newest
    for runtime_id in runtime_ids:
        for source in Source:
            found += connection.execute(
                f"SELECT ingested_at, event_id FROM events WHERE {clause}"  # noqa: S608 constants
                " ORDER BY ingested_at DESC, event_id DESC LIMIT ?",
                (runtime_id, source.value, oldest, *values, limit),
            )
            if len(found) > limit:
                found = nlargest(limit, found)
                oldest = found[-1][0]
    return [event_id for _, event_id in nlargest(limit, found)]


def has_runtime(connection: sqlite3.Connection, runtime_id: str) -> bool:
    """Whether a runtime is stored, running or ended."""
    return connection.execute("SELECT 1 FROM runtimes WHERE runtime_id = ?", (runtime_id,)).fetchone() is not None


def runtimes_of(connection: sqlite3.Connection, target_id: str, pane_id: str) -> list[str]:
    """List the ids of all runtimes of a pane, newest first."""
    rows = connection.execute(
        "SELECT runtime_id FROM runtimes WHERE target_id = ? AND pane_id = ? ORDER BY pane_epoch DESC",
        (target_id, pane_id),
    )
    return [r[0] for r in rows]


def purge_payloads(connection: sqlite3.Connection, older_than: int, batch: int) -> int:
    """Empty a batch of the oldest payloads from before ``older_than`` (ns). Return how many.

    Notes how far it came, so that the next call does not search the emptied ones again.
    """
    rows = connection.execute(
        "UPDATE events SET raw_payload = NULL WHERE event_id IN (SELECT event_id FROM events"
        " WHERE raw_payload IS NOT NULL AND ingested_at >= ? AND ingested_at < ? ORDER BY ingested_at LIMIT ?)"
        " RETURNING ingested_at",
        (housekeeping.emptied_until(connection), older_than, batch),
    ).fetchall()
    reached = max(row[0] for row in rows) if len(rows) == batch else older_than
    if reached > housekeeping.emptied_until(connection):
        housekeeping.save_emptied_until(connection, reached)
    return len(rows)


def purge_oldest_events(connection: sqlite3.Connection, batch: int) -> int:
    """Delete a batch of the oldest events, whatever their age. Return how many."""
    return connection.execute(
        "DELETE FROM events WHERE event_id IN (SELECT event_id FROM events ORDER BY ingested_at LIMIT ?)", (batch,)
    ).rowcount


def purge_removed(connection: sqlite3.Connection, batch: int) -> int:
    """Delete a batch of the history of removed targets: events, then runtimes, then the target's row.

    Returns how many rows were deleted.
    """
    of_removed = "FROM runtimes r JOIN targets t ON t.target_id = r.target_id AND t.removed_at IS NOT NULL"
    for statement in (
        "DELETE FROM events WHERE event_id IN (SELECT e.event_id"
        " FROM targets t CROSS JOIN runtimes r CROSS JOIN events e"
        " WHERE t.removed_at IS NOT NULL AND r.target_id = t.target_id AND e.runtime_id = r.runtime_id LIMIT ?)",
        f"DELETE FROM runtimes WHERE runtime_id IN (SELECT r.runtime_id {of_removed} LIMIT ?)",  # noqa: S608 constants
        "DELETE FROM targets WHERE target_id IN (SELECT target_id FROM targets WHERE removed_at IS NOT NULL LIMIT ?)",
    ):
        gone = connection.execute(statement, (batch,)).rowcount
        if gone:
            return gone
    return 0


def used_bytes(connection: sqlite3.Connection) -> int:
    """Give the bytes of the file that are in use, without free pages."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def give_back(connection: sqlite3.Connection, pages: int) -> int:
    """Shorten the file by up to ``pages`` pages. Return by how many it was shortened.

    Does nothing unless a quarter of the file and at least ``SPARE_PAGES`` pages are free, and the file was created with
    incremental vacuum.
    """
    free, total = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
    if free < max(SPARE_PAGES, total // 4) or connection.execute("PRAGMA auto_vacuum").fetchone()[0] != 2:
        return 0
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    return int(free - connection.execute("PRAGMA freelist_count").fetchone()[0])


PURGES: tuple[tuple[str, str, str], ...] = (
    ("inbox payloads", "DELETE FROM event_inbox WHERE inbox_id IN (SELECT inbox_id FROM event_inbox"
     " WHERE status IN ('bound', 'dropped_unbound') AND ingested_at < ? LIMIT ?)", "payloads"),
    ("events", "DELETE FROM events WHERE event_id IN (SELECT event_id FROM events WHERE ingested_at < ?"
     " ORDER BY ingested_at LIMIT ?)", "events"),
    ("runtimes", "DELETE FROM runtimes WHERE runtime_id IN (SELECT r.runtime_id FROM runtimes r WHERE r.ended_at < ?"
     " AND NOT EXISTS (SELECT 1 FROM states s WHERE s.runtime_id = r.runtime_id)"
     " AND NOT EXISTS (SELECT 1 FROM events e WHERE e.runtime_id = r.runtime_id) LIMIT ?)", "events"),
    # Whole sequences, oldest first: a hole in the log would make a resuming watcher miss changes.
    ("stream", "DELETE FROM stream_log WHERE sequence IN (SELECT DISTINCT sequence FROM stream_log WHERE sequence <"
     " ifnull((SELECT min(sequence) FROM stream_log WHERE committed_at >= ?), 9223372036854775807)"
     " ORDER BY sequence LIMIT ?)", "stream"),
    ("views", "DELETE FROM actions WHERE action_id IN (SELECT action_id FROM actions WHERE requested_at < ?"
     " AND action_type = 'view-output' AND result_code IS NOT NULL ORDER BY requested_at LIMIT ?)", "views"),
    ("actions", "DELETE FROM actions WHERE action_id IN (SELECT action_id FROM actions"
     " WHERE requested_at < ? AND result_code IS NOT NULL ORDER BY requested_at LIMIT ?)", "actions"),
)  # fmt: skip
"""``(name, statement, retention field)``: each statement deletes one batch of rows that are too old."""


def purge_batch(connection: sqlite3.Connection, statement: str, older_than: int, batch: int) -> int:
    """Delete one batch with a statement of ``PURGES``. Return how many rows. ``older_than``: ns."""
    return connection.execute(statement, (older_than, batch)).rowcount


def purge_stream_rows(connection: sqlite3.Connection, keep: int, batch: int) -> int:
    """Delete the oldest sequences beyond ``keep`` rows, whole ones only. Return how many rows.

    Never deletes a row that belongs to the newest ``keep``.
    """
    total = connection.execute("SELECT count(*) FROM stream_log").fetchone()[0]
    if total <= keep:
        return 0
    first_kept = connection.execute(
        "SELECT stream_id, sequence FROM stream_log ORDER BY stream_id, sequence LIMIT 1 OFFSET ?",
        (min(batch, total - keep),),
    ).fetchone()
    if first_kept is None:
        return connection.execute("DELETE FROM stream_log").rowcount
    return connection.execute("DELETE FROM stream_log WHERE stream_id = ? AND sequence < ?", first_kept).rowcount
