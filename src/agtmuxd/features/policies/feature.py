"""Build the policies feature: the routes of ``agtmux policy``."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.policies.routes import ROUTES
from agtmuxd.features.policies.service import Policies
from agtmuxd.policy.policy import Policy


def build(context: Context) -> Feature:
    """Build the feature."""
    policies = Policies(envelope=context.envelope, policy=Policy(context.settings), agents=context.agents)
    return Feature(tables=(RouteTable(ROUTES, policies),))
