"""Finish a transaction: resolve states, save rows, publish changes.

Runs on the store's thread, before the commit.
"""

from __future__ import annotations

from typing import Any

from agtmuxd.core.json_codec import encode
from agtmuxd.core.model import Source
from agtmuxd.core.state.registers import retired
from agtmuxd.core.state.resolve import recheck_at
from agtmuxd.ingest import labels
from agtmuxd.ingest.annotations import annotated, forget_ended
from agtmuxd.ingest.context import IngestContext, SessionState
from agtmuxd.ingest.pane_items import UNKNOWN, pane_item
from agtmuxd.ingest.state_rows import update_state
from agtmuxd.repository import NO_TEXT
from agtmuxd.store import history
from agtmuxd.store.current import save_unit
from agtmuxd.stream.coordination import COORD
from agtmuxd.stream.published import Changes, PublishedRows, changes_for, pane_key


def update_states(run: IngestContext, session_state: SessionState) -> tuple[dict[str, int | None], dict[str, int]]:
    """Resolve the state of every touched runtime.

    Returns two maps, in ns: runtime id to the time at which its state may change without new evidence (None: never),
    and target id to the time at which to refresh it.
    """
    wakes: dict[str, int | None] = {}
    looks: dict[str, int] = {}
    for runtime_id in sorted(run.unit.touched):
        runtime = run.unit.runtimes.get(runtime_id)
        if runtime is None or runtime.ended_at is not None or runtime.target_id not in session_state.ready:
            continue
        session_state.quiet_runtimes.end(run.unit, runtime_id)
        life = session_state.runtime_facts(runtime)
        looked_at = runtime.pane_id in session_state.looked_at.get(runtime.target_id, frozenset())
        resolution = update_state(run.unit, runtime, life, run.now, looked_at=looked_at)
        wakes[runtime_id] = resolution.next_wake
        look = recheck_at(run.unit.registers.get(runtime_id) or {}, run.now)
        if look is not None:
            looks[runtime.target_id] = min(look, looks.get(runtime.target_id, look))
        session_state.quiet_runtimes.decide(run.unit, runtime_id, life.pane_read_at, resolution, run.now)
    return wakes, looks


def save(run: IngestContext) -> None:
    """Write what the transaction changed."""
    unit = run.unit
    at: dict[tuple[str, Source, str], int | None] = {}
    for runtime_id, source, subject in unit.changed_registers:
        register = (unit.registers.get(runtime_id) or {}).get((source, subject))
        if register is not None:
            gone = retired(register, unit.marks.get(runtime_id) or {})
            at[(runtime_id, source, subject)] = gone[1] if gone is not None else None
    save_unit(run.connection, unit, at)
    forget_ended(run)
    labels.forget_ended(run)


def publish(run: IngestContext, session_state: SessionState, view: PublishedRows) -> tuple[Changes, int]:
    """Write the changed rows to the stream log and the published table. Return the changes and their sequence.

    Watchers get them only after the commit.
    """
    items: dict[str, dict[str, Any] | None] = {}
    unit = run.unit
    for key in unit.shown:
        target = unit.targets.get(key[0])
        name = target.name if target is not None else run.removed_targets.get(key[0])
        if name is None or (key[0] not in session_state.ready and target is not None):
            continue
        pane = unit.panes.get(key)
        if pane is None or target is None:
            items[pane_key(name, key[1])] = None
            continue
        state = unit.states.get(key)
        runtime = unit.active_runtime(key)
        if runtime is None and state is not None:
            runtime = unit.runtimes.get(state.runtime_id)
        if runtime is not None and state is None:
            runtime = None  # its state was not resolved yet
        project = unit.projects.get((key[0], pane.row.cwd)) or UNKNOWN
        text = (unit.agent_texts.get(runtime.runtime_id) if runtime is not None else None) or NO_TEXT
        items[pane_key(name, key[1])] = annotated(pane_item(name, pane, runtime, state, project, text), unit)
    changes = changes_for(view, items)
    if run.coordination:
        changes[COORD] = run.coordination
    if not changes:
        return {}, view.sequence
    sequence = view.sequence + 1
    texts = {scope: encode([c.to_json() for c in some]).decode() for scope, some in changes.items()}
    history.add_batch(run.connection, view.stream_id, sequence, texts, run.now)
    keep = {c.key: None if c.item is None else encode(c.item).decode() for c in changes.get("panes", ())}
    history.publish(run.connection, keep)
    return changes, sequence
