"""Remove a worktree that holds nothing of its own. Owns the order of the steps.

The tree is moved aside first. Then nobody can write into it by its name, and it is read once more. Only if that still
is what was read before, its files are deleted. Whatever fails before that moves the tree back.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from agtmux.git.capture import Capture, capture
from agtmux.git.inside import processes_inside
from agtmux.git.obstacles import Obstacle, obstacles, sentence
from agtmux.git.repository import TreeEntry, entry_of
from agtmux.git.run import Git
from agtmux.git.salvage import is_intact
from agtmux.git.tree_state import Place, TreeState, moved, place_of, read_tree
from agtmux.protocol.errors import AgtmuxError

OWN_LOCK = "agtmux:"


def aside(path: str) -> str:
    """Return where the tree at ``path`` is while it is read once more."""
    return f"{path}.removing"


def condemned(path: str) -> str:
    """Return where the tree at ``path`` is when all of it may be deleted."""
    return f"{path}.deleting"


def finish_interrupted(path: str) -> None:
    """Bring back a tree that an interrupted removal moved aside, and delete one that it had begun to delete."""
    if os.path.lexists(condemned(path)):
        _delete(condemned(path))
    if os.path.lexists(aside(path)) and not os.path.lexists(path):
        os.rename(aside(path), path)


@contextlib.contextmanager
def alone(common: str) -> Iterator[None]:
    """Wait until no other command removes a worktree of this repository: one would move away what the other reads."""
    path = os.path.join(common, "agtmux-remove.lock")
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"{path} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def what_keeps(
    git: Git, path: str, common: str, *, discard: Sequence[str] = (), manifest: dict[str, Any] | None = None
) -> tuple[list[Obstacle], Place, TreeState]:
    """List what keeps the worktree at ``path`` from being removed. ``manifest``: of its salvage.

    Raises AgtmuxError if something cannot be read: then it has to stay.
    """
    place = place_of(git, path, common)
    state = read_tree(place)
    out = _around(git, path)
    valid = manifest is not None and is_intact(place, manifest, capture(place, state, manifest["ignored"]))
    salvaged = manifest["ignored"] if valid and manifest is not None else ()
    found = obstacles(state, discard=discard, salvaged=salvaged)
    out += [one for one in found if not (valid and one.salvageable)]
    if manifest is not None and not valid:
        out.append(Obstacle("salvage", "its salvage is not of this state, or is not whole", salvageable=False))
    return out, place, state


def _around(git: Git, path: str) -> list[Obstacle]:
    """List what does not depend on the files: a lock, and processes that work there."""
    out = []
    entry = entry_of(git, path)
    if entry is None:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"git has no worktree at {path}: see agtmux worktree check")
    if entry.locked is not None and not entry.locked.startswith(OWN_LOCK):
        why = f" ({entry.locked})" if entry.locked else ""
        out.append(Obstacle("locked", f"a lock that agtmux did not set{why}", salvageable=False))
    working = processes_inside(path)
    if working:
        names = ", ".join(f"{name} {pid}" for pid, name in working[:5])
        out.append(Obstacle("inside", f"processes that work there ({names})", salvageable=False))
    return out


def remove_tree(
    git: Git,
    path: str,
    common: str,
    *,
    discard: Sequence[str] = (),
    manifest: dict[str, Any] | None = None,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Remove the worktree at ``path``; its branch stays. ``before``: called when it may go, and may still raise.

    Raises E_WORKTREE_DIRTY with what keeps it, and other AgtmuxErrors for what cannot be read. Then it is as it was.
    """
    found, place, state = what_keeps(git, path, common, discard=discard, manifest=manifest)
    if found:
        raise dirty(path, found)
    known = () if manifest is None else tuple(manifest["ignored"])
    first = _all_of(place, state, known)
    before()
    try:
        os.rename(path, aside(path))
    except OSError as error:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"{path} cannot be moved: {error.strerror}") from None
    try:
        there = moved(place, aside(path))
        if _all_of(there, read_tree(there), known) != first or processes_inside(aside(path)):
            raise AgtmuxError(
                "E_WORKTREE_DIRTY", f"{path} changed while it was being removed, and is kept: stop what works there",
                {"what": [{"kind": "changed", "text": "it changed meanwhile"}]},
            )  # fmt: skip
        os.rename(aside(path), condemned(path))
    except BaseException:
        os.rename(aside(path), path)
        raise
    _delete(condemned(path))
    forget(git, path)


def _all_of(place: Place, state: TreeState, ignored: Sequence[str]) -> tuple[TreeState, Capture]:
    """Return everything of a tree that must not change. Ignored files count by their names, salvaged ones whole."""
    return replace(state, folder=""), capture(place, state, ignored)


def _delete(folder: str) -> None:
    """Delete a tree, also folders without write permission."""
    try:
        try:
            shutil.rmtree(folder)
        except PermissionError:
            for one, _, _ in os.walk(folder):
                os.chmod(one, stat.S_IRWXU)
            shutil.rmtree(folder)
    except OSError as error:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"{folder} was not deleted completely ({error.strerror}): delete it, then run agtmux worktree remove again",
        ) from None


def forget(git: Git, path: str) -> None:
    """Remove git's entry of a worktree whose folder is gone. Raises E_PRECONDITION_FAILED if it stays."""
    entry: TreeEntry | None = entry_of(git, path)
    if entry is not None:
        git.run("worktree", "remove", "--force", "--force", path)
    if os.path.lexists(path) or entry_of(git, path) is not None:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"git still has a worktree at {path}: see git worktree list")


def dirty(path: str, found: Sequence[Obstacle]) -> AgtmuxError:
    """Make the error that names everything that keeps a worktree, and the next step."""
    if any(one.kind == "ignored" for one in found):
        step = "copy them with agtmux worktree salvage --ignored NAME, or give them up with --discard-ignored NAME"
    elif any(one.salvageable for one in found):
        step = "commit it, or copy it with agtmux worktree salvage"
    else:
        step = "see agtmux worktree check"
    text = f"{path} is kept, because it has {sentence(found)}: {step}"
    return AgtmuxError("E_WORKTREE_DIRTY", text, {"what": [one.item() for one in found]})
