"""Keep what features add to the rows of panes: one JSON value for each runtime and name.

An annotation ends with its runtime. If its value is an object with ``attention`` (``review`` or ``needs_action``) and
``since``, the row gets that attention as long as it has none itself and nobody has acknowledged it (``seen``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agtmuxd.core.json_codec import encode
from agtmuxd.ingest.context import IngestContext
from agtmuxd.repository import PaneKey, UnitOfWork


def annotate(run: IngestContext, runtime_id: str, name: str, value: Any) -> bool:
    """Set the annotation ``name`` of a runtime, or remove it (``value`` None). Return whether the runtime lives."""
    runtime = run.unit.runtimes.get(runtime_id)
    if runtime is None or runtime.ended_at is not None:
        return False
    notes = dict(run.unit.annotations.get(runtime_id) or {})
    if notes.get(name) == value:
        return True
    if value is None:
        del notes[name]
        run.connection.execute("DELETE FROM annotations WHERE runtime_id = ? AND name = ?", (runtime_id, name))
    else:
        notes[name] = value
        run.connection.execute(
            "INSERT INTO annotations VALUES (?, ?, ?)"
            " ON CONFLICT (runtime_id, name) DO UPDATE SET value_json = excluded.value_json",
            (runtime_id, name, encode(value).decode()),
        )
    run.unit.annotations.put(runtime_id, notes)
    run.unit.shown.add((runtime.target_id, runtime.pane_id))
    return True


def acknowledge(run: IngestContext, key: PaneKey, runtime_id: str | None) -> str:
    """Clear the attention that annotations give to a pane. Return the attention that they gave."""
    had = "none"
    if runtime_id is None or run.unit.active.get(key) != runtime_id:
        return had
    for name, value in (run.unit.annotations.get(runtime_id) or {}).items():
        if _draws_attention(value):
            had = value["attention"]
            annotate(run, runtime_id, name, {**value, "seen": True})
    return had


def forget_ended(run: IngestContext) -> None:
    """Remove the annotations of the runtimes that ended in this transaction."""
    for runtime_id, runtime in run.unit.runtimes.over.items():
        ended = runtime is None or runtime.ended_at is not None
        if ended and run.unit.annotations.get(runtime_id) is not None:
            run.connection.execute("DELETE FROM annotations WHERE runtime_id = ?", (runtime_id,))
            run.unit.annotations.drop(runtime_id)


def annotated(item: dict[str, Any], unit: UnitOfWork) -> dict[str, Any]:
    """Add the annotations of a pane's runtime to its row. A name never replaces a field of the row."""
    notes: Mapping[str, Any] | None = unit.annotations.get(item["runtime_id"]) if item["runtime_id"] else None
    if not notes:
        return item
    item = {**notes, **item}
    for value in notes.values():
        if item["attention"] == "none" and _draws_attention(value):
            item |= {"attention": value["attention"], "attention_since": value.get("since")}
    return item


def _draws_attention(value: Any) -> bool:
    return isinstance(value, dict) and value.get("attention") in ("review", "needs_action") and not value.get("seen")
