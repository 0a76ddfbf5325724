"""Decide which files two agents changed in one repository. Pure. Times are in ns.

In a recorded worktree, every changed file is its owner's. In any other tree, a changed file is of the agents that had a
turn there when it was last written: one agent is certain, several at once are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

from agtmuxd.core.json_codec import stamp

TURNS: Final = 50
"""Turns of one agent that are remembered."""
SLACK: Final = 2_000_000_000
"""How much earlier or later than its turn (ns) an agent may have written: states follow a little behind."""


@dataclass(frozen=True, slots=True)
class Collision:
    """Two agents changed one file. ``path``: from the top of the repository. ``agent_a`` < ``agent_b``: agent ids.

    ``certain`` False: they worked in one tree at the same time, so either may have written it.
    """

    collision_id: str
    repository: str
    path: str
    agent_a: str
    agent_b: str
    tree_a: str
    tree_b: str
    certain: bool
    found_at: int

    def item(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Convert to the item of answers and of the stream. ``names``: of agents by id."""
        pairs = ((self.agent_a, self.tree_a), (self.agent_b, self.tree_b))
        return {
            "collision_id": self.collision_id,
            "repository": self.repository,
            "path": self.path,
            "agents": [{"agent_id": one, "agent": names.get(one), "tree": tree} for one, tree in pairs],
            "certain": self.certain,
            "found_at": stamp(self.found_at),
        }


@dataclass(slots=True)
class Turns:
    """When one agent had a turn. ``started``: of the turn that is not over yet."""

    started: int | None = None
    past: list[tuple[int, int]] = field(default_factory=list)

    def end(self, at: int) -> None:
        """End the turn."""
        if self.started is not None:
            self.past = [*self.past[1 - TURNS :], (self.started, at)]
            self.started = None

    def covers(self, at: int) -> bool:
        """Return whether the agent had a turn at this time."""
        if self.started is not None and at >= self.started - SLACK:
            return True
        return any(start - SLACK <= at <= end + SLACK for start, end in self.past)


@dataclass(slots=True)
class TreeFiles:
    """The changed files of one working tree. ``writers``: by path, the agents and whether each is certain."""

    path: str
    repository: str
    seen: dict[str, int] = field(default_factory=dict)
    writers: dict[str, dict[str, bool]] = field(default_factory=dict)


def update(tree: TreeFiles, changed: Mapping[str, int], owner: str | None, turns: Mapping[str, Turns]) -> None:
    """Take over what git says. ``changed``: time of the last write by path. ``turns``: of the agents in this tree."""
    for path in [one for one in tree.writers if one not in changed]:
        del tree.writers[path]
    for path, at in changed.items():
        if owner is not None:
            tree.writers[path] = {owner: True}
        elif tree.seen.get(path) != at:
            writers = sorted(agent for agent, one in turns.items() if one.covers(at))
            known = tree.writers.setdefault(path, {})
            for agent in writers:
                known[agent] = known.get(agent, False) or len(writers) == 1
    tree.seen = dict(changed)


def find_collisions(trees: Iterable[TreeFiles], at: int) -> list[Collision]:
    """List all collisions in the trees of one repository."""
    by_path: dict[str, list[tuple[str, str, bool]]] = {}
    repository = ""
    for tree in trees:
        repository = tree.repository
        for path, writers in tree.writers.items():
            by_path.setdefault(path, []).extend((agent, tree.path, sure) for agent, sure in writers.items())
    found: dict[tuple[str, str, str], Collision] = {}
    for path, writes in by_path.items():
        for one, two in combinations(sorted(writes), 2):
            key = (path, one[0], two[0])
            if one[0] != two[0] and not (key in found and found[key].certain):
                name = collision_id(repository, path, one[0], two[0], at)
                sure = one[2] and two[2]
                found[key] = Collision(name, repository, path, one[0], two[0], one[1], two[1], sure, at)
    return list(found.values())


def collision_id(repository: str, path: str, agent_a: str, agent_b: str, at: int) -> str:
    """Return the id of a collision that was found at this time."""
    parts = "\x1f".join((repository, path, agent_a, agent_b, str(at)))
    return "co-" + hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:24]
