"""Add, check, salvage and remove a worktree: what git does here, in step with the daemon's record.

The record is made before the disk changes, and closed after it did. Whatever fails is undone, and the record says so.
"""

from __future__ import annotations

import os

from agtmux.client import uuid7
from agtmux.git import removal, repository, salvage
from agtmux.git.conflict_scan import scan
from agtmux.git.obstacles import Obstacle, printable
from agtmux.git.tree_state import place_of, read_tree
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from agtmux.client import Client
    from agtmux.git.run import Git


def find_record(items: Sequence[dict[str, Any]], text: str | None) -> dict[str, Any]:
    """Return the record that ``text`` names: an agent, TEAM/AGENT, a branch, a path or an id. None: of this folder.

    Raises E_NOT_FOUND, and E_REF_AMBIGUOUS with candidates.
    """
    here = os.path.realpath(text or ".")
    if text is None:
        found = [one for one in items if here == one["path"] or here.startswith(f"{one['path']}/")]
    else:
        found = [one for one in items if text in (one["worktree_id"], one["branch"]) or here == one["path"]]
        found = found or [one for one in items if text.casefold() in _names(one)]
    if len(found) == 1:
        return found[0]
    if not found:
        what = "this folder is in no worktree of an agent" if text is None else f"no worktree matches {text[:80]!r}"
        raise AgtmuxError("E_NOT_FOUND", f"{what}: see agtmux worktree list")
    branches = [str(one["branch"]) for one in found]
    raise AgtmuxError(
        "E_REF_AMBIGUOUS", f"{text} has {len(found)} worktrees: use a branch: {', '.join(branches[:10])}",
        {"candidates": branches},
    )  # fmt: skip


def _names(one: dict[str, Any]) -> tuple[str, ...]:
    name, folder = str(one["agent"]).casefold(), os.path.basename(one["path"]).casefold()
    return (name, f"{str(one['team']).casefold()}/{name}", folder)


def report(client: Client, item: dict[str, Any], step: str, **more: object) -> dict[str, Any]:
    """Report one step of a worktree, and return its record."""
    answer = client.report_worktree(item["worktree_id"], {"request_ref": uuid7(), "step": step, **more})
    record: dict[str, Any] = answer.json()["worktree"]
    return record


def _git_of(item: dict[str, Any]) -> Git:
    try:
        return repository.find_repository(item["repository"]).git
    except AgtmuxError as error:
        raise AgtmuxError(error.code, f"the repository of this worktree cannot be read: {error.message}") from None


def add(client: Client, *, agent: str | None, slug: str | None, base: str, folder: str) -> dict[str, Any]:
    """Add a worktree and return its record. Raises AgtmuxError; then nothing is left of it."""
    found = repository.find_repository(os.path.realpath(folder))
    if found.top is None:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", f"{folder} is a bare repository: pass the folder of one of its worktrees"
        )
    commit = repository.commit_of(found.git, base)
    wanted = {
        "request_ref": uuid7(), "agent": agent, "slug": slug, "repository": found.common, "base": base,
        "base_commit": commit, "taken": repository.branches_below(found.git, "agtmux"),
    }  # fmt: skip
    item = client.add_worktree(wanted).json()["worktree"]
    try:
        repository.make_tree(found.git, item["path"], item["branch"], commit, item["lock_reason"])
    except BaseException:
        report(client, item, "not_added")
        raise
    return {**report(client, item, "added"), "filters": list(found.git.filters)}


def remove(client: Client, item: dict[str, Any], discard: Sequence[str]) -> dict[str, Any]:
    """Remove a worktree and return its record. Raises E_WORKTREE_DIRTY; then it is as it was."""
    git = _git_of(item)
    with removal.alone(item["repository"]):
        return _remove(client, item, git, discard)


def _remove(client: Client, item: dict[str, Any], git: Git, discard: Sequence[str]) -> dict[str, Any]:
    path = item["path"]
    report(client, item, "removing")
    try:
        removal.finish_interrupted(path)
        if os.path.lexists(path):
            known = item.get("salvage")
            removal.remove_tree(
                git, path, item["repository"], discard=discard,
                manifest=None if known is None else salvage.read_manifest(known["folder"]),
                before=lambda: _still_free(client, item),
            )  # fmt: skip
        else:
            _forget_missing(git, path)
    except BaseException:
        if os.path.lexists(path):
            report(client, item, "kept")
        raise
    return report(client, item, "removed")


def _still_free(client: Client, item: dict[str, Any]) -> None:
    report(client, item, "removing")


