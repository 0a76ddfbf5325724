"""Build the feature: status lines, and the route of the counts."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.tmux_status.routes import ROUTES
from agtmuxd.features.tmux_status.service import StatusLines


def build(context: Context) -> Feature:
    """Build the feature."""
    lines = StatusLines(context)
    return Feature(tables=(RouteTable(ROUTES, lines),), subscriber=lines, run=lines.run, health=lines.health)
