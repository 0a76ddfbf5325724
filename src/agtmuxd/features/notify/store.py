"""Read and write episodes, deliveries, turns and mutes. Owns their SQL and decides nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agtmuxd.features.notify.episodes import Steps
from agtmuxd.features.notify.model import Delivery, Episode, Kind, Part, Sign, State, Subject, known_fields

_EPISODE: Final = (
    "episode_id, kind, runtime_id, pane_key, opened_at, turn, seen_at, closed_at, close_reason, sign_json, subject_json"
)
_DELIVERY: Final = "episode_id, channel, part, state, at, rule, reason, message_id"
EVERYTHING: Final = ""
"""The scope of a mute of all panes."""


@dataclass(frozen=True, slots=True)
class Mute:
    """Nothing is sent about a pane, or about any pane (``pane_key`` None), until ``until`` (ns)."""

    scope: str
    pane_key: str | None
    until: int
    made_at: int


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _episode_of(row: tuple[Any, ...]) -> Episode:
    episode_id, kind, runtime_id, pane_key, opened_at, turn, seen_at, closed_at, reason, sign, subject = row
    return Episode(
        episode_id, Kind(kind), runtime_id, pane_key, opened_at, Sign(**known_fields(Sign, json.loads(sign))),
        Subject(**known_fields(Subject, json.loads(subject))), turn, seen_at, closed_at, reason,
    )  # fmt: skip


def _delivery_of(row: tuple[Any, ...]) -> Delivery:
    episode_id, channel, part, state, at, rule, reason, message_id = row
    return Delivery(episode_id, channel, Part(part), State(state), at, rule, reason, message_id)


# ---------------------------------------------------------------- episodes


def open_episodes(connection: sqlite3.Connection) -> list[Episode]:
    """List the episodes that have not ended, oldest first."""
    rows = connection.execute(
        f"SELECT {_EPISODE} FROM notify_episodes WHERE closed_at IS NULL ORDER BY opened_at, episode_id"  # noqa: S608
    )
    return [_episode_of(row) for row in rows]


def episodes_of(connection: sqlite3.Connection, pane_key: str, limit: int) -> list[Episode]:
    """List the episodes of a pane, newest first."""
    rows = connection.execute(
        f"SELECT {_EPISODE} FROM notify_episodes WHERE pane_key = ? ORDER BY opened_at DESC, episode_id DESC LIMIT ?",  # noqa: S608
        (pane_key, limit),
    )
    return [_episode_of(row) for row in rows]


def episode(connection: sqlite3.Connection, episode_id: str) -> Episode | None:
    """Return one episode."""
    row = connection.execute(f"SELECT {_EPISODE} FROM notify_episodes WHERE episode_id = ?", (episode_id,)).fetchone()  # noqa: S608
    return None if row is None else _episode_of(row)


def write_steps(connection: sqlite3.Connection, steps: Steps) -> None:
    """Write what a reading of rows changed."""
    for one in (*steps.closed, *steps.changed, *steps.opened):  # first those that end: of one kind only one is open
        put_episode(connection, one)
    for runtime_id, started_at in steps.turns.items():
        if started_at is None:
            connection.execute("DELETE FROM notify_turns WHERE runtime_id = ?", (runtime_id,))
        else:
            connection.execute(
                "INSERT INTO notify_turns VALUES (?, ?) ON CONFLICT DO UPDATE SET started_at = excluded.started_at",
                (runtime_id, started_at),
            )


def put_episode(connection: sqlite3.Connection, one: Episode) -> None:
    """Insert or replace an episode."""
    values = (
        one.episode_id, str(one.kind), one.runtime_id, one.pane_key, one.opened_at, one.turn, one.seen_at,
        one.closed_at, one.close_reason, _text(one.sign_json()), _text(one.subject_json()),
    )  # fmt: skip
    connection.execute(
        f"INSERT INTO notify_episodes ({_EPISODE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (episode_id) DO UPDATE SET seen_at = excluded.seen_at, closed_at = excluded.closed_at,"
        " close_reason = excluded.close_reason, sign_json = excluded.sign_json, subject_json = excluded.subject_json",
        values,
    )


def turns(connection: sqlite3.Connection) -> dict[str, int]:
    """Return when the running turn of each runtime began."""
    return dict(connection.execute("SELECT runtime_id, started_at FROM notify_turns"))


# ---------------------------------------------------------------- deliveries


def deliveries_of(connection: sqlite3.Connection, episode_ids: Iterable[str]) -> list[Delivery]:
    """List the deliveries of these episodes."""
    found = []
    for episode_id in episode_ids:
        rows = connection.execute(
            f"SELECT {_DELIVERY} FROM notify_deliveries WHERE episode_id = ? ORDER BY at, channel",  # noqa: S608
            (episode_id,),
        )
        found += [_delivery_of(row) for row in rows]
    return found


def put_deliveries(connection: sqlite3.Connection, some: Iterable[Delivery]) -> None:
    """Insert or replace deliveries."""
    connection.executemany(
        f"INSERT INTO notify_deliveries ({_DELIVERY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"  # noqa: S608
        " state = excluded.state, at = excluded.at, reason = excluded.reason, message_id = excluded.message_id",
        [(d.episode_id, d.channel, str(d.part), str(d.state), d.at, d.rule, d.reason, d.message_id) for d in some],
    )


def end_deliveries(
    connection: sqlite3.Connection, message_id: str, state: State, at: int, reason: str | None = None
) -> None:
    """Set what became of a message for all its episodes."""
    connection.execute(
        "UPDATE notify_deliveries SET state = ?, at = ?, reason = ? WHERE message_id = ?",
        (str(state), at, reason, message_id),
    )


def last_sent(connection: sqlite3.Connection, since: int) -> dict[tuple[str, Kind, str], int]:
    """Return when each runtime was last told of, by kind and channel, if after ``since`` (ns)."""
    rows = connection.execute(
        "SELECT e.runtime_id, e.kind, d.channel, max(d.at) FROM notify_deliveries d"
        " JOIN notify_episodes e ON e.episode_id = d.episode_id"
        " WHERE d.at > ? AND d.state <> 'skipped' GROUP BY e.runtime_id, e.kind, d.channel",
        (since,),
    )
    return {(runtime_id, Kind(kind), channel): at for runtime_id, kind, channel, at in rows}


# ---------------------------------------------------------------- mutes


def mutes(connection: sqlite3.Connection) -> dict[str, Mute]:
    """Return all mutes by scope."""
    rows = connection.execute("SELECT scope, pane_key, until, made_at FROM notify_mutes")
    return {row[0]: Mute(*row) for row in rows}


def put_mute(connection: sqlite3.Connection, mute: Mute) -> None:
    """Insert or replace a mute."""
    connection.execute(
        "INSERT INTO notify_mutes VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET until = excluded.until,"
        " made_at = excluded.made_at, pane_key = excluded.pane_key",
        (mute.scope, mute.pane_key, mute.until, mute.made_at),
    )


def drop_mutes(connection: sqlite3.Connection, scopes: Iterable[str]) -> None:
    """Delete mutes."""
    connection.executemany("DELETE FROM notify_mutes WHERE scope = ?", [(scope,) for scope in scopes])


# ---------------------------------------------------------------- what is too old


def purge(connection: sqlite3.Connection, before: int, batch: int) -> int:
    """Delete at most ``batch`` ended episodes and messages older than ``before`` (ns). Return how many."""
    gone = connection.execute(
        "DELETE FROM notify_episodes WHERE episode_id IN"
        " (SELECT episode_id FROM notify_episodes WHERE closed_at < ? ORDER BY closed_at LIMIT ?)",
        (before, batch),
    ).rowcount
    gone += connection.execute(
        "DELETE FROM notify_messages WHERE message_id IN"
        " (SELECT message_id FROM notify_messages WHERE ended_at < ? ORDER BY ended_at LIMIT ?)",
        (before, batch),
    ).rowcount
    connection.execute("DELETE FROM notify_codes WHERE expires_at < ?", (before,))
    return gone
