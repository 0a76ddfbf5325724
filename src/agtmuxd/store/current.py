"""Convert between the current tables and frozen values. Makes no decisions.

Owns the SQL of targets, panes, runtimes, registers, marks and states. Only this module and the API use dicts and JSON.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from agtmuxd.core.model import Claim, PaneRow, Phase, Source, State, Strength, WaitingFor
from agtmuxd.core.state.ordering import Stamp
from agtmuxd.core.state.registers import Entry, Register
from agtmuxd.repository import Pane, Repository, Runtime, StateRow, Target, UnitOfWork

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def dumps(value: object) -> str:
    """Encode as canonical JSON: equal values give equal text."""
    return _ENCODER.encode(value)


def _waiting(value: WaitingFor | None) -> dict[str, Any] | None:
    return None if value is None else asdict(value)


def _waiting_back(value: dict[str, Any] | None) -> WaitingFor | None:
    return None if value is None else WaitingFor(**{**value, "options": tuple(value["options"])})


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "claim": entry.claim, "phase": entry.phase, "strength": entry.strength, "rule": entry.rule,
        "since": entry.since, "stamp": [entry.stamp.time, entry.stamp.ingested_at, entry.stamp.event_id],
        "seq": entry.seq, "waiting_for": _waiting(entry.waiting_for), "accepts_input": entry.accepts_input,
        "background_tasks": entry.background_tasks, "detail": entry.detail, "late": entry.late,
    }  # fmt: skip


def _entry_back(data: dict[str, Any]) -> Entry:
    return Entry(
        claim=None if data["claim"] is None else Claim(data["claim"]),
        phase=Phase(data["phase"]),
        strength=Strength(data["strength"]),
        rule=data["rule"],
        since=data["since"],
        stamp=Stamp(*data["stamp"]),
        seq=data["seq"],
        waiting_for=_waiting_back(data["waiting_for"]),
        accepts_input=data["accepts_input"],
        background_tasks=data["background_tasks"],
        detail=data["detail"],
        late=data.get("late", 0),
    )


_TARGET = """
INSERT INTO targets (target_id, target_name, kind, connection_ref, is_default, health, health_since, reason,
                     last_seen_at, tmux_version, options_json, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (target_id) DO UPDATE SET target_name = excluded.target_name, kind = excluded.kind,
  connection_ref = excluded.connection_ref, is_default = excluded.is_default, health = excluded.health,
  health_since = excluded.health_since, reason = excluded.reason, last_seen_at = excluded.last_seen_at,
  tmux_version = excluded.tmux_version, options_json = excluded.options_json, updated_at = excluded.updated_at
"""

_PANE = """
INSERT INTO panes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (target_id, pane_id) DO UPDATE SET tmux_server_boot_id = excluded.tmux_server_boot_id,
  session_id = excluded.session_id, session_name = excluded.session_name, window_id = excluded.window_id,
  window_index = excluded.window_index, window_name = excluded.window_name, pane_index = excluded.pane_index,
  title = excluded.title, current_command = excluded.current_command, current_path = excluded.current_path,
  pane_pid = excluded.pane_pid, active = excluded.active, dead = excluded.dead,
  first_seen_at = excluded.first_seen_at, updated_at = excluded.updated_at
"""

_RUNTIME = """
INSERT INTO runtimes (runtime_id, target_id, pane_id, tmux_server_boot_id, pane_epoch, agent_type, agent_version,
                      agent_session_id, transcript_path, pid, process_start, process_started_at, headless, cwd, task,
                      started_at, ended_at, end_reason, last_state_version)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (runtime_id) DO UPDATE SET agent_version = excluded.agent_version,
  agent_session_id = excluded.agent_session_id, transcript_path = excluded.transcript_path, pid = excluded.pid,
  headless = excluded.headless, cwd = excluded.cwd, task = excluded.task, ended_at = excluded.ended_at,
  end_reason = excluded.end_reason, last_state_version = excluded.last_state_version
"""

_STATE = """
INSERT INTO states (target_id, pane_id, runtime_id, state, reason_code, confidence, state_version, since,
                    decided_by_json, waiting_for_json, accepts_input, background_tasks, last_known_json, attention,
                    attention_since, last_source_seq, last_seen_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (target_id, pane_id) DO UPDATE SET runtime_id = excluded.runtime_id, state = excluded.state,
  reason_code = excluded.reason_code, confidence = excluded.confidence, state_version = excluded.state_version,
  since = excluded.since, decided_by_json = excluded.decided_by_json, waiting_for_json = excluded.waiting_for_json,
  accepts_input = excluded.accepts_input, background_tasks = excluded.background_tasks,
  last_known_json = excluded.last_known_json, attention = excluded.attention,
  attention_since = excluded.attention_since, last_source_seq = excluded.last_source_seq,
  last_seen_at = excluded.last_seen_at, updated_at = excluded.updated_at
"""

_CANDIDATE = """
INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (runtime_id, source, subject) DO UPDATE SET reason_code = excluded.reason_code, claim = excluded.claim,
  strength = excluded.strength, since = excluded.since, last_seen = excluded.last_seen,
  fresh_until = excluded.fresh_until, retired_at = excluded.retired_at, evidence_json = excluded.evidence_json
"""

_CURSOR = """
INSERT INTO runtime_source_cursors VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (runtime_id, source, subject) DO UPDATE SET last_source_seq = excluded.last_source_seq,
  last_order_event_time = excluded.last_order_event_time, last_order_ingested_at = excluded.last_order_ingested_at,
  last_order_event_id = excluded.last_order_event_id
"""


def _bool(value: bool | None) -> int | None:
    return None if value is None else int(value)


def save_target(connection: sqlite3.Connection, t: Target) -> None:
    """Insert or update a target."""
    connection.execute(
        _TARGET,
        (t.target_id, t.name, t.kind, t.connection_ref, int(t.is_default), t.health, t.health_since, t.reason,
         t.last_seen_at, t.tmux_version, dumps(t.options), t.updated_at),
    )  # fmt: skip


def save_pane(connection: sqlite3.Connection, p: Pane) -> None:
    """Insert or update a pane."""
    r = p.row
    connection.execute(
        _PANE,
        (p.target_id, r.pane_id, p.boot_id, r.session_id, r.session_name, r.window_id, r.window_index, r.window_name,
         r.pane_index, r.title, r.command, r.cwd, r.pid, int(r.active), int(r.dead), p.first_seen_at, p.updated_at),
    )  # fmt: skip


def save_runtime(connection: sqlite3.Connection, r: Runtime) -> None:
    """Insert or update a runtime."""
    connection.execute(
        _RUNTIME,
        (r.runtime_id, r.target_id, r.pane_id, r.boot_id, r.pane_epoch, r.agent_type, r.agent_version,
         r.agent_session_id, r.transcript_path, r.pid, r.process_start, r.process_started_at, int(r.headless), r.cwd,
         r.task, r.started_at, r.ended_at, r.end_reason, r.last_state_version),
    )  # fmt: skip


def _state_values(s: StateRow) -> tuple[Any, ...]:
    decided = {"source": s.source, "by": list(s.decided_by), "resumed": s.resumed}
    return (
        s.target_id, s.pane_id, s.runtime_id, s.state.value, s.reason_code, s.confidence, s.state_version, s.since,
        dumps(decided), None if s.waiting_for is None else dumps(_waiting(s.waiting_for)), _bool(s.accepts_input),
        s.background_tasks, None if s.last_known is None else dumps(s.last_known), s.attention, s.attention_since,
        None, s.last_seen_at, s.updated_at,
    )  # fmt: skip


def _candidate_values(runtime_id: str, r: Register, retired_at: int | None) -> tuple[Any, ...]:
    e = r.entry
    evidence = {
        "entry": _entry(e),
        "shadow": None if r.shadow is None else _entry(r.shadow),
        "by_seq": r.ordered_by_seq,
    }
    return (
        runtime_id, r.source.value, r.subject, e.rule, None if e.claim is None else e.claim.value, e.strength.value,
        e.since, r.last_seen, None, retired_at, dumps(evidence),
    )  # fmt: skip


def _cursor_values(runtime_id: str, r: Register) -> tuple[Any, ...]:
    e = r.entry
    return runtime_id, r.source.value, r.subject, e.seq, e.stamp.time, e.stamp.ingested_at, e.stamp.event_id


def save_register(connection: sqlite3.Connection, runtime_id: str, r: Register, retired_at: int | None) -> None:
    """Save one register and its cursor. ``retired_at``: ns."""
    save_registers(connection, [(runtime_id, r, retired_at)])


def save_registers(connection: sqlite3.Connection, rows: list[tuple[str, Register, int | None]]) -> None:
    """Save registers and their cursors. ``rows``: (runtime id, register, when it was retired in ns or None)."""
    connection.executemany(_CANDIDATE, [_candidate_values(*one) for one in rows])
    connection.executemany(_CURSOR, [_cursor_values(runtime_id, register) for runtime_id, register, _ in rows])


def save_unit(
    connection: sqlite3.Connection, unit: UnitOfWork, retired_at: dict[tuple[str, Source, str], int | None]
) -> None:
    """Write everything that the unit of work changed, parents before children.

    ``retired_at``: when each register was retired (ns), by runtime id, source and subject.
    """
    for target_id, target in unit.targets.over.items():
        if target is None:
            _remove_target(connection, target_id)
        else:
            save_target(connection, target)
    changed = [r for r in unit.runtimes.over.values() if r is not None]
    for gone in (*unit.ended.values(), *(r for r in changed if r.ended_at is not None)):
        save_runtime(connection, gone)  # first, because a pane has at most one active runtime
    for living in (r for r in changed if r.ended_at is None):
        save_runtime(connection, living)
    for key, pane in unit.panes.over.items():
        if pane is None:
            connection.execute("DELETE FROM panes WHERE target_id = ? AND pane_id = ?", key)
        else:
            save_pane(connection, pane)
    _save_registers_and_marks(connection, unit, retired_at)
    gone_states = [key for key, state in unit.states.over.items() if state is None]
    connection.executemany("DELETE FROM states WHERE target_id = ? AND pane_id = ?", gone_states)
    connection.executemany(_STATE, [_state_values(s) for s in unit.states.over.values() if s is not None])


def _remove_target(connection: sqlite3.Connection, target_id: str) -> None:
    """Remove a target at once, and leave its history to retention: it can have a million events."""
    tombstone = f"removed:{uuid4().hex}"
    connection.execute(
        "INSERT INTO targets (target_id, target_name, kind, health_since, updated_at, removed_at)"
        " SELECT ?, ?, kind, health_since, updated_at, updated_at FROM targets WHERE target_id = ?",
        (tombstone, tombstone, target_id),
    )
    connection.execute(
        "INSERT INTO pane_numbers SELECT target_id, pane_id, max(pane_epoch), ifnull(max(last_state_version), 0)"
        " FROM runtimes WHERE target_id = ? GROUP BY pane_id"
        " ON CONFLICT (target_id, pane_id) DO UPDATE SET pane_epoch = max(pane_epoch, excluded.pane_epoch),"
        " state_version = max(state_version, excluded.state_version)",
        (target_id,),
    )
    connection.execute(
        "UPDATE runtimes SET target_id = ?, ended_at = ifnull(ended_at, started_at) WHERE target_id = ?",
        (tombstone, target_id),
    )
    connection.execute("DELETE FROM states WHERE target_id = ?", (target_id,))
    connection.execute("DELETE FROM targets WHERE target_id = ?", (target_id,))


def _save_registers_and_marks(
    connection: sqlite3.Connection, unit: UnitOfWork, retired_at: dict[tuple[str, Source, str], int | None]
) -> None:
    """Save registers, their cursors and marks. Uses few large statements, because each one releases the GIL."""
    changed: list[tuple[str, Register, int | None]] = []
    deleted: list[tuple[str, str, str]] = []
    for runtime_id, source, subject in unit.changed_registers:
        registers = unit.registers.get(runtime_id)
        register = (registers or {}).get((source, subject))
        if register is not None:
            changed.append((runtime_id, register, retired_at.get((runtime_id, source, subject))))
        elif registers is not None:
            deleted.append((runtime_id, source.value, subject))
    save_registers(connection, changed)
    for table in ("candidates", "runtime_source_cursors") if deleted else ():
        connection.executemany(
            f"DELETE FROM {table} WHERE runtime_id = ? AND source = ? AND subject = ?",  # noqa: S608 constants
            deleted,
        )
    marks = [(r, mark, at) for r in unit.marked for mark, at in (unit.marks.get(r) or {}).items()]
    connection.executemany(
        "INSERT INTO retirement_marks VALUES (?, ?, ?) ON CONFLICT (runtime_id, mark) DO UPDATE SET at = excluded.at",
        marks,
    )


def load_repository(connection: sqlite3.Connection) -> Repository:
    """Load the rows that were current when the last daemon stopped."""
    repository = Repository()
    connection.row_factory = sqlite3.Row
    try:
        for r in connection.execute("SELECT * FROM targets WHERE removed_at IS NULL"):
            repository.targets[r["target_id"]] = Target(
                r["target_id"], r["target_name"], r["kind"], r["connection_ref"], bool(r["is_default"]), r["health"],
                r["health_since"], r["reason"], r["last_seen_at"], r["tmux_version"], json.loads(r["options_json"]),
                r["updated_at"],
            )  # fmt: skip
        for r in connection.execute("SELECT * FROM panes"):
            repository.panes[(r["target_id"], r["pane_id"])] = Pane(
                r["target_id"], r["tmux_server_boot_id"], _pane_row(r), r["first_seen_at"], r["updated_at"]
            )
        for r in connection.execute(
            "SELECT target_id, pane_id, max(pane_epoch) AS top, max(last_state_version) AS version FROM"
            " (SELECT target_id, pane_id, pane_epoch, last_state_version FROM runtimes"
            "  UNION ALL SELECT target_id, pane_id, pane_epoch, state_version FROM pane_numbers) GROUP BY 1, 2"
        ):
            repository.epochs[(r["target_id"], r["pane_id"])] = r["top"]
            repository.versions[(r["target_id"], r["pane_id"])] = r["version"] or 0
        _load_runtimes(connection, repository)
    finally:
        connection.row_factory = None
    return repository


def _load_runtimes(connection: sqlite3.Connection, repository: Repository) -> None:
    shown = "(SELECT runtime_id FROM runtimes WHERE ended_at IS NULL UNION SELECT runtime_id FROM states)"
    for r in connection.execute(f"SELECT * FROM runtimes WHERE runtime_id IN {shown}"):  # noqa: S608 a constant
        runtime = Runtime(
            r["runtime_id"], r["target_id"], r["pane_id"], r["tmux_server_boot_id"], r["pane_epoch"], r["agent_type"],
            r["agent_version"], r["agent_session_id"], r["transcript_path"], r["pid"], r["process_start"],
            r["process_started_at"], bool(r["headless"]), r["cwd"], r["task"], r["started_at"], r["ended_at"],
            r["end_reason"], r["last_state_version"],
        )  # fmt: skip
        repository.runtimes[runtime.runtime_id] = runtime
        repository.registers[runtime.runtime_id] = {}
        repository.marks[runtime.runtime_id] = {}
        if runtime.ended_at is None:
            repository.active[(runtime.target_id, runtime.pane_id)] = runtime.runtime_id
    for r in connection.execute(f"SELECT * FROM candidates WHERE runtime_id IN {shown}"):  # noqa: S608 a constant
        evidence = json.loads(r["evidence_json"])
        source = Source(r["source"])
        shadow = evidence["shadow"]
        repository.registers[r["runtime_id"]][(source, r["subject"])] = Register(
            source, r["subject"], _entry_back(evidence["entry"]), r["last_seen"],
            None if shadow is None else _entry_back(shadow), evidence["by_seq"],
        )  # fmt: skip
    for r in connection.execute(f"SELECT * FROM retirement_marks WHERE runtime_id IN {shown}"):  # noqa: S608 a constant
        repository.marks[r["runtime_id"]][r["mark"]] = r["at"]
    for r in connection.execute("SELECT * FROM annotations"):
        if r["runtime_id"] in repository.runtimes:
            notes = repository.annotations.setdefault(r["runtime_id"], {})
            notes[r["name"]] = json.loads(r["value_json"])
    for r in connection.execute("SELECT * FROM states"):
        decided = json.loads(r["decided_by_json"])
        repository.states[(r["target_id"], r["pane_id"])] = StateRow(
            r["target_id"], r["pane_id"], r["runtime_id"], State(r["state"]), r["reason_code"], r["confidence"],
            r["state_version"], r["since"], None if decided["source"] is None else Source(decided["source"]),
            tuple(decided["by"]),
            _waiting_back(json.loads(r["waiting_for_json"])) if r["waiting_for_json"] else None,
            None if r["accepts_input"] is None else bool(r["accepts_input"]), r["background_tasks"] or 0,
            json.loads(r["last_known_json"]) if r["last_known_json"] else None, bool(decided["resumed"]),
            r["attention"], r["attention_since"], r["last_seen_at"], r["updated_at"],
        )  # fmt: skip


def _pane_row(r: sqlite3.Row) -> PaneRow:
    """Build the row of a stored pane. Cursor, size and the like are not stored: they are empty until the next round."""
    return PaneRow(
        pane_id=r["pane_id"], session_id=r["session_id"], session_name=r["session_name"], window_id=r["window_id"],
        window_index=r["window_index"], window_name=r["window_name"], pane_index=r["pane_index"], title=r["title"],
        command=r["current_command"], cwd=r["current_path"], pid=r["pane_pid"], tty="", active=bool(r["active"]),
        attached=0, dead=bool(r["dead"]), dead_status=None, dead_signal=None, in_mode=False, alternate_on=False,
        cursor_visible=False, cursor_x=0, cursor_y=0, cols=0, rows=0,
    )  # fmt: skip
