"""Build the items of ``POST /v1/hooks``: each reports on one settings file of an agent.

Owns the items, for this machine and for machines behind ssh, and the check of a hook command. Writes no file:
``remote_hooks.place_files`` does.
"""

from __future__ import annotations

import difflib
import os
import shlex
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agtmuxd.adapters.contract import HookPlan, HookStatus

BACKUPS = 5
"""Number of backups kept beside a file."""

TRIES = 3
"""How often a change is tried if another program writes the file at the same time."""

SCRIPT = 4096
"""Most bytes of a start script; usual ones have a few hundred."""


def hook_item(agent: str, path: Path) -> dict[str, Any]:
    """Return an empty item for one file."""
    return {
        "agent": agent, "path": str(path), "changed": False, "diff": "", "installed": False, "outdated": False,
        "events": [], "notes": [], "error": None, "backup": None, "command": None, "as_argument": False,
        "switched_off": None, "deaf_panes": [], "maybe_deaf_panes": [],
    }  # fmt: skip


def absent_item(agent: str, home: Path) -> dict[str, Any]:
    """Return the item for an agent that the user did not name, and that has no settings folder."""
    note = f"{home} does not exist, so nothing was installed; use --agent {agent} to install anyway"
    return {**hook_item(agent, home), "notes": [note]}


def planned_item(agent: str, plan: HookPlan, backup: str | None, left: Sequence[str] = ()) -> dict[str, Any]:
    """Return the item for a planned or finished change. ``left``: the backups that stay after an uninstall."""
    diff = difflib.unified_diff(
        (plan.before or "").splitlines(keepends=True), (plan.after or "").splitlines(keepends=True),
        str(plan.path), str(plan.path),
    )  # fmt: skip
    notes = list(plan.notes) if plan.changes else []
    if left:
        notes.append(f"backups were kept; when everything works, remove them: rm {shlex.join(left)}")
    return {
        **hook_item(agent, plan.path), "changed": plan.changes, "diff": "".join(diff), "notes": notes, "backup": backup,
    }  # fmt: skip


def busy_error(path: Path) -> str:
    """Return the error for a file that another program wrote during each try."""
    return f"another program keeps writing {path}. Quit its agent, then run this again."


def add_status(items: dict[str, dict[str, Any]], agent: str, status: HookStatus, *, leaving: bool = False) -> None:
    """Put the status of a file into its item; ``items`` is by path. ``leaving``: add no notes about hooks in use."""
    item = items.setdefault(str(status.path), hook_item(agent, status.path))
    item["installed"], item["outdated"] = status.installed, status.outdated
    item["events"] = list(status.events)
    item["command"], item["as_argument"] = status.command, status.as_argument
    item["switched_off"] = status.switched_off if status.installed else None
    if leaving:
        return
    newer = (*status.notes, *status.void)
    earlier = [note for note in item["notes"] if not any(note in one for one in newer)]
    item["notes"] = [*earlier, *status.notes]


def why_not_ours(command: str) -> str | None:
    """Return why hooks may not call ``command``; None if it is the hook command of this daemon's installation.

    An installed command runs at each step of each agent. So only ``<program> hook`` and ``<python> -m agtmux hook``
    of this installation are allowed. A link to the program is allowed, and so is the same start script with another
    interpreter.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        return f"command: {command!r} cannot be read as a command line ({error})"
    mine, program = Path(sys.executable).parent.resolve(), Path(words[0] if words else "")
    if len(words) == 2 and words[1] == "hook":
        own = mine / "agtmux"
        ours = program.is_absolute() and (program.resolve() == own.resolve() or _same_script(program, own))
    elif words[1:] == ["-m", "agtmux", "hook"]:
        own = Path(sys.executable)
        ours = program.is_absolute() and program.parent.resolve() == mine
    else:
        return f"command: {command!r} is not the hook command of agtmux, like {mine / 'agtmux'} hook"
    if ours and os.access(program, os.X_OK):
        return None
    return (
        f"command: {program} is not of the installation that this daemon runs from ({own}): "
        "run agtmux daemon restart with the agtmux that hooks are to call, then try again"
    )


def _same_script(program: Path, own: Path) -> bool:
    """Return whether ``program`` is agtmux's start script as installers write it, for any interpreter.

    Another user's file does not count (unless root's), nor one that others may write to.
    """
    try:
        info = program.stat()
        if not stat.S_ISREG(info.st_mode) or info.st_uid not in (0, os.getuid()) or info.st_mode & 0o022:
            return False
        text, mine = (_behind_interpreter(path) for path in (program, own))
    except (OSError, ValueError):
        return False
    return text is not None and text == mine


def _behind_interpreter(path: Path) -> str | None:
    """Return the text of a small script from its first import on; None for any other file."""
    with path.open("rb") as file:
        text = file.read(SCRIPT).decode("utf-8")
    place = text.find("\nimport ")
    return text[place:] if text.startswith("#!") and place > 0 and len(text) < SCRIPT else None
