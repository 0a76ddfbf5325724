"""Writes a planned change to an agent's own settings file: backup first, then one atomic replacement.

Owns how a change or a status is told (the items of ``POST /v1/hooks``), on whatever machine the file lies.
"""

from __future__ import annotations

import difflib
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import Any

from agtmuxd.adapters.base import HookPlan, HookStatus

BACKUPS = 5
"""Backups kept beside a file."""


def apply_plan(plan: HookPlan) -> Path | None:
    """Do what ``plan`` says; the path of the backup, None where there was no file before.

    Raises ValueError where the file is no longer what the plan was made from, OSError where it cannot be written. A
    symbolic link is followed: the file it names is replaced, the link stays.
    """
    path = plan.path.resolve() if plan.path.is_symlink() else plan.path
    now = path.read_text(encoding="utf-8") if path.exists() else None
    if now != plan.before:
        raise ValueError(f"{plan.path} changed while hooks were being planned: try again")
    backup: Path | None = None
    mode = 0o600
    if now is not None:
        mode = stat.S_IMODE(path.stat().st_mode)
        backup = path.with_name(f"{path.name}.agtmux-backup-{time.strftime('%Y%m%d-%H%M%S')}")
        _write(backup, now, mode)
        for old in sorted(path.parent.glob(f"{path.name}.agtmux-backup-*"))[:-BACKUPS]:
            old.unlink()
    if plan.after is None:
        path.unlink(missing_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, plan.after, mode)
    return backup


def _write(path: Path, text: str, mode: int) -> None:
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# ---------------------------------------------------------------- as it is told


def hook_item(agent: str, path: Path) -> dict[str, Any]:
    """An item that says nothing yet."""
    return {
        "agent": agent, "path": str(path), "changed": False, "diff": "", "installed": False, "outdated": False,
        "events": [], "notes": [], "error": None, "backup": None, "command": None, "as_argument": False,
        "deaf_panes": [], "maybe_deaf_panes": [],
    }  # fmt: skip


def planned_item(agent: str, plan: HookPlan, backup: str | None) -> dict[str, Any]:
    """What was changed, or would be."""
    diff = difflib.unified_diff(
        (plan.before or "").splitlines(keepends=True), (plan.after or "").splitlines(keepends=True),
        str(plan.path), str(plan.path),
    )  # fmt: skip
    return {
        **hook_item(agent, plan.path), "changed": plan.changes, "diff": "".join(diff), "notes": list(plan.notes),
        "backup": backup,
    }  # fmt: skip


def add_status(items: dict[str, dict[str, Any]], agent: str, status: HookStatus) -> None:
    """Put what stands in a file now into its item, by path."""
    item = items.setdefault(str(status.path), hook_item(agent, status.path))
    item["installed"], item["outdated"] = status.installed, status.outdated
    item["events"] = list(status.events)
    item["command"], item["as_argument"] = status.command, status.as_argument
    item["notes"] += [note for note in status.notes if note not in item["notes"]]
