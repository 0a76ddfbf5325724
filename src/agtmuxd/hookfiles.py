"""How a change to an agent's own settings file, or what stands in it, is told: the items of ``POST /v1/hooks``.

The same on whatever machine the file lies. Writes nothing: that is ``remote.place``.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agtmuxd.adapters.base import HookPlan, HookStatus

BACKUPS = 5
"""Backups kept beside a file."""


def hook_item(agent: str, path: Path) -> dict[str, Any]:
    """An item that says nothing yet."""
    return {
        "agent": agent, "path": str(path), "changed": False, "diff": "", "installed": False, "outdated": False,
        "events": [], "notes": [], "error": None, "backup": None, "command": None, "as_argument": False,
        "deaf_panes": [], "maybe_deaf_panes": [],
    }  # fmt: skip


def absent_item(agent: str, home: Path) -> dict[str, Any]:
    """Of an agent that was not asked for by its name, and has no folder here."""
    note = f"there is no {home}, so nothing was put there; --agent {agent} does it all the same"
    return {**hook_item(agent, home), "notes": [note]}


def planned_item(agent: str, plan: HookPlan, backup: str | None, left: Sequence[str] = ()) -> dict[str, Any]:
    """What was changed, or would be. ``left``: the backups that stay where our hooks are taken out."""
    diff = difflib.unified_diff(
        (plan.before or "").splitlines(keepends=True), (plan.after or "").splitlines(keepends=True),
        str(plan.path), str(plan.path),
    )  # fmt: skip
    notes = list(plan.notes) if plan.changes else []
    if left:
        notes.append(f"backups stay beside it; once all is well: rm {shlex.join(left)}")
    return {
        **hook_item(agent, plan.path), "changed": plan.changes, "diff": "".join(diff), "notes": notes, "backup": backup,
    }  # fmt: skip


def add_status(items: dict[str, dict[str, Any]], agent: str, status: HookStatus, *, leaving: bool = False) -> None:
    """Put what stands in a file now into its item, by path. ``leaving``: nothing is said to a user of hooks."""
    item = items.setdefault(str(status.path), hook_item(agent, status.path))
    item["installed"], item["outdated"] = status.installed, status.outdated
    item["events"] = list(status.events)
    item["command"], item["as_argument"] = status.command, status.as_argument
    if leaving:
        return
    newer = (*status.notes, *status.void)
    told = [note for note in item["notes"] if not any(note in one for one in newer)]
    item["notes"] = [*told, *status.notes]
