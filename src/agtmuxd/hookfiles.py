"""Writes a planned change to an agent's own settings file: backup first, then one atomic replacement."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from pathlib import Path

from agtmuxd.adapters.base import HookPlan

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
