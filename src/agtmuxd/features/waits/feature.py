"""Build the waits feature: its routes, and the conditions ``state:`` and ``agent:``."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.waits.conditions import AgentCondition, StateCondition
from agtmuxd.features.waits.routes import ROUTES
from agtmuxd.features.waits.service import Waits


def build(context: Context) -> Feature:
    """Build the feature."""
    waits = Waits(
        envelope=context.envelope, store=context.store, write=context.write, allow=context.allow,
        conditions=context.conditions, settings=lambda: context.settings().waits, clock=context.clock,
    )  # fmt: skip
    state = StateCondition(
        view=context.view, repository=context.repository, agents=context.agents, store=context.store,
        allow=context.allow,
    )  # fmt: skip
    agent = AgentCondition(agents=context.agents, store=context.store, allow=context.allow)
    return Feature(
        tables=(RouteTable(ROUTES, waits),), subscriber=waits, run=waits.run, purge=waits.purge, health=waits.health,
        conditions={"state": state, "agent": agent},
    )  # fmt: skip
