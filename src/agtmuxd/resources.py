"""Join the routes of each resource to the service that answers them, and build the features from the daemon's parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agtmuxd.actions.access import Failpoints
from agtmuxd.agents.changes import AgentChanges
from agtmuxd.agents.directory import AgentDirectory
from agtmuxd.agents.store import StoredAgents
from agtmuxd.agents.teams import Teams
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
from agtmuxd.config import Settings
from agtmuxd.features.contract import Condition, Context
from agtmuxd.features.host import FeatureHost
from agtmuxd.parts import Engine, Intake
from agtmuxd.policy.policy import Policy
from agtmuxd.services.actions import ActionRequests
from agtmuxd.services.daemon import DaemonStatus
from agtmuxd.services.hooks import Hooks
from agtmuxd.services.panes import Panes
from agtmuxd.services.targets import Targets
from agtmuxd.services.watch import Watch
from agtmuxd.target_manager.screen_rows import screen_rows
from agtmuxd.target_manager.tmux_servers import TmuxServers


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


def build_features(
    names: Iterable[str],
    engine: Engine,
    envelope: Envelope,
    agents: StoredAgents,
    *,
    clock: Callable[[], int],
    settings: Callable[[], Settings],
    routes: Callable[[], Sequence[RouteTable[Any]]],
    environ: Mapping[str, str],
) -> tuple[FeatureHost, AgentDirectory]:
    """Build the named features, and the directory of agents.

    ``routes``: of the whole daemon. ``clock``: ns since the epoch.
    """
    host: list[FeatureHost] = []

    def conditions() -> Mapping[str, Condition]:
        return host[0].conditions if host else {}

    directory = AgentDirectory(
        agents.agents, repository=engine.repository, write=engine.pipeline.write,
        find_caller=engine.actions.find_caller, clock=clock, teams=agents.teams,
        types=lambda: engine.registry.adapters.keys(), annotate=engine.pipeline.annotate,
    )  # fmt: skip
    engine.view.ref_of_name = directory.full_ref
    engine.actions.name_agent = directory.name_runtime
    changes = AgentChanges(directory, clock)
    watches = engine.target_manager.watches
    context = Context(
        store=engine.store, view=engine.view, repository=engine.repository, envelope=envelope,
        act=engine.actions.perform, write=engine.pipeline.write, agents=directory, agent_changes=changes,
        team_changes=Teams(directory, changes, clock), allow=Policy(settings).allow,
        conditions=conditions, redact=engine.redact, annotate=engine.pipeline.annotate,
        tmux=TmuxServers(watches), screen_rows=screen_rows(watches), resume=engine.registry.resume_command,
        program=engine.registry.program,
        routes=routes, clock=clock, settings=settings, environ=environ,
        failpoint=Failpoints(environ.get("AGTMUX_FAILPOINT")),
    )  # fmt: skip
    host.append(FeatureHost.build(names, context, engine.subscriptions, {"agents": directory}))
    return host[0], directory
