"""Keep the places of runtimes, and read those that were lost with their tmux server."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from agtmuxd.features.restore.model import LostAgent, Place, last_of_each_pane

BEFORE: Final = 10_000_000_000
"""An agent that ended so shortly (ns) before its server was found gone ended because of it."""

_LOST: Final = """
WITH gone AS (
  SELECT target_id, tmux_server_boot_id AS boot, min(ended_at) AS at FROM runtimes
  WHERE end_reason = 'server_gone' GROUP BY target_id, tmux_server_boot_id
), last AS (
  SELECT target_id, boot, max(at) AS at FROM gone GROUP BY target_id
)
SELECT r.runtime_id, r.target_id, t.target_name, r.pane_id, r.agent_type, r.agent_session_id, r.cwd, r.transcript_path,
       r.ended_at, p.session_name, p.window_index, p.window_name, p.pane_index, p.claimed_at
FROM runtimes r
JOIN last ON last.target_id = r.target_id AND last.boot = r.tmux_server_boot_id
JOIN restore_places p ON p.runtime_id = r.runtime_id
JOIN targets t ON t.target_id = r.target_id
WHERE r.ended_at IS NOT NULL AND NOT r.headless AND t.removed_at IS NULL
  AND (r.end_reason = 'server_gone' OR r.ended_at >= last.at - ?)
ORDER BY r.pane_epoch
"""


def lost(connection: sqlite3.Connection) -> list[LostAgent]:
    """Read the agents that ended with the last server of each target that is gone."""
    rows = connection.execute(_LOST, (BEFORE,))
    return last_of_each_pane(
        LostAgent(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], Place(r[9], r[10], r[11], r[12]), r[13])
        for r in rows
    )


def save_places(connection: sqlite3.Connection, places: Mapping[str, Place]) -> None:
    """Save where runtimes are, by runtime id. Runtimes that history has forgotten are left out."""
    connection.executemany(
        "INSERT INTO restore_places (runtime_id, session_name, window_index, window_name, pane_index)"
        " SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM runtimes WHERE runtime_id = ?1)"
        " ON CONFLICT (runtime_id) DO UPDATE SET session_name = excluded.session_name,"
        " window_index = excluded.window_index, window_name = excluded.window_name, pane_index = excluded.pane_index",
        [(runtime_id, *place) for runtime_id, place in places.items()],
    )


def claim(connection: sqlite3.Connection, runtime_id: str, at: int, *, again: bool) -> bool:
    """Note that somebody restores this agent. Return False if somebody already did. ``again``: do so once more."""
    done = connection.execute(
        "UPDATE restore_places SET claimed_at = ? WHERE runtime_id = ? AND (claimed_at IS NULL OR ?)",
        (at, runtime_id, again),
    )
    return done.rowcount == 1


def release(connection: sqlite3.Connection, runtime_id: str) -> None:
    """Take the claim back: nothing was started."""
    connection.execute("UPDATE restore_places SET claimed_at = NULL WHERE runtime_id = ?", (runtime_id,))
