"""Build the leases, their timer, and the guard."""

from __future__ import annotations

from agtmuxd.api.route import RouteTable
from agtmuxd.features.contract import Context, Feature
from agtmuxd.features.leases.guard import Guard
from agtmuxd.features.leases.routes import GUARD_ROUTES, LEASE_ROUTES
from agtmuxd.features.leases.service import Leases
from agtmuxd.features.leases.timer import LeaseCondition, LeaseTimer


def build(context: Context) -> Feature:
    """Build the feature."""
    leases = Leases(
        envelope=context.envelope, store=context.store, write=context.write, agents=context.agents,
        allow=context.allow, repository=context.repository, redact=context.redact, clock=context.clock,
    )  # fmt: skip
    timer = LeaseTimer(leases, context.clock)
    guard = Guard(leases=leases, write=context.write, agents=context.agents, clock=context.clock)
    return Feature(
        tables=(RouteTable(LEASE_ROUTES, leases), RouteTable(GUARD_ROUTES, guard)), subscriber=timer, run=timer.run,
        purge=leases.purge, conditions={"lease": LeaseCondition(leases)},
    )  # fmt: skip
