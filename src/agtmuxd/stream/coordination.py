"""Make the changes of coordination (agents, messages, leases, ...) for the stream. Pure.

They have the scope ``coord``. The stream keeps no rows of them: a snapshot of this scope is empty, and the routes of
each resource list what is there. A change carries the new item, or nothing if the item is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agtmuxd.stream.published import Change

COORD: Final = "coord"
"""The scope of these changes."""
ALL: Final = "all"
"""The scope of a watcher that gets the changes of panes and of coordination."""
KINDS: Final = frozenset(
    {
        "agent", "team", "message", "delivery", "reaction", "channel", "signal", "wait", "lease", "worktree",
        "scope_violation", "collision", "policy", "dead_letter",
    }
)  # fmt: skip
"""What a change can be about."""


def coordination_change(kind: str, name: str, item: Mapping[str, Any] | None) -> Change:
    """Make the change of one item. ``name``: its id. ``item`` None: it is gone. Raises ValueError for another kind."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of coordination")
    identity = {"kind": kind, "id": name}
    op = "delete" if item is None else "upsert"
    return Change(op, COORD, f"{kind}/{name}", identity, None if item is None else dict(item), None, None)


def changes_in(changes: Mapping[str, Sequence[Change]], scope: str) -> list[Change]:
    """Give the changes of one scope, or those of panes and coordination for ``all``."""
    if scope == ALL:
        return [*changes.get("panes", ()), *changes.get(COORD, ())]
    return list(changes.get(scope, ()))
