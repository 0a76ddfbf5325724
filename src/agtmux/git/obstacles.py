"""Decide what keeps a worktree from being removed. Pure.

Each obstacle names what would be lost, or why nobody can tell. No option overrides one. A verified salvage of exactly
this state answers those that are ``salvageable``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agtmux.git.tree_state import TreeState
from agtmux.protocol.text import one_line

_SHOWN = 20
"""Paths that one obstacle lists. It always says how many there are."""


@dataclass(frozen=True)
class Obstacle:
    """One reason to keep a worktree. ``kind``: one word for scripts."""

    kind: str
    text: str
    paths: tuple[str, ...] = ()
    salvageable: bool = True

    def item(self) -> dict[str, Any]:
        """Convert to JSON. Bytes that are no text are escaped."""
        return {
            "kind": self.kind,
            "text": self.text,
            "paths": [printable(path) for path in self.paths[:_SHOWN]],
            "count": len(self.paths),
            "salvageable": self.salvageable,
        }


def printable(path: str) -> str:
    """Return a path as valid text: bytes that are no text become ``\\xNN``."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def obstacles(state: TreeState, *, discard: Sequence[str] = (), salvaged: Iterable[str] = ()) -> list[Obstacle]:
    """List what keeps this worktree. ``discard``: ignored files and folders that may go. ``salvaged``: those in a
    salvage.
    """
    out = _changes(state)
    besides = {*salvaged, *(f"{path}/" for path in state.nested)}
    kept = [path for path in state.ignored if path not in besides and not covered(path, discard)]
    if kept:
        out.append(Obstacle("ignored", "ignored files, which git keeps nowhere", tuple(kept), salvageable=False))
    if state.hidden:
        text = "changes that git was made to overlook (assume-unchanged or skip-worktree)"
        out.append(Obstacle("hidden", text, state.hidden))
    if state.nested:
        out.append(Obstacle("nested_repository", "repositories inside", state.nested))
    for path, what in state.submodules:
        out.append(Obstacle("submodule", f"the submodule {one_line(printable(path))} has {what}", (path,)))
    out += [Obstacle("operation", f"a {name} in progress") for name in state.operations]
    if state.stashes:
        out.append(Obstacle("stash", f"{len(state.stashes)} stashed changes of its branch"))
    if state.lone_head:
        out.append(Obstacle("lone_commit", f"the commit {str(state.head)[:12]}, which no branch and no tag reaches"))
    if state.own_refs:
        out.append(Obstacle("own_refs", "refs that only this worktree has", state.own_refs, salvageable=False))
    if state.busy:
        out.append(Obstacle("busy", "a git command that runs (index.lock)", salvageable=False))
    return out


def _changes(state: TreeState) -> list[Obstacle]:
    kinds: dict[str, list[str]] = {"untracked": [], "unmerged": [], "staged": [], "unstaged": []}
    for code, path in state.changes:
        if code == "??":
            kinds["untracked"].append(path)
        elif "U" in code or code in ("AA", "DD"):
            kinds["unmerged"].append(path)
        else:
            if code[0] != " ":
                kinds["staged"].append(path)
            if code[1] != " ":
                kinds["unstaged"].append(path)
    texts = {"unmerged": "files in conflict", "staged": "staged changes", "unstaged": "changes that are not staged",
             "untracked": "untracked files"}  # fmt: skip
    return [Obstacle(kind, texts[kind], tuple(paths)) for kind, paths in kinds.items() if paths]


def covered(path: str, names: Sequence[str]) -> bool:
    """Return whether one of these files or folders is ``path`` or a folder above it."""
    plain = [name.removeprefix("./").rstrip("/") for name in names]
    return any(path.rstrip("/") == name or path.startswith(f"{name}/") for name in plain if name)


def sentence(found: Sequence[Obstacle]) -> str:
    """Say in one line what keeps a worktree."""
    parts = []
    for one in found:
        names = ", ".join(one_line(printable(path)) for path in one.paths[:3])
        more = f" and {len(one.paths) - 3} more" if len(one.paths) > 3 else ""
        parts.append(f"{one.text} ({names}{more})" if one.paths and one.kind != "submodule" else one.text)
    return "; ".join(parts)
