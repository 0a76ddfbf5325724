"""Build the feature of agents and teams: its routes. The room ``agtmuxd.agents`` keeps them."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.agents.routes import ROUTES
from agtmuxd.features.agents.service import AgentBook
from agtmuxd.features.contract import Context, Feature


def build(context: Context) -> Feature:
    """Build the feature."""
    book = AgentBook(
        envelope=context.envelope, view=context.view, repository=context.repository, agents=context.agents,
        changes=context.agent_changes, teams=context.team_changes, allow=context.allow, clock=context.clock,
    )  # fmt: skip
    return Feature(tables=(RouteTable(ROUTES, book),))
