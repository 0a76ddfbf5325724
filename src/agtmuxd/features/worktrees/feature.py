"""Build the worktrees feature: its records and routes, and the search for files that two agents changed."""

from __future__ import annotations

import os

from agtmux.protocol import paths
from agtmuxd.api.route import RouteTable
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.worktrees.radar import CollisionRadar
from agtmuxd.features.worktrees.routes import ROUTES
from agtmuxd.features.worktrees.service import Worktrees
from agtmuxd.features.worktrees.store import purge


def build(context: Context) -> Feature:
    """Build the feature."""
    radar = CollisionRadar(
        store=context.store, write=context.write, view=context.view, repository=context.repository,
        agents=context.agents, settings=lambda: context.settings().worktrees, clock=context.clock,
        environ=context.environ,
    )  # fmt: skip
    worktrees = Worktrees(
        envelope=context.envelope, store=context.store, write=context.write, view=context.view,
        repository=context.repository, agents=context.agents, allow=context.allow, collisions=radar,
        folder=os.path.join(paths.state_dir(), "worktrees"), clock=context.clock,
    )  # fmt: skip
    return Feature(
        tables=(RouteTable(ROUTES, worktrees),), subscriber=radar, run=radar.run, health=radar.health, purge=purge
    )
