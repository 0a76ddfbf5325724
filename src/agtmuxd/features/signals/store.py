"""Hold the SQL of signals and of the cursors of consumers. Makes no decisions."""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from agtmuxd.features.signals.model import Signal

_COLUMNS: Final = "seq, signal_id, topic, sender_agent_id, sender_label, payload_json, payload_bytes, created_at"


class TopicRow(NamedTuple):
    """What is kept of one topic."""

    topic: str
    signals: int
    oldest_seq: int
    last_seq: int
    last_at: int


class Page(NamedTuple):
    """Signals after a sequence. ``gap``: up to where signals of these topics were deleted. ``last_seq``: the newest
    sequence of all topics. ``more``: there are more of them.
    """

    signals: list[Signal]
    gap: int
    last_seq: int
    more: bool


def add_signal(connection: sqlite3.Connection, signal: Signal, request_ref: str, request_digest: str) -> int:
    """Add a signal, whose ``seq`` does not count. Return its sequence. Raises sqlite3.IntegrityError if the request is
    known.
    """
    done = connection.execute(
        "INSERT INTO signals (signal_id, topic, sender_agent_id, sender_label, payload_json, payload_bytes,"
        " request_ref, request_digest, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (signal.signal_id, signal.topic, signal.sender_agent_id, signal.sender, signal.payload, signal.payload_bytes,
         request_ref, request_digest, signal.created_at),
    )  # fmt: skip
    return int(done.lastrowid or 0)


def find_request(
    connection: sqlite3.Connection, sender_agent_id: str | None, request_ref: str
) -> tuple[Signal, str] | None:
    """Find the signal of a request, and the request's digest."""
    row = connection.execute(
        f"SELECT {_COLUMNS}, request_digest FROM signals WHERE ifnull(sender_agent_id, '') = ? AND request_ref = ?",  # noqa: S608
        (sender_agent_id or "", request_ref),
    ).fetchone()
    return None if row is None else (Signal(*row[:-1]), row[-1])


def find_signal(connection: sqlite3.Connection, name: str) -> Signal | None:
    """Find a signal by its id, or by its sequence."""
    column = "seq" if name.isdecimal() else "signal_id"
    row = connection.execute(f"SELECT {_COLUMNS} FROM signals WHERE {column} = ?", (name,)).fetchone()  # noqa: S608
    return None if row is None else Signal(*row)


def first_after(connection: sqlite3.Connection, topic: str, after: int) -> Signal | None:
    """Find the first signal of a topic after a sequence."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM signals WHERE topic = ? AND seq > ? ORDER BY seq LIMIT 1",  # noqa: S608
        (topic, after),
    ).fetchone()
    return None if row is None else Signal(*row)


def page(connection: sqlite3.Connection, topics: str | None, after: int, limit: int) -> Page:
    """Read signals after a sequence. ``topics``: one topic, the start of topics (with a slash at its end), or None."""
    where, values = _range(topics)
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM signals WHERE seq > ? AND {where} ORDER BY seq LIMIT ?",  # noqa: S608
        (after, *values, limit + 1),
    ).fetchall()
    gap = connection.execute(f"SELECT ifnull(max(seq), 0) FROM signal_gaps WHERE {where}", values).fetchone()[0]  # noqa: S608
    return Page([Signal(*row) for row in rows[:limit]], int(gap), last_seq(connection), len(rows) > limit)


def _range(topics: str | None) -> tuple[str, tuple[str, ...]]:
    if topics is None:
        return "1", ()
    if topics.endswith("/"):
        return "topic >= ? AND topic < ?", (topics, f"{topics[:-1]}0")  # "0" comes after "/"
    return "topic = ?", (topics,)


def last_seq(connection: sqlite3.Connection) -> int:
    """Return the newest sequence that was given, also to a signal that was deleted."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'signals'").fetchone()
    return 0 if row is None else int(row[0])


def list_topics(connection: sqlite3.Connection, topics: str | None) -> list[TopicRow]:
    """List the topics that have signals, by name."""
    where, values = _range(topics)
    rows = connection.execute(
        "SELECT topic, count(*), min(seq), max(seq), max(created_at) FROM signals"  # noqa: S608
        f" WHERE {where} GROUP BY topic ORDER BY topic",
        values,
    )
    return [TopicRow(*row) for row in rows]


def newest_by_topic(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the newest sequence of each topic."""
    return dict(connection.execute("SELECT topic, max(seq) FROM signals GROUP BY topic"))


def read_cursor(connection: sqlite3.Connection, consumer: str, stream: str) -> int | None:
    """Return how far a consumer has read a stream; None if it has not begun."""
    row = connection.execute("SELECT seq FROM cursors WHERE consumer = ? AND stream = ?", (consumer, stream)).fetchone()
    return None if row is None else int(row[0])


def save_cursor(connection: sqlite3.Connection, consumer: str, stream: str, seq: int, at: int) -> None:
    """Store how far a consumer has read a stream."""
    connection.execute(
        "INSERT INTO cursors VALUES (?, ?, ?, ?)"
        " ON CONFLICT (consumer, stream) DO UPDATE SET seq = excluded.seq, updated_at = excluded.updated_at",
        (consumer, stream, seq, at),
    )


def purge(connection: sqlite3.Connection, older_than: int, batch: int) -> int:
    """Delete the oldest signals that were sent before ``older_than``. Return how many."""
    rows = connection.execute(
        "SELECT topic, max(seq), count(*)"
        " FROM (SELECT topic, seq FROM signals WHERE created_at < ? ORDER BY seq LIMIT ?) GROUP BY topic",
        (older_than, batch),
    ).fetchall()
    for topic, seq, _ in rows:
        connection.execute(
            "INSERT INTO signal_gaps VALUES (?, ?) ON CONFLICT (topic) DO UPDATE SET seq = excluded.seq", (topic, seq)
        )
        connection.execute(
            "DELETE FROM signals WHERE topic = ? AND seq <= ? AND created_at < ?", (topic, seq, older_than)
        )
    return sum(row[2] for row in rows)