def _forget_missing(git: Git, path: str) -> None:
    """Remove git's entry of a tree that is gone. Raises E_WORKTREE_DIRTY if only that entry reaches its commit."""
    entry = repository.entry_of(git, path)
    if entry is not None and entry.branch is None and entry.head is not None:
        listed = git.run("for-each-ref", "--count=1", f"--contains={entry.head}", "refs/heads", "refs/tags",
                         "refs/remotes", "refs/agtmux")  # fmt: skip
        if not listed.strip():
            raise AgtmuxError(
                "E_WORKTREE_DIRTY",
                f"only git's entry of {path} reaches the commit {entry.head[:12]}: run git branch NAME {entry.head}",
                {"what": [{"kind": "lone_commit", "text": entry.head}]},
            )
    if entry is not None:
        removal.forget(git, path)


def save(
    client: Client, item: dict[str, Any], folder: str, ignored: Sequence[str] | None
) -> tuple[dict[str, Any], salvage.Salvage]:
    """Salvage a worktree, and record it. ``folder``: of all salvages. ``ignored``: what to include; None: all."""
    git = _git_of(item)
    place = place_of(git, item["path"], item["repository"])
    state = read_tree(place)
    missing = [] if ignored is None else [n for n in ignored if not os.path.lexists(os.path.join(item["path"], n))]
    if missing:
        raise AgtmuxError("E_INVALID_REQUEST", f"{missing[0]} is not in {item['path']}: pass names from its top")
    name = uuid7()
    os.makedirs(folder, mode=0o700, exist_ok=True)
    made = salvage.salvage(place, state, ignored, os.path.join(folder, name), name)
    facts = {"ref": made.ref, "commit": made.commit, "folder": made.folder, "fingerprint": made.fingerprint}
    return report(client, item, "salvaged", salvage=facts), made


def check(client: Client, item: dict[str, Any]) -> dict[str, Any]:
    """Compare a record with the disk. Return the record with what was found, and report its conflicts."""
    out: dict[str, Any] = {**item, "wrong": [], "keeps": [], "ahead": None, "behind": None, "conflict_files": []}
    out["scan_truncated"] = []
    path = item["path"]
    for name, what in ((removal.aside(path), "interrupted"), (removal.condemned(path), "begun")):
        if os.path.lexists(name):
            out["wrong"].append(f"its removal was {what}: run agtmux worktree remove again ({name})")
    try:
        git = _git_of(item)
        entry = repository.entry_of(git, path)
        if not os.path.lexists(path):
            out["wrong"].append("its folder is gone: run agtmux worktree remove to close the record")
            return out
        if entry is None:
            out["wrong"].append("git does not know it: run git worktree repair in its repository")
            return out
        if item["state"] == "adding":
            out["wrong"].append("it was not added to the end: run agtmux worktree remove, then add it again")
        found, place, state = removal.what_keeps(git, path, item["repository"])
        _facts(client, out, item, found, place.git, state.branch)
    except AgtmuxError as error:
        out["wrong"].append(error.message)
    return out


def _facts(
    client: Client, out: dict[str, Any], item: dict[str, Any], found: list[Obstacle], git: Git, branch: str | None
) -> None:
    out["keeps"] = [one.item() for one in found]
    if branch != item["branch"]:
        out["wrong"].append(f"it is on {branch or 'no branch'}, not on {item['branch']}")
    counts = repository.ahead_behind(git, item["base"]) if item["base"] != "HEAD" else None
    counts = counts or repository.ahead_behind(git, item["base_commit"])
    out["ahead"], out["behind"] = counts if counts is not None else (None, None)
    scanned = scan(git, item["path"])
    out["conflict_files"] = [printable(one) for one in scanned.files]
    out["scan_truncated"] = [printable(one) for one in scanned.truncated]
    if item["conflicts"] != len(scanned.files):
        try:
            report(client, item, "checked", conflicts=len(scanned.files))
        except AgtmuxError as error:
            if error.code != "E_POLICY_DENIED":  # an agent may look at the worktrees of others
                raise


def unrecorded(items: Sequence[dict[str, Any]]) -> list[str]:
    """List the folders beside known worktrees that no record names."""
    known = {one["path"] for one in items if one["state"] != "removed"}
    out = []
    for folder in sorted({os.path.dirname(path) for path in known}):
        if os.path.isdir(folder):
            names = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
            out += [name for name in names if name not in known and not name.endswith((".removing", ".deleting"))]
    return out
