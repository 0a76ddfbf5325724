"""Compare two worktrees before they are merged (``agtmux worktree preflight``): conflicts, and leases on files."""

from __future__ import annotations

import os
import re

from agtmux.cli.worktree_steps import find_record
from agtmux.git.merge_preview import changed_since, merge_base, preview_merge
from agtmux.git.obstacles import printable
from agtmux.git.repository import commit_of, find_repository
from agtmux.git.tree_state import place_of, read_tree
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from agtmux.client import Client
    from agtmux.git.run import Git

_AT_ONCE = 64
"""Paths in one question about leases."""
_MOST = 1024
"""Paths that are compared with leases."""


def preview(client: Client, first: str, second: str, folder: str) -> dict[str, Any]:
    """Return what merging would do, as JSON."""
    items = client.worktrees().json()["items"]
    known = [_record(items, one) for one in (first, second)]
    common = next((one["repository"] for one in known if one is not None), None)
    found = find_repository(common or os.path.realpath(folder))
    if any(one is not None and one["repository"] != found.common for one in known):
        raise AgtmuxError("E_INVALID_REQUEST", f"{first} and {second} are in two repositories: nothing can merge them")
    ours, theirs = (_side(found.git, found.common, name, one) for name, one in zip((first, second), known, strict=True))
    merged = preview_merge(found.git, found.common, ours["commit"], theirs["commit"])
    base = merge_base(found.git, ours["commit"], theirs["commit"])
    changed = [] if base is None else sorted(
        {path for one in (ours, theirs) for path in changed_since(found.git, base, one["commit"])}
    )  # fmt: skip
    return {
        "clean": merged.clean, "conflicts": [printable(path) for path in merged.conflicts], "tree": merged.tree,
        "merge_base": base, "a": ours, "b": theirs, "changed": len(changed),
        "leases": leases_on(client, found.common, changed),
    }  # fmt: skip


def _record(items: Sequence[dict[str, Any]], text: str) -> dict[str, Any] | None:
    try:
        return find_record(items, text)
    except AgtmuxError as error:
        if error.code != "E_NOT_FOUND":
            raise
        return None


def _side(git: Git, common: str, name: str, record: dict[str, Any] | None) -> dict[str, Any]:
    if record is None:
        return {"name": name, "commit": commit_of(git, name), "path": None, "uncommitted": 0}
    state = read_tree(place_of(git, record["path"], common))
    if state.head is None:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"{name} has no commit yet: nothing can be merged")
    count = len(state.changes) + len(state.hidden)
    return {"name": name, "commit": state.head, "path": record["path"], "uncommitted": count}


def leases_on(client: Client, common: str, paths: Sequence[str]) -> list[dict[str, Any]] | None:
    """List the leases of others on these files. None: this daemon has no leases."""
    out: dict[str, dict[str, Any]] = {}
    for start in range(0, min(len(paths), _MOST), _AT_ONCE):
        some = [lease_pattern(path) for path in paths[start : min(start + _AT_ONCE, _MOST)]]
        try:
            answer = client.check_lease({"repo": {"git_dir": common}, "paths": some})
        except AgtmuxError as error:
            if error.code != "E_NOT_FOUND":
                raise
            return None
        out |= {str(one.get("lease_id")): one for one in answer.json().get("conflicts", ())}
    return list(out.values())


def lease_pattern(path: str) -> str:
    """Write a path as the pattern that matches only it."""
    escaped = re.sub(r"([*?\[\]{}\\])", r"\\\1", path)
    return "".join(f"\\x{ord(one) - 0xDC00:02x}" if "\udc80" <= one <= "\udcff" else one for one in escaped)
