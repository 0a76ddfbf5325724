"""Hold the SQL of agents and their bindings. Makes no decisions."""

from __future__ import annotations

import json
import sqlite3

from agtmuxd.agents.model import Agent

_ALL = """
SELECT a.agent_id, a.name, a.created_at, t.name, a.automatic, a.role, a.tags_json, b.runtime_id,
       (SELECT ifnull(max(epoch), 0) FROM agent_bindings WHERE agent_id = a.agent_id), b.bound_at, a.retired_at
FROM agents a
LEFT JOIN teams t ON t.team_id = a.team_id
LEFT JOIN agent_bindings b ON b.agent_id = a.agent_id AND b.ended_at IS NULL
"""


def load_agents(connection: sqlite3.Connection) -> list[Agent]:
    """Load all agents, also retired ones, oldest first."""
    return [
        Agent(r[0], r[1], r[2], r[3], bool(r[4]), r[5], tuple(json.loads(r[6])), r[7], r[8], r[9], r[10])
        for r in connection.execute(f"{_ALL} ORDER BY a.rowid")
    ]


def next_number(connection: sqlite3.Connection, agent_type: str) -> int:
    """Take the next number for an automatic name. No number is given twice."""
    row = connection.execute(
        "INSERT INTO agent_numbers VALUES (?, 2) ON CONFLICT (agent_type) DO UPDATE SET next = next + 1 RETURNING next",
        (agent_type,),
    ).fetchone()
    return int(row[0]) - 1


def add_agent(connection: sqlite3.Connection, agent: Agent, team_id: str | None = None) -> None:
    """Add an agent without a binding. Raises sqlite3.IntegrityError if its team has one of that name."""
    connection.execute(
        "INSERT INTO agents (agent_id, team_id, name, automatic, role, tags_json, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (agent.agent_id, team_id, agent.name, agent.automatic, agent.role, json.dumps(agent.tags), agent.created_at),
    )


def add_binding(
    connection: sqlite3.Connection, binding_id: str, agent_id: str, runtime_id: str, epoch: int, at: int, how: str
) -> None:
    """Bind an agent to a runtime. Raises sqlite3.IntegrityError if one of them is bound."""
    connection.execute(
        "INSERT INTO agent_bindings VALUES (?, ?, ?, ?, ?, NULL, ?)", (binding_id, agent_id, runtime_id, epoch, at, how)
    )


def end_binding(connection: sqlite3.Connection, agent_id: str, at: int) -> None:
    """End the binding of an agent. Idempotent."""
    connection.execute("UPDATE agent_bindings SET ended_at = ? WHERE agent_id = ? AND ended_at IS NULL", (at, agent_id))
