"""Join the routes of each resource to the service that answers them. Features bring their own tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.route import RouteTable
from agtmuxd.api.routes import actions as action_routes
from agtmuxd.api.routes import daemon as daemon_routes
from agtmuxd.api.routes import events as event_routes
from agtmuxd.api.routes import hooks as hook_routes
from agtmuxd.api.routes import panes as pane_routes
from agtmuxd.api.routes import rules as rule_routes
from agtmuxd.api.routes import targets as target_routes
from agtmuxd.api.routes import watch as watch_routes
from agtmuxd.parts import Engine, Intake
from agtmuxd.services.actions import ActionRequests
from agtmuxd.services.daemon import DaemonStatus
from agtmuxd.services.hooks import Hooks
from agtmuxd.services.panes import Panes
from agtmuxd.services.targets import Targets
from agtmuxd.services.watch import Watch


def route_tables(
    engine: Engine, intake: Intake, envelope: Envelope, status: DaemonStatus, clock: Callable[[], int]
) -> list[RouteTable[Any]]:
    """Build the route table of each resource. ``clock``: ns since the epoch."""
    view, repository, target_manager = engine.view, engine.repository, engine.target_manager
    panes = Panes(
        envelope=envelope, view=view, pipeline=engine.pipeline, registry=engine.registry, actions=engine.actions,
        transcripts=intake.transcripts, history=intake.events.history, clock=clock,
    )  # fmt: skip
    targets = Targets(envelope=envelope, target_manager=target_manager, view=view, removed=engine.retention.wake)
    hooks = Hooks(
        repository=repository,
        registry=engine.registry,
        target_manager=target_manager,
        hook_tests=intake.hook_tests,
        clock=clock,
    )
    return [
        RouteTable(daemon_routes.ROUTES, status),
        RouteTable(target_routes.ROUTES, targets),
        RouteTable(pane_routes.ROUTES, panes),
        RouteTable(watch_routes.ROUTES, Watch(envelope, engine.hub)),
        RouteTable(event_routes.ROUTES, intake.events),
        RouteTable(action_routes.ROUTES, ActionRequests(envelope, engine.actions)),
        RouteTable(hook_routes.ROUTES, hooks),
        RouteTable(rule_routes.ROUTES, engine.rule_catalog),
    ]
