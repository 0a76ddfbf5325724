"""Hold the SQL of channels and their members. Makes no decisions."""

from __future__ import annotations

import sqlite3
from typing import Final

from agtmuxd.features.messages.model import Channel

_CHANNEL: Final = (
    "SELECT c.channel_id, c.name, c.created_at, t.name, c.team_id FROM channels c LEFT JOIN teams t USING (team_id)"
)


def channels(connection: sqlite3.Connection) -> list[Channel]:
    """Return all channels with their members, oldest first."""
    found = [Channel(*row) for row in connection.execute(f"{_CHANNEL} ORDER BY c.created_at, c.channel_id")]
    return [_with_members(connection, one) for one in found]


def get_channel(connection: sqlite3.Connection, channel_id: str) -> Channel | None:
    """Return a channel by its id."""
    row = connection.execute(f"{_CHANNEL} WHERE c.channel_id = ?", (channel_id,)).fetchone()
    return None if row is None else _with_members(connection, Channel(*row))


def named(connection: sqlite3.Connection, text: str) -> list[Channel]:
    """Return the channels that ``NAME`` or ``TEAM/NAME`` names, in any case of letters."""
    team, _, name = text.rpartition("/")
    rows = connection.execute(
        f"{_CHANNEL} WHERE c.name = ? AND (? = '' OR t.name = ? COLLATE NOCASE) ORDER BY c.created_at",
        (name, team, team),
    )
    return [_with_members(connection, Channel(*row)) for row in rows.fetchall()]


def _with_members(connection: sqlite3.Connection, channel: Channel) -> Channel:
    members = tuple(
        {"agent_id": row[0], "notify": row[1], "joined_at": row[2]}
        for row in connection.execute(
            "SELECT agent_id, notify, joined_at FROM channel_members WHERE channel_id = ? ORDER BY joined_at, agent_id",
            (channel.channel_id,),
        )
    )
    return Channel(channel.channel_id, channel.name, channel.created_at, channel.team, channel.team_id, members)


def names_of(connection: sqlite3.Connection, channel_ids: set[str]) -> dict[str, str]:
    """Return the full names of these channels by id."""
    found = (get_channel(connection, one) for one in channel_ids)
    return {one.channel_id: one.full_name for one in found if one is not None}


def add_channel(connection: sqlite3.Connection, channel: Channel) -> None:
    """Add a channel. Raises sqlite3.IntegrityError if its team has one of that name."""
    connection.execute(
        "INSERT INTO channels VALUES (?, ?, ?, ?)",
        (channel.channel_id, channel.team_id, channel.name, channel.created_at),
    )


def set_member(connection: sqlite3.Connection, channel_id: str, agent_id: str, notify: str, at: int) -> None:
    """Add a member, or change how it hears of messages."""
    connection.execute(
        "INSERT INTO channel_members VALUES (?, ?, ?, ?)"
        " ON CONFLICT (channel_id, agent_id) DO UPDATE SET notify = excluded.notify",
        (channel_id, agent_id, notify, at),
    )


def remove_member(connection: sqlite3.Connection, channel_id: str, agent_id: str) -> bool:
    """Remove a member. Return whether it was one."""
    cursor = connection.execute(
        "DELETE FROM channel_members WHERE channel_id = ? AND agent_id = ?", (channel_id, agent_id)
    )
    return cursor.rowcount == 1


def team_of(connection: sqlite3.Connection, agent_id: str) -> tuple[str | None, str | None]:
    """Return id and name of an agent's team; None, None without one."""
    row = connection.execute(
        "SELECT t.team_id, t.name FROM agents a JOIN teams t USING (team_id) WHERE a.agent_id = ?", (agent_id,)
    ).fetchone()
    return (None, None) if row is None else (row[0], row[1])


def team_named(connection: sqlite3.Connection, name: str) -> tuple[str, str] | None:
    """Return id and name of the team of that name, in any case of letters."""
    row = connection.execute("SELECT team_id, name FROM teams WHERE name = ?", (name,)).fetchone()
    return None if row is None else (row[0], row[1])
