"""Build the recap feature: one route table."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.recap.routes import ROUTES
from agtmuxd.features.recap.service import Recap


def build(context: Context) -> Feature:
    """Build the feature."""
    recap = Recap(envelope=context.envelope, store=context.store, view=context.view, clock=context.clock)
    return Feature(tables=(RouteTable(ROUTES, recap),))
