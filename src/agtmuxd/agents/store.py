"""Hold the SQL of agents, their bindings and their teams. Makes no decisions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from agtmuxd.agents.model import Agent, SessionKey, Team

_ALL: Final = """
SELECT a.agent_id, a.name, a.created_at, t.name, a.automatic, a.role, a.tags_json, a.retired_at, a.owner, a.scopes_json,
       a.deliver, b.runtime_id, ifnull(b.epoch, 0), b.bound_at, b.bound_by, b.ended_at, b.target_id, b.agent_type,
       b.agent_session_id
FROM agents a
LEFT JOIN teams t ON t.team_id = a.team_id
LEFT JOIN agent_bindings b ON b.agent_id = a.agent_id
  AND b.epoch = (SELECT max(epoch) FROM agent_bindings WHERE agent_id = a.agent_id)
"""
KEPT_REQUESTS: Final = 7 * 86_400 * 1_000_000_000
"""How long (ns) a request is remembered."""


@dataclass(frozen=True, slots=True)
class StoredAgents:
    """What the directory begins with."""

    agents: Sequence[Agent]
    teams: Sequence[Team]


def load_directory(connection: sqlite3.Connection) -> StoredAgents:
    """Load all agents and teams."""
    return StoredAgents(load_agents(connection), load_teams(connection))


def load_agents(connection: sqlite3.Connection) -> list[Agent]:
    """Load all agents, also retired ones, oldest first."""
    return [_agent(row) for row in connection.execute(f"{_ALL} ORDER BY a.rowid")]


def _agent(r: tuple[Any, ...]) -> Agent:
    ended = r[15]
    session = SessionKey(r[16], r[17], r[18]) if ended is not None and None not in r[16:19] else None
    return Agent(
        agent_id=r[0], name=r[1], created_at=r[2], team=r[3], automatic=bool(r[4]), role=r[5],
        tags=tuple(json.loads(r[6])), runtime_id=r[11] if ended is None else None, epoch=r[12],
        bound_at=r[13] if ended is None else None, retired_at=r[7], owner=r[8], scopes=tuple(json.loads(r[9])),
        deliver=r[10], bound_by=r[14], ended_at=ended, session=session,
    )  # fmt: skip


def load_teams(connection: sqlite3.Connection) -> list[Team]:
    """Load the teams without their agents, oldest first."""
    rows = connection.execute("SELECT team_id, name, created_at, deliver, escalate_to FROM teams ORDER BY rowid")
    return [Team(*row) for row in rows]


# ---------------------------------------------------------------- agents


def next_number(connection: sqlite3.Connection, agent_type: str) -> int:
    """Take the next number for an automatic name. No number is given twice."""
    row = connection.execute(
        "INSERT INTO agent_numbers VALUES (?, 2) ON CONFLICT (agent_type) DO UPDATE SET next = next + 1 RETURNING next",
        (agent_type,),
    ).fetchone()
    return int(row[0]) - 1


def free_name(connection: sqlite3.Connection, agent_type: str) -> str:
    """Make an automatic name. One that a person has given to an agent is left out."""
    while True:
        name = f"{agent_type}-{next_number(connection, agent_type)}"
        taken = connection.execute(
            "SELECT 1 FROM agents WHERE team_id IS NULL AND name = ? AND retired_at IS NULL", (name,)
        ).fetchone()
        if taken is None:
            return name


def add_agent(connection: sqlite3.Connection, agent: Agent, team_id: str | None = None) -> None:
    """Add an agent without a binding. Raises sqlite3.IntegrityError if its team has one of that name."""
    connection.execute(
        "INSERT INTO agents (agent_id, team_id, name, automatic, role, owner, tags_json, scopes_json, deliver,"
        " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (agent.agent_id, team_id, agent.name, agent.automatic, agent.role, agent.owner, json.dumps(agent.tags),
         json.dumps(agent.scopes), agent.deliver, agent.created_at),
    )  # fmt: skip


def save_agent(connection: sqlite3.Connection, agent: Agent, team_id: str | None) -> None:
    """Save what an agent is called and what it does. Raises sqlite3.IntegrityError as ``add_agent``."""
    connection.execute(
        "UPDATE agents SET team_id = ?, name = ?, automatic = ?, role = ?, owner = ?, tags_json = ?, scopes_json = ?,"
        " deliver = ?, retired_at = ? WHERE agent_id = ?",
        (team_id, agent.name, agent.automatic, agent.role, agent.owner, json.dumps(agent.tags),
         json.dumps(agent.scopes), agent.deliver, agent.retired_at, agent.agent_id),
    )  # fmt: skip


def remove_agent(connection: sqlite3.Connection, agent_id: str) -> None:
    """Remove an agent and its bindings."""
    connection.execute("DELETE FROM agent_bindings WHERE agent_id = ?", (agent_id,))
    connection.execute("DELETE FROM agents WHERE agent_id = ?", (agent_id,))


def is_used(connection: sqlite3.Connection, agent_id: str) -> bool:
    """Return whether another table names the agent: it has a column ``agent_id``, or one that ends so."""
    columns = connection.execute(
        "SELECT m.name, p.name FROM sqlite_schema m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'"
        " AND m.name NOT IN ('agents', 'agent_bindings')"
        " AND (p.name = 'agent_id' OR p.name LIKE '%~_agent_id' ESCAPE '~')"
    ).fetchall()
    return any(
        connection.execute(f'SELECT 1 FROM "{table}" WHERE "{column}" = ? LIMIT 1', (agent_id,)).fetchone()  # noqa: S608
        for table, column in columns
    )


# ---------------------------------------------------------------- bindings


def add_binding(
    connection: sqlite3.Connection, binding_id: str, agent_id: str, runtime_id: str, epoch: int, at: int, how: str,
    by: str = "agtmux",
) -> None:  # fmt: skip
    """Bind an agent to a runtime. Raises sqlite3.IntegrityError if one of them is bound."""
    connection.execute(
        "INSERT INTO agent_bindings (binding_id, agent_id, runtime_id, epoch, bound_at, how, bound_by)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (binding_id, agent_id, runtime_id, epoch, at, how, by),
    )


def end_binding(connection: sqlite3.Connection, agent_id: str, at: int, session: SessionKey | None = None) -> None:
    """End the binding of an agent. Idempotent. ``session``: of its runtime, if the runtime has ended."""
    connection.execute(
        "UPDATE agent_bindings SET ended_at = ?, target_id = ?, agent_type = ?, agent_session_id = ?"
        " WHERE agent_id = ? AND ended_at IS NULL",
        (at, *(session or (None, None, None)), agent_id),
    )


def session_of(connection: sqlite3.Connection, runtime_id: str) -> SessionKey | None:
    """Return the session of a runtime. None: it is not known."""
    row = connection.execute(
        "SELECT target_id, agent_type, agent_session_id FROM runtimes WHERE runtime_id = ? AND NOT headless",
        (runtime_id,),
    ).fetchone()
    return None if row is None or row[2] is None else SessionKey(*row)


# ---------------------------------------------------------------- teams


def add_team(connection: sqlite3.Connection, team: Team) -> None:
    """Add a team, or save its settings."""
    connection.execute(
        "INSERT INTO teams (team_id, name, deliver, escalate_to, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (team_id) DO UPDATE SET name = excluded.name, deliver = excluded.deliver,"
        " escalate_to = excluded.escalate_to",
        (team.team_id, team.name, team.deliver, team.escalate_to, team.created_at),
    )


def remove_team(connection: sqlite3.Connection, team_id: str) -> None:
    """Remove a team. The agents that still are in it, retired ones too, have no team afterwards."""
    connection.execute("UPDATE agents SET team_id = NULL WHERE team_id = ?", (team_id,))
    connection.execute("DELETE FROM teams WHERE team_id = ?", (team_id,))


# ---------------------------------------------------------------- requests


def find_request(connection: sqlite3.Connection, request_ref: str) -> tuple[str, str] | None:
    """Return the digest and the answer of an earlier request with this name."""
    found: tuple[str, str] | None = connection.execute(
        "SELECT digest, answer_json FROM agent_requests WHERE request_ref = ?", (request_ref,)
    ).fetchone()
    return found


def save_request(connection: sqlite3.Connection, request_ref: str, digest: str, answer: str, at: int) -> None:
    """Remember a request with its answer, and forget those that are old."""
    connection.execute("DELETE FROM agent_requests WHERE made_at < ?", (at - KEPT_REQUESTS,))
    connection.execute("INSERT INTO agent_requests VALUES (?, ?, ?, ?)", (request_ref, digest, answer, at))


# ---------------------------------------------------------------- one binding


class BindingRow(NamedTuple):
    """Which runtime an agent is now, and whether it was retired."""

    runtime_id: str | None
    is_retired: bool


def read_binding(connection: sqlite3.Connection, agent_id: str) -> BindingRow:
    """Read what is committed of an agent's binding. An agent that is not there counts as retired."""
    row = connection.execute(
        "SELECT b.runtime_id, a.retired_at IS NOT NULL FROM agents a"
        " LEFT JOIN agent_bindings b ON b.agent_id = a.agent_id AND b.ended_at IS NULL WHERE a.agent_id = ?",
        (agent_id,),
    ).fetchone()
    return BindingRow(None, True) if row is None else BindingRow(row[0], bool(row[1]))
