"""Build the restore feature: its routes, and a subscriber that remembers where agents are."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.restore.routes import ROUTES
from agtmuxd.features.restore.service import Restore


def build(context: Context) -> Feature:
    """Build the feature."""
    restore = Restore(
        envelope=context.envelope, store=context.store, view=context.view, repository=context.repository,
        tmux=context.tmux, resume=context.resume, clock=context.clock,
    )  # fmt: skip
    return Feature(tables=(RouteTable(ROUTES, restore),), subscriber=restore)
