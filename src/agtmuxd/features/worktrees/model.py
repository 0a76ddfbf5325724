"""Name the worktrees of agents, and decide which steps their records may take. Pure. Times are in ns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.json_codec import stamp

MACHINE: Final = "local"
"""The machine of all repositories so far: the daemon's."""
STEPS: Final[dict[str, tuple[frozenset[str], str]]] = {
    "added": (frozenset({"adding"}), "active"),
    "not_added": (frozenset({"adding"}), "removed"),
    "removing": (frozenset({"adding", "active", "removing"}), "removing"),
    "kept": (frozenset({"removing"}), "active"),
    "removed": (frozenset({"removing"}), "removed"),
    "salvaged": (frozenset({"adding", "active", "removing"}), ""),
    "checked": (frozenset({"adding", "active", "removing"}), ""),
}
"""What may be reported in which states, and the state that follows. Empty: it stays."""
_ODD: Final = re.compile(r"\.{2,}|\.lock(?=$|\+)|[.+]$")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose worktree it is. ``agent_id`` None: no agent has this name yet."""

    name: str
    team: str | None = None
    agent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Worktree:
    """One record. ``salvage``: JSON of its last verified salvage."""

    worktree_id: str
    repo_id: str
    repository: str
    owner: Owner
    path: str
    branch: str
    base: str
    base_commit: str
    state: str
    conflicts: int | None
    salvage: dict[str, Any] | None
    created_at: int
    updated_at: int

    def item(self) -> dict[str, Any]:
        """Convert to the item of answers and of the stream."""
        return {
            "worktree_id": self.worktree_id,
            "repository": self.repository,
            "agent_id": self.owner.agent_id,
            "agent": self.owner.name,
            "team": self.owner.team,
            "path": self.path,
            "branch": self.branch,
            "base": self.base,
            "base_commit": self.base_commit,
            "lock_reason": lock_reason(self.owner),
            "state": self.state,
            "conflicts": self.conflicts,
            "salvage": self.salvage,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
        }


def repo_id(common_dir: str, machine: str = MACHINE) -> str:
    """Return the id of a repository: the same for all its worktrees."""
    return hashlib.sha256(f"{machine}\x1f{common_dir}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def lock_reason(owner: Owner) -> str:
    """Return the reason with which git locks a worktree of this agent."""
    return f"agtmux:{owner.agent_id or owner.name}"


def branch_name(owner: Owner, slug: str | None, taken: Collection[str]) -> str:
    """Return the branch of a new worktree: ``agtmux/[TEAM/]AGENT[/SLUG]``.

    Git cannot have both ``a`` and ``a/b``. So the last slash becomes a plus if a branch of ``taken`` is in the way.
    Raises E_PRECONDITION_FAILED if that branch exists too.
    """
    parts = [_part(owner.team)] if owner.team else []
    above = "/".join(["agtmux", *parts])
    plain = f"{above}/{_part(owner.name)}"
    folded = {one.casefold() for one in taken}
    forms = [f"{plain}/{_part(slug)}", f"{plain}+{_part(slug)}"] if slug else [plain]
    for form in forms:
        if not _blocked(form.casefold(), folded):
            return form
    raise AgtmuxError(
        "E_PRECONDITION_FAILED",
        f"the branch {forms[0]} exists, or one that is in its way: choose another name with --slug",
        {"branch": forms[0]},
    )


def _blocked(name: str, taken: Collection[str]) -> bool:
    return any(one == name or one.startswith(f"{name}/") or name.startswith(f"{one}/") for one in taken)


def folder_name(owner: Owner, slug: str | None) -> str:
    """Return the folder of a worktree, below that of its repository: ``[TEAM+]AGENT[+SLUG]``."""
    return "+".join(_part(one) for one in (owner.team, owner.name, slug) if one)


def _part(text: str | None) -> str:
    """Return a name as one part of a branch, which git restricts more."""
    return _ODD.sub("-", text or "")


def next_state(worktree: Worktree, step: str) -> str:
    """Return the state after a step. Raises E_PRECONDITION_FAILED if its record may not take it now."""
    allowed, state = STEPS[step]
    if worktree.state not in allowed:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"this worktree is {worktree.state}: {step} cannot be reported now; see agtmux worktree check",
            {"state": worktree.state},
        )
    return state or worktree.state


def is_inside(folder: str | None, path: str) -> bool:
    """Return whether a working directory is in this worktree."""
    return folder is not None and (folder == path or folder.startswith(f"{path}/"))
