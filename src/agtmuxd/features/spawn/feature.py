"""Build the spawn feature: one route."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.spawn.routes import ROUTES
from agtmuxd.features.spawn.service import Spawn


def build(context: Context) -> Feature:
    """Build the feature."""
    spawn = Spawn(
        envelope=context.envelope, repository=context.repository, agents=context.agents, allow=context.allow,
        tmux=context.tmux, program=context.program,
    )  # fmt: skip
    return Feature(tables=(RouteTable(ROUTES, spawn),))
